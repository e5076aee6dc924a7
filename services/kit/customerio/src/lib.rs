#![doc = include_str!("../README.md")]

pub mod answer;
mod client;
pub mod limit;
pub mod operation;
mod region;
mod settings;

pub use self::settings::Settings;
pub use answer::{Answer, Refusal};
pub use client::{Client, Error, Reply, Status};
pub use operation::{Attribute, Encoded, Identifier, Identify};
pub use region::Region;
