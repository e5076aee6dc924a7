//! What the subjects are fed: events as the vendor would send them, and ids that were seen before.

mod appender;
mod customer;
mod event;
mod journal;
mod load;
pub(crate) mod preload;

pub(crate) use customer::Customers;
pub(crate) use event::{Event, Events, now_ms};
pub(crate) use journal::Journal;
pub(crate) use load::{Load, Pace, Raw, load, whole};
