#![doc = include_str!("../README.md")]

mod client;
mod cluster;
mod connection;
pub mod consumer;
mod error;
mod ffi;
pub mod publisher;
mod record;
pub mod transaction;
pub mod trial;

pub use client::METRICS;
pub use cluster::{Cluster, TopicId, TopicRequest, TopicState};
pub use connection::Connection;
pub use consumer::Consumer;
pub use error::{Error, PublishError};
pub use publisher::Publisher;
pub use record::{Incoming, NextOffset, Outgoing, RECORD_BYTES_MAX, RecordOffset};
