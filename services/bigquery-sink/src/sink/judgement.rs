//! What a record is: a row, a dead letter, or something this version must not judge.

use kafka::Incoming;
use schemas::codec::{self, DecodeError};
use schemas::record::MessageOutcome;
use serde::de::IgnoredAny;

use crate::target::Row;

/// Why a record makes no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It can never be stored; kept as a dead letter for this reason (S4).
    DeadLetter(&'static str),
    /// A newer version wrote it, with a schema of this fingerprint. Its partition waits for the upgrade: as a dead letter it
    /// would be a good event drained.
    Newer(u64),
}

/// Judges a record by its bytes alone: the row that it makes, or why it makes none.
pub(crate) fn judge(record: &Incoming) -> Result<Row, Unfit> {
    let value = record.value.as_ref().ok_or(Unfit::DeadLetter("missing_value"))?;
    let outcome = codec::decode::<MessageOutcome<'_>>(value).map_err(|err| match err {
        DecodeError::UnknownFingerprint(fingerprint) => Unfit::Newer(fingerprint),
        DecodeError::NotFramed { .. } => Unfit::DeadLetter("not_framed"),
        DecodeError::Malformed(_) => Unfit::DeadLetter("malformed"),
    })?;
    let Incoming { topic, partition, offset, .. } = record;
    Ok(Row { topic: topic.clone(), partition: *partition, offset: *offset, outcome: complete(outcome)? })
}

fn complete(mut outcome: MessageOutcome<'_>) -> Result<MessageOutcome<'_>, Unfit> {
    if outcome.event_id.is_empty() {
        return Err(Unfit::DeadLetter("missing_event_id"));
    }
    if outcome.metadata.is_empty() {
        // The schema's default.
        outcome.metadata = "{}".into();
    }
    if is_object(&outcome.metadata) { Ok(outcome) } else { Err(Unfit::DeadLetter("malformed_metadata")) }
}

/// Whether `text` is a JSON object. Its inside is skipped over, not built, so depth costs nothing.
fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use kafka::RecordOffset;

    use super::*;

    fn record(value: Option<Vec<u8>>) -> Incoming {
        Incoming {
            topic: "outcomes.warehouse.v1".into(),
            partition: 2,
            offset: RecordOffset(7),
            timestamp_ms: 0,
            key: None,
            value,
            headers: Vec::new(),
        }
    }

    fn outcome(event_id: &str, metadata: &str) -> Incoming {
        let outcome = MessageOutcome {
            event_id: event_id.into(),
            metadata: metadata.into(),
            ..MessageOutcome::default()
        };
        record(Some(codec::encode(&outcome).expect("encodes")))
    }

    fn refusal(record: &Incoming) -> Unfit {
        judge(record).expect_err("makes no row")
    }

    #[test]
    fn an_outcome_becomes_the_row_of_its_position() {
        for metadata in ["", "{}", " {\"a\":[1,{}]}"] {
            let row = judge(&outcome("01E", metadata)).expect(metadata);
            assert_eq!(
                (&*row.topic, row.partition, row.offset),
                ("outcomes.warehouse.v1", 2, RecordOffset(7))
            );
            assert_eq!(row.outcome.event_id, "01E");
            assert_eq!(row.outcome.metadata, if metadata.is_empty() { "{}" } else { metadata });
        }
    }

    #[test]
    fn s4_what_can_never_be_stored_is_a_dead_letter() {
        assert_eq!(refusal(&record(None)), Unfit::DeadLetter("missing_value"));
        assert_eq!(refusal(&record(Some(b"{}".to_vec()))), Unfit::DeadLetter("not_framed"));
        assert_eq!(refusal(&record(Some(Vec::new()))), Unfit::DeadLetter("not_framed"));
        assert_eq!(refusal(&outcome("", "{}")), Unfit::DeadLetter("missing_event_id"));
        for metadata in ["[]", "1", "{", "{} {}", "\u{0}"] {
            assert_eq!(
                refusal(&outcome("01E", metadata)),
                Unfit::DeadLetter("malformed_metadata"),
                "{metadata}"
            );
        }
        let mut cut = outcome("01E", "{}");
        cut.value.as_mut().expect("has a value").pop();
        assert_eq!(refusal(&cut), Unfit::DeadLetter("malformed"));
    }

    #[test]
    fn an_unknown_fingerprint_is_never_a_dead_letter() {
        let mut newer = outcome("01E", "{}");
        newer.value.as_mut().expect("has a value")[2] ^= 1;
        assert!(matches!(refusal(&newer), Unfit::Newer(_)));
    }
}
