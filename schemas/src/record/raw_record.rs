use std::fmt;

use serde::{Deserialize, Serialize};

use super::Record;
use crate::codec::View;

/// One verified input, exactly as it arrived. All other records are derived from these.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawRecord {
    /// A word of [`kind`](crate::vocabulary::kind).
    pub kind: String,
    /// The dedupe id: 16 bytes, computed once by the gateway, before anything is stripped.
    #[serde(with = "serde_bytes")]
    pub id: Vec<u8>,
    /// The sender's event id as text. Where the sender gave none: `x1.` and base64url of the dedupe id.
    pub event_id: String,
    /// The configured source (endpoint, command topic or import) that it came from.
    pub source: String,
    /// How the sender was verified: a word of [`scheme`](crate::vocabulary::scheme).
    pub verified_by: String,
    /// The signed time, by the sender's clock; null where the scheme signs no time. Unix milliseconds.
    pub signed_at: Option<i64>,
    /// When the signature was verified, by the gateway's clock. Unix milliseconds.
    pub verified_at: i64,
    /// When the request was received, by the gateway's clock. Unix milliseconds.
    pub received_at: i64,
    /// The event's own bytes: the exact slice of the request body, never re-serialised.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
    /// Whether message content was taken out because the topic could not hold it.
    pub stripped: bool,
    /// SHA-256 of the bytes before stripping; null where nothing was stripped.
    #[serde(with = "serde_bytes")]
    pub original_sha256: Option<Vec<u8>>,
}

impl Record for RawRecord {
    const SCHEMA: &'static str = include_str!("../../avro/raw_record.avsc");
    const VERSIONS: &'static [&'static str] = &[include_str!("../../avro/history/raw_record/1.avsc")];
}

/// A [`RawRecord`] that borrows from the bytes it was read from, so that a reader of many records copies no
/// payload.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the record's")]
pub struct RawView<'a> {
    pub kind: &'a str,
    pub id: &'a [u8],
    pub event_id: &'a str,
    pub source: &'a str,
    pub verified_by: &'a str,
    pub signed_at: Option<i64>,
    pub verified_at: i64,
    pub received_at: i64,
    pub bytes: &'a [u8],
    pub stripped: bool,
    pub original_sha256: Option<&'a [u8]>,
}

impl<'a> View<'a> for RawView<'a> {
    type Of = RawRecord;
}

impl<'a> From<&'a RawRecord> for RawView<'a> {
    fn from(record: &'a RawRecord) -> Self {
        Self {
            kind: &record.kind,
            id: &record.id,
            event_id: &record.event_id,
            source: &record.source,
            verified_by: &record.verified_by,
            signed_at: record.signed_at,
            verified_at: record.verified_at,
            received_at: record.received_at,
            bytes: &record.bytes,
            stripped: record.stripped,
            original_sha256: record.original_sha256.as_deref(),
        }
    }
}

/// Lengths instead of contents: a payload or an address has no place in a log or a panic (E2).
impl fmt::Debug for RawRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        RawView::from(self).fmt(f)
    }
}

impl fmt::Debug for RawView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawRecord")
            .field("kind", &self.kind)
            .field("event_id", &self.event_id)
            .field("source", &self.source)
            .field("received_at", &self.received_at)
            .field("stripped", &self.stripped)
            .field("bytes_length", &self.bytes.len())
            .finish_non_exhaustive()
    }
}
