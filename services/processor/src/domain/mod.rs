//! What an outcome means for a customer. Pure: no clock, no input or output, no waiting. The README's tables
//! say it in words.
//!
//! * [`event`]: a vendor's event in the form that all consumers read.
//! * [`bounce`]: what a failed delivery means, and whose fault it is.
//! * `customer`: what is kept about a customer, and how an outcome changes it.
//! * `decide`: traits and suppressions, derived from what is kept.
//! * [`time`]: the dedupe window, and what time alone makes true.
//! * [`redact`]: free text without addresses.

pub mod bounce;
pub(crate) mod customer;
pub(crate) mod decide;
pub mod event;
pub mod redact;
pub mod time;
