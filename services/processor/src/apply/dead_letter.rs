//! Dead letters: records that the processor can't apply.

use kafka::Incoming;
use schemas::codec::EncodeError;
use schemas::dead_letter::{Draft, Extent, Origin};
use schemas::record::RawView;
use schemas::topic::Topic;
use schemas::vocabulary::{dead_letter_reason, stage};

use super::Output;

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
        // An empty id is none.
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self { reason, event_id: given(raw.event_id), source: given(raw.source) }
    }

    /// For a record on which our own code panics.
    pub(super) fn poison(raw: Option<&RawView<'_>>) -> Self {
        let reason = dead_letter_reason::POISON;
        raw.map_or_else(|| Self::new(reason), |raw| Self::of_raw(reason, raw))
    }

    /// The dead letter of `record`; `clock_ms` is the partition's clock, Unix milliseconds.
    ///
    /// Its key is the record's, else the event id. It goes to its input's partition number, as every output
    /// does.
    pub(super) fn output(&self, record: &Incoming, clock_ms: i64) -> Result<Output, EncodeError> {
        let draft = Draft {
            stage: stage::PROCESSOR,
            reason: self.reason,
            detail: None,
            event_id: self.event_id.as_deref(),
            origin: Some(Origin {
                topic: &record.topic,
                partition: record.partition,
                offset: record.offset.0,
            }),
            source: self.source.as_deref(),
            kept_at_ms: clock_ms,
            customer_key: record.key.as_deref(),
            bytes: record.value.as_deref().unwrap_or_default(),
            extent: Extent::Head,
        };
        Ok(Output {
            topic: Topic::DeadLetter,
            key: draft.key().map(<[u8]>::to_vec),
            value: Some(draft.value()?),
            headers: draft.headers().map(|(name, value)| (name, value.to_vec())).collect(),
        })
    }
}
