//! The tools of an exactly-once processor: a group member whose positions are committed in transactions, a
//! transactional producer, a reader of changelogs, and the brokers' time.
//!
//! The processor's commit protocol says in which order they are used, and why. Here are only the calls.

mod broker_time;
mod member;
mod partition_queue;
mod polled_producer;
pub(crate) mod positions;
mod producer;
mod tail;

pub use broker_time::broker_time;
pub use member::{Member, Rebalanced};
pub use partition_queue::{Arrival, PartitionQueue, WakeHandle};
pub use positions::Committed;
pub use producer::{Position, TransactionError, TransactionLimits, Transactional};
pub use tail::{Tail, TailError};
