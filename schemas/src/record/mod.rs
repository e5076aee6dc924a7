//! What travels: one struct per Avro schema, field for field.
//!
//! The `.avsc` file is the contract. A struct here repeats its names, order and nullability, and the golden
//! tests compare the two. Open sets (metric, channel, reason, class) are strings, so that an older reader can
//! decode a new value. Every field has a default, so that a later version can add and remove fields.

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
    /// The schema with which the record is written, as JSON.
    const SCHEMA: &'static str;

    /// Every committed version of the schema, the oldest first and the current one last. Readers accept all
    /// of them.
    const VERSIONS: &'static [&'static str];
}
