//! The one way to build a dead letter: what is kept of a record that is set aside, under which key, with
//! which headers.
//!
//! A dead letter must always fit its topic, or it would stall the stream that it was taken out of (G7). So
//! long bytes are cut, and the letter names the whole by its length and SHA-256. A long key, event id or
//! source is left out.

use std::fmt;

use crate::codec::{self, EncodeError};
use crate::header;
use crate::id::sha256;
use crate::record::DeadLetter;

/// How much of a record a dead letter keeps, in bytes, unless it keeps the whole.
pub const HEAD_BYTES: usize = 64 << 10;

/// The longest customer key that a dead letter has, in bytes.
pub const KEY_BYTES_MAX: usize = 1 << 10;

/// The longest event id and the longest source that a dead letter names, in bytes.
pub const TEXT_BYTES_MAX: usize = 256;

/// A record that is set aside, and what is known of it.
#[derive(Clone, Copy)]
pub struct Draft<'a> {
    /// The role that sets it aside: a word of [`vocabulary::stage`](crate::vocabulary::stage).
    pub stage: &'a str,
    /// Why: a word of [`vocabulary::dead_letter_reason`](crate::vocabulary::dead_letter_reason).
    pub reason: &'a str,
    /// What to look at. It quotes no payload (E2).
    pub detail: Option<&'a str>,
    /// The event's id, where it is known.
    pub event_id: Option<&'a str>,
    /// Where the record was read; `None` at the gateway, which reads no topic.
    pub origin: Option<Origin<'a>>,
    /// The configured source that the event came from, where it is known.
    pub source: Option<&'a str>,
    /// When the record is set aside. Unix milliseconds.
    pub kept_at_ms: i64,
    /// The customer key, where the event or the record has one.
    pub customer_key: Option<&'a [u8]>,
    /// The record's value, or the event's bytes: all of them.
    pub bytes: &'a [u8],
    /// How much of `bytes` the letter keeps.
    pub extent: Extent,
}

/// Where a record was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The topic's name.
    pub topic: &'a str,
    /// The partition's number.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
}

/// How much of a record a dead letter keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All bytes. The caller knows that they fit.
    Whole,
    /// The first [`HEAD_BYTES`].
    Head,
}

/// The key of a dead letter on its topic: the customer key, else the event id, else none, and then the client
/// chooses a partition at random. A customer key of more than [`KEY_BYTES_MAX`] is left out.
#[must_use]
pub fn key<'a>(customer_key: Option<&'a [u8]>, event_id: Option<&'a str>) -> Option<&'a [u8]> {
    match customer_key {
        Some(key) => Some(key).filter(|key| key.len() <= KEY_BYTES_MAX),
        None => event_id.filter(|id| is_short(id)).map(str::as_bytes),
    }
}

impl<'a> Draft<'a> {
    /// The Kafka record's key: see [`key`].
    #[must_use]
    pub fn key(&self) -> Option<&'a [u8]> {
        key(self.customer_key, self.event_id)
    }

    /// The Kafka record's headers.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &'a [u8])> + use<'a> {
        self.short_event_id().map(|id| (header::EVENT_ID, id.as_bytes())).into_iter()
    }

    /// The dead letter.
    #[must_use]
    pub fn letter(&self) -> DeadLetter {
        let kept = match self.extent {
            Extent::Whole => self.bytes,
            Extent::Head => &self.bytes[..self.bytes.len().min(HEAD_BYTES)],
        };
        DeadLetter {
            stage: self.stage.to_owned(),
            reason: self.reason.to_owned(),
            detail: self.detail.map(ToOwned::to_owned),
            event_id: self.short_event_id().map(ToOwned::to_owned),
            origin_topic: self.origin.map(|origin| origin.topic.to_owned()),
            origin_partition: self.origin.map(|origin| i64::from(origin.partition)),
            origin_offset: self.origin.map(|origin| origin.offset),
            source: self.source.filter(|text| is_short(text)).map(ToOwned::to_owned),
            kept_at: self.kept_at_ms,
            key: self.short_customer_key().map(<[u8]>::to_vec),
            bytes: kept.to_vec(),
            length: i64::try_from(self.bytes.len()).unwrap_or(i64::MAX),
            sha256: (kept.len() < self.bytes.len()).then(|| sha256(self.bytes)),
        }
    }

    /// The Kafka record's value: the encoded dead letter.
    ///
    /// # Errors
    /// As [`codec::encode`].
    pub fn value(&self) -> Result<Vec<u8>, EncodeError> {
        codec::encode(&self.letter())
    }

    fn short_customer_key(&self) -> Option<&'a [u8]> {
        self.customer_key.filter(|key| key.len() <= KEY_BYTES_MAX)
    }

    fn short_event_id(&self) -> Option<&'a str> {
        self.event_id.filter(|id| is_short(id))
    }
}

/// Lengths instead of contents: a payload or an address has no place in a log or a panic (E2).
impl fmt::Debug for Draft<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("stage", &self.stage)
            .field("reason", &self.reason)
            .field("origin", &self.origin)
            .field("length", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

fn is_short(text: &str) -> bool {
    text.len() <= TEXT_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::{dead_letter_reason, stage};

    fn draft(bytes: &[u8]) -> Draft<'_> {
        Draft {
            stage: stage::PROCESSOR,
            reason: dead_letter_reason::POISON,
            detail: None,
            event_id: Some("01J"),
            origin: Some(Origin { topic: "outcomes.raw.v1", partition: 3, offset: 41 }),
            source: Some("reporting"),
            kept_at_ms: 9,
            customer_key: Some(b"u-1"),
            bytes,
            extent: Extent::Head,
        }
    }

    #[test]
    fn a_dead_letter_says_what_it_is_and_where_it_comes_from() {
        let letter = draft(b"{}").letter();
        let expected = DeadLetter {
            stage: "processor".to_owned(),
            reason: "poison".to_owned(),
            detail: None,
            event_id: Some("01J".to_owned()),
            origin_topic: Some("outcomes.raw.v1".to_owned()),
            origin_partition: Some(3),
            origin_offset: Some(41),
            source: Some("reporting".to_owned()),
            kept_at: 9,
            key: Some(b"u-1".to_vec()),
            bytes: b"{}".to_vec(),
            length: 2,
            sha256: None,
        };
        assert_eq!(letter, expected);
        let value = draft(b"{}").value().expect("encodes");
        assert_eq!(codec::decode::<DeadLetter>(&value).expect("decodes"), expected);
    }

    #[test]
    fn long_bytes_are_cut_and_named_by_their_length_and_hash() {
        let (exact, long) = (vec![7; HEAD_BYTES], vec![7; HEAD_BYTES + 1]);
        let letter = draft(&exact).letter();
        assert_eq!((letter.bytes.len(), letter.length, letter.sha256), (HEAD_BYTES, 65_536, None));
        let letter = draft(&long).letter();
        assert_eq!((letter.bytes.len(), letter.length), (HEAD_BYTES, 65_537));
        assert_eq!(letter.sha256, Some(sha256(&long)));
        let whole = Draft { extent: Extent::Whole, ..draft(&long) }.letter();
        assert_eq!((whole.bytes, whole.length, whole.sha256), (long, 65_537, None));
    }

    #[test]
    fn the_key_is_the_customers_else_the_events_else_none() {
        let letter = draft(b"");
        assert_eq!(letter.key(), Some(&b"u-1"[..]));
        let nobodys = Draft { customer_key: None, ..letter };
        assert_eq!((nobodys.key(), nobodys.letter().key), (Some(&b"01J"[..]), None));
        let unknown = Draft { event_id: None, ..nobodys };
        assert_eq!((unknown.key(), unknown.headers().count()), (None, 0));
    }

    /// G7: nothing that a sender chooses can make a dead letter too large for its topic.
    #[test]
    fn what_is_too_long_is_left_out() {
        let (key, text, bytes) =
            (vec![b'k'; KEY_BYTES_MAX + 1], "x".repeat(TEXT_BYTES_MAX + 1), vec![0; 8 << 20]);
        let long =
            Draft { customer_key: Some(&key), event_id: Some(&text), source: Some(&text), ..draft(&bytes) };
        assert_eq!((long.key(), long.headers().count()), (None, 0));
        let letter = long.letter();
        assert_eq!((letter.key, letter.event_id, letter.source), (None, None, None));
        assert!(long.value().expect("encodes").len() < HEAD_BYTES + 1024);
        let short = Draft { customer_key: Some(&key[1..]), event_id: Some(&text[1..]), ..draft(b"") };
        assert_eq!(short.key(), Some(&key[1..]));
        assert_eq!(short.headers().collect::<Vec<_>>(), [(header::EVENT_ID, &text.as_bytes()[1..])]);
    }
}
