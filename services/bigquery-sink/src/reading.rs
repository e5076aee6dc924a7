//! What a record is: a row, a dead letter, or something that this version must not decide. Pure.

use delivery::sink::{Reading, Rejection};
use kafka::Incoming;
use schemas::codec::{self, DecodeError};
use schemas::record::MessageOutcome;
use schemas::vocabulary::dead_letter_reason as reason;
use serde::de::IgnoredAny;

use crate::target::Row;

/// Reads a record by its bytes alone.
pub(crate) fn read(record: &Incoming) -> Reading<Row> {
    let Some(value) = &record.value else { return rejected(reason::MISSING_VALUE) };
    match codec::decode::<MessageOutcome<'_>>(value) {
        Ok(outcome) => row(record, outcome),
        Err(DecodeError::UnknownFingerprint(fingerprint)) => Reading::UnknownSchema(fingerprint),
        Err(DecodeError::NotFramed { .. }) => rejected(reason::NOT_FRAMED),
        Err(DecodeError::Malformed(_)) => rejected(reason::MALFORMED),
    }
}

fn row(record: &Incoming, mut outcome: MessageOutcome<'static>) -> Reading<Row> {
    if outcome.event_id.is_empty() {
        return rejected(reason::MISSING_EVENT_ID);
    }
    if outcome.metadata.is_empty() {
        // The schema's default.
        outcome.metadata = "{}".into();
    }
    if !is_object(&outcome.metadata) {
        return rejected(reason::MALFORMED_METADATA);
    }
    let Incoming { topic, partition, offset, .. } = record;
    let outcome = outcome.identified();
    Reading::Deliver(Row { topic: topic.clone(), partition: *partition, offset: *offset, outcome })
}

fn rejected(reason: &'static str) -> Reading<Row> {
    Reading::Rejected(Rejection::plain(reason))
}

/// Whether `text` is a JSON object. The content is skipped over, not built, so that depth costs nothing.
fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use kafka::RecordOffset;
    use schemas::id::DedupeId;

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

    fn row(record: &Incoming) -> Row {
        match read(record) {
            Reading::Deliver(row) => row,
            other => panic!("no row: {other:?}"),
        }
    }

    fn reason(record: &Incoming) -> &'static str {
        match read(record) {
            Reading::Rejected(rejection) => rejection.reason,
            other => panic!("no dead letter: {other:?}"),
        }
    }

    #[test]
    fn an_outcome_becomes_the_row_of_its_position() {
        for metadata in ["", "{}", " {\"a\":[1,{}]}"] {
            let row = row(&outcome("01E", metadata));
            assert_eq!(
                (&*row.topic, row.partition, row.offset),
                ("outcomes.warehouse.v1", 2, RecordOffset(7))
            );
            assert_eq!(row.outcome.event_id, "01E");
            assert_eq!(row.outcome.metadata, if metadata.is_empty() { "{}" } else { metadata });
        }
    }

    /// The processor may be upgraded after this sink, and the topic holds a week of earlier records.
    #[test]
    fn an_outcome_of_the_schemas_first_version_gets_the_id_of_today() {
        let golden = include_str!("../../../schemas/golden/history/message_outcome/1.jsonl");
        let typical: serde_json::Value =
            golden.lines().nth(1).and_then(|line| serde_json::from_str(line).ok()).expect("JSON");
        let bytes = typical["hex"].as_str().expect("a text").as_bytes().chunks(2);
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex");
        let outcome = row(&record(Some(bytes.map(byte).collect()))).outcome;
        let id = DedupeId::of_published("42", "default", "01E4C4CT6YDC7Y5M7FE1GWWPQJ").to_hex();
        assert_eq!((outcome.event_id, outcome.outcome_id), ("01E4C4CT6YDC7Y5M7FE1GWWPQJ".into(), id.into()));
    }

    #[test]
    fn s4_what_can_never_be_stored_is_a_dead_letter() {
        assert_eq!(reason(&record(None)), "missing_value");
        assert_eq!(reason(&record(Some(b"{}".to_vec()))), "not_framed");
        assert_eq!(reason(&record(Some(Vec::new()))), "not_framed");
        assert_eq!(reason(&outcome("", "{}")), "missing_event_id");
        for metadata in ["[]", "1", "{", "{} {}", "\u{0}"] {
            assert_eq!(reason(&outcome("01E", metadata)), "malformed_metadata", "{metadata}");
        }
        let mut cut = outcome("01E", "{}");
        cut.value.as_mut().expect("has a value").pop();
        assert_eq!(reason(&cut), "malformed");
    }

    #[test]
    fn an_unknown_fingerprint_is_never_a_dead_letter() {
        let mut newer = outcome("01E", "{}");
        newer.value.as_mut().expect("has a value")[2] ^= 1;
        assert!(matches!(read(&newer), Reading::UnknownSchema(_)));
    }
}
