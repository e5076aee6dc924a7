//! Records that can't be delivered: kept in `outcomes.dlq.v1` with their reason and their origin (S4).

use std::time::Duration;

use kafka::publisher::Limits;
use kafka::{Connection, Incoming, Outgoing, PublishError, Publisher};
use lifecycle::clock;
use schemas::dead_letter::{Draft, Extent, Origin};
use schemas::header;

use crate::metric;
use crate::sink::Rejection;

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
        let written = self.publish(record, &draft(self.stage, record, rejection, clock::now_ms()));
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
    fn publish(&self, record: &Incoming, draft: &Draft<'_>) -> Result<(), PublishError> {
        let value = draft.value().map_err(|_| PublishError::Rejected { code: "Encode" })?;
        let headers: Vec<_> = draft.headers().collect();
        let delivery = self.publisher.publish(&Outgoing {
            topic: &self.topic,
            partition: record.key.as_ref().map(|_| record.partition),
            key: draft.key(),
            value: Some(&value),
            headers: &headers,
        })?;
        delivery.wait().map(|_| ())
    }
}

/// The dead letter of `record`. Pure.
fn draft<'a>(stage: &'a str, record: &'a Incoming, rejection: &'a Rejection, now_ms: i64) -> Draft<'a> {
    Draft {
        stage,
        reason: rejection.reason,
        detail: rejection.detail.as_deref(),
        event_id: event_id(record),
        origin: Some(Origin { topic: &record.topic, partition: record.partition, offset: record.offset.0 }),
        source: None,
        kept_at_ms: now_ms,
        customer_key: record.key.as_deref(),
        bytes: record.value.as_deref().unwrap_or_default(),
        extent: Extent::Head,
    }
}

fn event_id(record: &Incoming) -> Option<&str> {
    let header = record.headers.iter().find(|(name, _)| name == header::EVENT_ID)?;
    std::str::from_utf8(&header.1).ok()
}

#[cfg(test)]
mod tests {
    use kafka::RecordOffset;
    use schemas::vocabulary::stage;

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
        let record = record(Some(b"{}".to_vec()));
        let letter = draft(stage::CUSTOMERIO_SINK, &record, &rejection, 9).letter();
        assert_eq!((letter.stage.as_str(), letter.reason.as_str()), ("customerio-sink", "malformed"));
        assert_eq!(letter.origin_topic.as_deref(), Some("outcomes.trait.v1"));
        assert_eq!((letter.origin_partition, letter.origin_offset), (Some(3), Some(41)));
        assert_eq!((letter.event_id.as_deref(), letter.kept_at), (Some("01J"), 9));
        assert_eq!((letter.bytes.as_slice(), letter.length, letter.sha256), (b"{}".as_slice(), 2, None));
    }

    /// The key is the customer's, and the partition is the record's. A record without a key lies where its
    /// event id says, or anywhere.
    #[test]
    fn the_key_is_the_records_else_its_events() {
        let rejection = Rejection::plain("malformed");
        let key =
            |record: &Incoming| draft(stage::BIGQUERY_SINK, record, &rejection, 9).key().map(<[u8]>::to_vec);
        let mut record = record(None);
        assert_eq!(key(&record), Some(b"u-1".to_vec()));
        record.key = None;
        assert_eq!(key(&record), Some(b"01J".to_vec()));
        record.headers.clear();
        assert_eq!(key(&record), None);
    }

    #[test]
    fn a_tombstone_is_kept_without_bytes() {
        let (record, rejection) = (record(None), Rejection::plain("unexpected"));
        let letter = draft(stage::BIGQUERY_SINK, &record, &rejection, 9).letter();
        assert!(letter.bytes.is_empty() && letter.length == 0);
    }
}
