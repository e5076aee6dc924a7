//! Dead letters: records that the processor can't apply.

use kafka::Incoming;
use schemas::codec::{self, EncodeError};
use schemas::record::{DeadLetter, RawView};
use schemas::topic::Topic;

use super::{Output, TEXT_BYTES_MAX};

/// How much of a record a dead letter keeps, and the longest key that it has, in bytes. So a dead letter
/// always fits its topic.
const DEAD_LETTER_BYTES_MAX: usize = 64 << 10;

/// Why a record becomes a dead letter, and what is known about the record.
pub(super) struct DeadLetterDraft {
    pub(super) reason: &'static str,
    event_id: Option<String>,
    source: Option<String>,
}

impl DeadLetterDraft {
    /// For a record of which nothing is known.
    pub(super) fn new(reason: &'static str) -> Self {
        Self { reason, event_id: None, source: None }
    }

    /// For a record that is a readable raw record.
    pub(super) fn of_raw(reason: &'static str, raw: &RawView<'_>) -> Self {
        let short = |text: &str| (text.len() <= TEXT_BYTES_MAX).then(|| text.to_owned());
        Self { reason, event_id: short(raw.event_id), source: short(raw.source) }
    }

    /// For a record on which our own code panics.
    pub(super) fn poison(raw: Option<&RawView<'_>>) -> Self {
        raw.map_or_else(|| Self::new("poison"), |raw| Self::of_raw("poison", raw))
    }

    /// The dead letter of `record`; `clock_ms` is the partition's clock, Unix milliseconds.
    pub(super) fn output(&self, record: &Incoming, clock_ms: i64) -> Result<Output, EncodeError> {
        let bytes = record.value.as_deref().unwrap_or_default();
        let kept = &bytes[..bytes.len().min(DEAD_LETTER_BYTES_MAX)];
        let key = record.key.clone().filter(|key| key.len() <= DEAD_LETTER_BYTES_MAX);
        let letter = DeadLetter {
            stage: "processor".to_owned(),
            reason: self.reason.to_owned(),
            event_id: self.event_id.clone(),
            origin_topic: Some(record.topic.to_string()),
            origin_partition: Some(i64::from(record.partition)),
            origin_offset: Some(record.offset.0),
            source: self.source.clone(),
            kept_at: clock_ms,
            key: key.clone(),
            bytes: kept.to_vec(),
            length: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
            sha256: (kept.len() < bytes.len()).then(|| schemas::id::sha256(bytes)),
            ..DeadLetter::default()
        };
        Ok(Output {
            topic: Topic::DeadLetter,
            key,
            value: Some(codec::encode(&letter)?),
            headers: Vec::new(),
        })
    }
}
