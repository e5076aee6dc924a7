use std::fmt;

use serde::{Deserialize, Serialize};

use super::Record;

/// A customer's current addresses. Restricted to sinks that must name an address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// The customer key.
    pub customer_id: String,
    /// The append time that caused this record. Unix milliseconds.
    pub as_of: i64,
    /// One address per channel.
    pub addresses: Vec<Address>,
}

/// One current address.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    /// A word of [`channel`](crate::vocabulary::channel).
    pub channel: String,
    /// The address itself.
    pub address: String,
    /// Its token.
    pub token: String,
    /// When it was last seen. Unix milliseconds.
    pub seen_at: i64,
}

impl Record for Identity {
    const SCHEMA: &'static str = include_str!("../../avro/identity.avsc");
    const VERSIONS: &'static [&'static str] = &[include_str!("../../avro/history/identity/1.avsc")];
}

/// Lengths instead of contents: a payload or an address has no place in a log or a panic (E2).
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("channel", &self.channel)
            .field("token", &self.token)
            .field("seen_at", &self.seen_at)
            .finish_non_exhaustive()
    }
}
