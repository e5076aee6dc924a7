//! What an exactly-once processor needs of Kafka: a group member whose positions travel in transactions, a
//! transactional producer, a reader of changelogs, and the brokers' time.
//!
//! The order in which they are used, and why, is the processor's commit protocol; here are only the calls.

mod attended;
mod inbox;
mod member;
mod positions;
mod producer;
mod stamp;
mod tail;

pub use inbox::{Arrival, Bell, Inbox};
pub use member::{Member, Rebalanced};
pub use positions::Committed;
pub use producer::{Position, Refusal, TransactionLimits, Transactional};
pub use stamp::append_time;
pub use tail::{Tail, TailError};
