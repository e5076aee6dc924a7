//! Reads a raw record: the event that it holds, or why the event can't be applied. Nothing is copied out of
//! the record.

use kafka::Incoming;
use schemas::codec::{self, DecodeError};
use schemas::id::{DedupeId, EVENT_ID_BYTES_MAX};
use schemas::key::Holder;
use schemas::record::RawView;
use schemas::vocabulary::{dead_letter_reason as reason, kind};
use webhook::event::Event;

use super::Rules;
use super::dead_letter::DeadLetterDraft;
use crate::domain::event::content::ContentHash;
use crate::domain::time::window::{self, Sighting};

/// A raw record that can be applied.
pub(super) struct Input<'a> {
    pub(super) key: &'a [u8],
    pub(super) customer_id: &'a str,
    pub(super) is_person: bool,
    pub(super) sighting: Sighting,
    pub(super) raw: RawView<'a>,
    pub(super) event: Event<'a>,
}

/// Why a record is not applied.
pub(super) enum Rejection {
    /// The record becomes a dead letter.
    DeadLetter(DeadLetterDraft),
    /// A newer version wrote the record. The partition stops before it.
    UnknownSchema(DecodeError),
}

impl<'a> Input<'a> {
    /// Reads `record` from `partition`, whose clock stands at `clock_ms`.
    pub(super) fn read(
        record: &'a Incoming,
        rules: &Rules,
        partition: i32,
        clock_ms: i64,
    ) -> Result<Self, Rejection> {
        let dead = |reason| Rejection::DeadLetter(DeadLetterDraft::new(reason));
        let value = record.value.as_deref().ok_or_else(|| dead(reason::NO_VALUE))?;
        let raw: RawView<'a> = match codec::view(value) {
            Ok(raw) => raw,
            // During a rolling upgrade an older processor must not turn the newer gateway's good events into
            // dead letters.
            Err(error @ DecodeError::UnknownFingerprint(_)) => return Err(Rejection::UnknownSchema(error)),
            Err(_) => return Err(dead(reason::MALFORMED_RECORD)),
        };
        let dead = |reason| Rejection::DeadLetter(DeadLetterDraft::of_raw(reason, &raw));
        let key = record.key.as_deref().ok_or_else(|| dead(reason::NO_KEY))?;
        let holder = Holder::parse(key).ok_or_else(|| dead(reason::FOREIGN_KEY))?;
        let customer_id = std::str::from_utf8(key).map_err(|_| dead(reason::FOREIGN_KEY))?;
        if schemas::partition::of(key, rules.partitions) != partition {
            return Err(dead(reason::WRONG_PARTITION));
        }
        if raw.kind != kind::WEBHOOK {
            return Err(dead(reason::UNSUPPORTED_KIND));
        }
        let id = <[u8; 16]>::try_from(raw.id).map_err(|_| dead(reason::NO_ID))?;
        if raw.event_id.is_empty() || raw.event_id.len() > EVENT_ID_BYTES_MAX {
            return Err(dead(reason::NO_ID));
        }
        let event = Event::parse(raw.bytes).map_err(|unread| dead(unread.code()))?;
        let sighting = Sighting {
            id: DedupeId(id).of_customer(key),
            content: ContentHash::of(&event),
            day: event.time.known_ms().map(window::day),
            now: window::day(clock_ms),
        };
        Ok(Self { key, customer_id, is_person: holder.is_person(), sighting, raw, event })
    }
}
