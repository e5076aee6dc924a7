//! What travels: one struct per Avro schema, field for field.
//!
//! The `.avsc` file is the contract; a struct here repeats its names, order and nullability, and the golden tests hold
//! the two together. Open sets (metric, channel, reason, class) are strings, so that a new value is never a decoding
//! error for an older reader. Every field has a default, so that fields can be added and removed in either direction.

use serde::{Serialize, de::DeserializeOwned};

mod command;
mod dead_letter;
mod identity;
mod message_outcome;
mod raw_record;
mod suppression;

pub use crate::trait_table::CustomerTraits;
pub use command::Command;
pub use dead_letter::DeadLetter;
pub use identity::{Address, Identity};
pub use message_outcome::MessageOutcome;
pub use raw_record::{RawRecord, RawView};
pub use suppression::{Suppression, SuppressionEntry};

/// A record type with an Avro schema of its own.
pub trait Record: Serialize + DeserializeOwned {
    /// The writer schema, as JSON.
    const SCHEMA: &'static str;
}
