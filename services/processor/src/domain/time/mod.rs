//! Time: which events are duplicates, and what time alone makes true of a customer.

pub mod timer;
pub mod window;
