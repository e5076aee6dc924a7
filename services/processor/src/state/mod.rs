//! What a partition remembers: on disk, in its changelogs, and in the transaction that is being made.
//!
//! * [`store`]: one partition's RocksDB. `store/key.rs` has the layout of its keys.
//! * [`overlay`]: the changes of the transaction that is being made.
//! * [`changelog`]: what a transaction writes to the two changelog topics.
//! * [`mod@format`]: a customer's state as stored bytes, apart from the domain's customer; and how new the
//!   formats may be that are written.
//! * [`meta`]: where a partition stands.
//! * `timer`: the index of timers.
//! * [`identity`]: which cluster, topic and partition a store belongs to.
//! * [`memory`]: RocksDB's options, and the memory that all stores share.

pub mod changelog;
pub mod format;
pub mod identity;
pub mod memory;
pub mod meta;
pub mod overlay;
pub mod store;
pub mod timer;
