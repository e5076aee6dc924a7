//! What an exactly-once processor needs of Kafka: a group member whose positions travel in transactions, a
//! transactional producer, and a reader of changelogs.
//!
//! The order in which they are used, and why, is the processor's commit protocol; here are only the calls.

mod member;
mod producer;
mod tail;

pub use member::{Member, Polled, Rebalanced};
pub use producer::{Position, Refusal, TransactionLimits, Transactional};
pub use tail::{Committed, Tail, TailError};
