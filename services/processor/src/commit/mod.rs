//! Commits what `apply` came to: records, changelogs and offsets in one Kafka transaction, then the disk.
//!
//! * [`protocol`]: the commit protocol as a pure state machine.
//! * `effects`: what each act of the protocol does to Kafka and to the disk.
//! * `gate`: which partitions are ours, and the gate between a rebalance and a commit.
//! * `producer`: a worker's transactional producer.

pub(crate) mod effects;
pub(crate) mod gate;
pub(crate) mod producer;
pub mod protocol;
