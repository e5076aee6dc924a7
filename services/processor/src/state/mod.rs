//! What a partition remembers: on disk, in its changelogs, and in the transaction that is being made.

pub mod changelog;
pub mod identity;
pub mod memory;
pub mod meta;
pub mod overlay;
pub mod store;
pub mod timer;
pub mod value;
