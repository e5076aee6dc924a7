//! Records that can't be delivered: kept in `outcomes.dlq.v1` with their reason and their origin (S4).

use std::time::Duration;

use kafka::publisher::Limits;
use kafka::{Connection, Incoming, Outgoing, PublishError, Publisher};
use lifecycle::clock;
use schemas::record::DeadLetter;
use schemas::{codec, header};
use sha2::{Digest, Sha256};

use crate::metric;
use crate::sink::Rejection;

/// Bytes kept of a value. Of a longer one its length and hash say which it was; its origin says where to read
/// it whole.
pub const BYTES_MAX: usize = 64 << 10;

/// A publisher fit for dead letters: few records, each waited for.
///
/// # Errors
/// Where the Kafka client refuses its settings.
pub fn publisher(connection: &Connection) -> Result<Publisher, kafka::Error> {
    let limits = Limits {
        message_timeout: Duration::from_secs(5),
        linger: Duration::from_millis(1),
        queue_bytes: 16 << 20,
        queue_records: 1000,
        ..Limits::default()
    };
    Publisher::new(connection, &limits)
}

/// Writes the dead letters of one stage. Cheap to clone.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    publisher: Publisher,
    topic: String,
    stage: &'static str,
}

impl DeadLetters {
    /// Writes the dead letters of `stage` (such as `bigquery-sink`) to `topic`.
    #[must_use]
    pub fn new(publisher: Publisher, topic: String, stage: &'static str) -> Self {
        Self { publisher, topic, stage }
    }

    /// Writes the dead letter of `record`. Returns when the brokers have acknowledged it: only then may the
    /// record's offset move. Blocks for at most the publisher's message timeout and a second, so not on a
    /// thread of a runtime. A crash after it writes the dead letter twice, with the same origin.
    ///
    /// # Errors
    /// Where it isn't acknowledged. Trying again is right: the caller waits, and stays in its group
    /// meanwhile.
    pub fn write(&self, record: &Incoming, rejection: &Rejection) -> Result<(), PublishError> {
        let dead_letter = dead_letter(self.stage, record, rejection, clock::now_ms());
        let value = codec::encode(&dead_letter).map_err(|_| PublishError::Rejected { code: "Encode" })?;
        let written = self.publish(record, &value);
        match &written {
            Ok(()) => {
                let labels = [("stage", self.stage), ("reason", rejection.reason)];
                metrics::counter!(metric::DEAD_LETTERS, &labels).increment(1);
            }
            Err(err) => {
                let labels = [("stage", self.stage), ("code", err.code())];
                metrics::counter!(metric::DEAD_LETTER_FAILURES, &labels).increment(1);
            }
        }
        written
    }

    /// On the record's own partition number, as all of a customer's records are; a record without key has no
    /// such place.
    fn publish(&self, record: &Incoming, value: &[u8]) -> Result<(), PublishError> {
        let event_id = event_id(record);
        let key = record.key.as_deref().or(event_id);
        let headers = event_id.map(|id| (header::EVENT_ID, id));
        let delivery = self.publisher.publish(&Outgoing {
            topic: &self.topic,
            partition: record.key.as_ref().map(|_| record.partition),
            key,
            value: Some(value),
            headers: headers.as_slice(),
        })?;
        delivery.wait().map(|_| ())
    }
}

/// The dead letter of `record`. Pure.
fn dead_letter(stage: &str, record: &Incoming, rejection: &Rejection, now_ms: i64) -> DeadLetter {
    let value = record.value.as_deref().unwrap_or_default();
    let kept = &value[..value.len().min(BYTES_MAX)];
    DeadLetter {
        stage: stage.to_owned(),
        reason: rejection.reason.to_owned(),
        detail: rejection.detail.clone(),
        event_id: event_id(record).and_then(|id| String::from_utf8(id.to_vec()).ok()),
        origin_topic: Some(record.topic.to_string()),
        origin_partition: Some(i64::from(record.partition)),
        origin_offset: Some(record.offset.0),
        source: None,
        kept_at: now_ms,
        key: record.key.clone(),
        bytes: kept.to_vec(),
        length: i64::try_from(value.len()).unwrap_or(i64::MAX),
        sha256: (kept.len() < value.len()).then(|| Sha256::digest(value).to_vec()),
    }
}

fn event_id(record: &Incoming) -> Option<&[u8]> {
    record.headers.iter().find(|(name, _)| name == header::EVENT_ID).map(|(_, id)| id.as_slice())
}

#[cfg(test)]
mod tests {
    use kafka::RecordOffset;

    use super::*;

    fn record(value: Option<Vec<u8>>) -> Incoming {
        Incoming {
            topic: "outcomes.trait.v1".into(),
            partition: 3,
            offset: RecordOffset(41),
            timestamp_ms: 0,
            key: Some(b"u-1".to_vec()),
            value,
            headers: vec![(header::EVENT_ID.to_owned(), b"01J".to_vec())],
        }
    }

    /// A dead letter without its origin can't be traced or redriven.
    #[test]
    fn s4_a_dead_letter_says_where_it_comes_from_and_why() {
        let rejection = Rejection::explained("malformed", "body");
        let letter = dead_letter("customerio-sink", &record(Some(b"{}".to_vec())), &rejection, 9);
        assert_eq!((letter.stage.as_str(), letter.reason.as_str()), ("customerio-sink", "malformed"));
        assert_eq!(letter.origin_topic.as_deref(), Some("outcomes.trait.v1"));
        assert_eq!((letter.origin_partition, letter.origin_offset), (Some(3), Some(41)));
        assert_eq!((letter.event_id.as_deref(), letter.kept_at), (Some("01J"), 9));
        assert_eq!((letter.bytes.as_slice(), letter.length, letter.sha256), (b"{}".as_slice(), 2, None));
    }

    #[test]
    fn a_long_value_is_cut_and_named_by_its_hash() {
        let whole = vec![7; BYTES_MAX + 1];
        let rejection = Rejection::plain("too_large");
        let letter = dead_letter("bigquery-sink", &record(Some(whole.clone())), &rejection, 9);
        assert_eq!((letter.bytes.len(), letter.length), (BYTES_MAX, 65_537));
        assert_eq!(letter.sha256, Some(Sha256::digest(&whole).to_vec()));
    }

    #[test]
    fn a_tombstone_is_kept_without_bytes() {
        let letter = dead_letter("bigquery-sink", &record(None), &Rejection::plain("unexpected"), 9);
        assert!(letter.bytes.is_empty() && letter.length == 0);
    }
}
