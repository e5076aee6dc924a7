#![doc = include_str!("../README.md")]

pub mod metric;
mod settings;
mod sink;
pub mod target;

pub use settings::Settings;
pub use sink::{Error, Summary, run};
pub use target::{Location, Target};
