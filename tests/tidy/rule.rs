//! The rules, by what they read.

pub(crate) mod crates;
pub(crate) mod domain;
pub(crate) mod forbidden;
pub(crate) mod layout;
pub(crate) mod log;
pub(crate) mod metric;
pub(crate) mod path;
pub(crate) mod promise;
