#![doc = include_str!("../README.md")]

mod error;
mod http;
mod ingest;
pub mod metric;
mod partition_count;
mod server;
mod settings;
pub mod signature;

pub use error::Error;
pub use server::run;
pub use settings::{DEFAULT_SOURCE, Settings, Source, signing_keys, stale_after};
