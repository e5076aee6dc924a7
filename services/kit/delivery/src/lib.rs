#![doc = include_str!("../README.md")]

pub mod backoff;
pub mod dead_letter;
pub mod ledger;
pub mod metric;

pub use backoff::Backoff;
pub use dead_letter::DeadLetters;
pub use ledger::{Ledger, Ticket};
