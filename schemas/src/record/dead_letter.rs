use std::fmt;

use serde::{Deserialize, Serialize};

use super::Record;

/// A record that could not be understood or delivered, with its reason and origin. Restricted.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeadLetter {
    /// The role that set it aside: a word of [`stage`](crate::vocabulary::stage).
    pub stage: String,
    /// Why: a word of [`dead_letter_reason`](crate::vocabulary::dead_letter_reason), or another.
    pub reason: String,
    /// What to look at. It quotes no payload.
    pub detail: Option<String>,
    /// The event's id where it is known.
    pub event_id: Option<String>,
    /// The topic that it was read from; null where the gateway set it aside.
    pub origin_topic: Option<String>,
    /// The partition that it was read from.
    pub origin_partition: Option<i64>,
    /// The offset that it was read from.
    pub origin_offset: Option<i64>,
    /// The source that it came from, where known.
    pub source: Option<String>,
    /// When it was set aside. Unix milliseconds.
    pub kept_at: i64,
    /// The customer key, where the record has one.
    #[serde(with = "serde_bytes")]
    pub key: Option<Vec<u8>>,
    /// The bytes, or their first 64 KiB.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
    /// Length of all bytes.
    pub length: i64,
    /// SHA-256 of all bytes, where `bytes` is only their beginning.
    #[serde(with = "serde_bytes")]
    pub sha256: Option<Vec<u8>>,
}

impl Record for DeadLetter {
    const SCHEMA: &'static str = include_str!("../../avro/dead_letter.avsc");
    const VERSIONS: &'static [&'static str] = &[include_str!("../../avro/history/dead_letter/1.avsc")];
}

/// Lengths instead of contents: a payload or an address has no place in a log or a panic (E2).
impl fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetter")
            .field("stage", &self.stage)
            .field("reason", &self.reason)
            .field("origin_topic", &self.origin_topic)
            .field("origin_partition", &self.origin_partition)
            .field("origin_offset", &self.origin_offset)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}
