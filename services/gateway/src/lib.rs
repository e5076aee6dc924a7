#![doc = include_str!("../README.md")]

mod error;
pub mod metric;
mod record;
mod request;
mod server;
mod settings;
pub mod signature;

pub use error::Error;
pub use server::run;
pub use settings::{DEFAULT_SOURCE, FIELDS, Settings, Source, signing_keys};
