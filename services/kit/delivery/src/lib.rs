#![doc = include_str!("../README.md")]

pub mod backoff;
pub mod dead_letter;
pub mod intake;
pub mod metric;
pub mod outcome;
mod readiness;
mod run;
pub mod sink;

pub use backoff::Backoff;
pub use dead_letter::DeadLetters;
pub use intake::{Intake, Ticket};
pub use outcome::Counts;
pub use readiness::{Readiness, TargetHealth};
pub use run::{Context, Error, LagLimits, Settings, run};
pub use sink::Sink;
