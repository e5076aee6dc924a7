//! Records and where they stand.

use std::fmt;
use std::sync::Arc;

use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Header, Headers, OwnedHeaders};

/// Largest record that our producers send by default, in bytes. It equals the limit of the topics that carry
/// whole webhooks.
pub const RECORD_BYTES_MAX: u32 = 4 << 20;

/// The offset of a record that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordOffset(pub i64);

/// The offset of the record to read next: what Kafka stores as a committed offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextOffset(pub i64);

impl RecordOffset {
    /// The position after this record. The only place where one is added to an offset: committing a record's
    /// own offset is the commonest mistake with this API.
    #[must_use]
    pub fn next(self) -> NextOffset {
        NextOffset(self.0.saturating_add(1))
    }
}

impl NextOffset {
    /// Whether a record at `offset` lies before this position, so has been dealt with.
    #[must_use]
    pub fn is_past(self, offset: RecordOffset) -> bool {
        offset.0 < self.0
    }
}

impl fmt::Display for RecordOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for NextOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A record to be written.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Partition; `None` lets the client choose: Java's murmur2 of the key, random without one.
    pub partition: Option<i32>,
    /// Key.
    pub key: Option<&'a [u8]>,
    /// Value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Headers, in order.
    pub headers: &'a [(&'a str, &'a [u8])],
}

impl Outgoing<'_> {
    pub(crate) fn owned_headers(&self) -> Option<OwnedHeaders> {
        (!self.headers.is_empty()).then(|| {
            let empty = OwnedHeaders::new_with_capacity(self.headers.len());
            self.headers
                .iter()
                .fold(empty, |all, (key, value)| all.insert(Header { key, value: Some(*value) }))
        })
    }
}

impl fmt::Debug for Outgoing<'_> {
    /// Says where it goes, never what it holds (E2).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("topic", &self.topic)
            .field("partition", &self.partition)
            .field("value_length", &self.value.map(<[u8]>::len))
            .finish_non_exhaustive()
    }
}

/// A record that was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: RecordOffset,
    /// When the broker appended it, Unix milliseconds: every topic of ours is `LogAppendTime`.
    pub timestamp_ms: i64,
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers, in order.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Incoming {
    /// Copies a message out of the client's buffers. `topics` are the names subscribed to, shared by every
    /// record.
    pub(crate) fn copy_of(message: &BorrowedMessage<'_>, topics: &[Arc<str>]) -> Self {
        let name = message.topic();
        let headers = message.headers().map(|headers| {
            headers
                .iter()
                .map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec()))
                .collect()
        });
        Self {
            topic: topics.iter().find(|topic| &***topic == name).cloned().unwrap_or_else(|| Arc::from(name)),
            partition: message.partition(),
            offset: RecordOffset(message.offset()),
            timestamp_ms: message.timestamp().to_millis().unwrap_or_default(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.unwrap_or_default(),
        }
    }

    /// Bytes of key and value, for limits on batches.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.key.as_ref().map_or(0, Vec::len) + self.value.as_ref().map_or(0, Vec::len)
    }
}

impl fmt::Debug for Incoming {
    /// Says where it stands, never what it holds (E2).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{} ({} bytes)", self.topic, self.partition, self.offset, self.bytes())
    }
}
