//! One transaction: what it holds, how it is committed, and how its crashes are rehearsed.

pub mod assignment;
pub mod commit;
pub mod drill;
pub mod producer;
pub mod protocol;
pub mod step;
