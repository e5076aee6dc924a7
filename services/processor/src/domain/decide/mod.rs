//! What is published about a customer: pure functions of what is kept.

pub(crate) mod suppression;
pub(crate) mod traits;
