//! What an outcome means. Pure: no clock, no input or output, no waiting; the README's table says it in words.

pub mod customer;
pub mod outcome;
pub mod redact;
pub mod suppression;
pub mod timer;
pub mod traits;
pub mod window;
