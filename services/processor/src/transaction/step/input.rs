//! A raw record as it can be worked off, or why it can't. Nothing is copied out of the record.

use kafka::Incoming;
use schemas::codec::{self, DecodeError};
use schemas::id::{DedupeId, EVENT_ID_BYTES_MAX};
use schemas::key::Holder;
use schemas::record::RawView;
use webhook::event::Event;

use super::Rules;
use super::letter::Letter;
use crate::domain::window::{self, Sighting};

/// A raw record that can be worked off.
pub(super) struct Input<'a> {
    pub(super) key: &'a [u8],
    pub(super) customer_id: &'a str,
    pub(super) is_person: bool,
    pub(super) sighting: Sighting,
    pub(super) raw: RawView<'a>,
    pub(super) event: Event<'a>,
}

/// Why a record is not worked off.
pub(super) enum Unfit {
    DeadLetter(Letter),
    Stop(DecodeError),
}

impl<'a> Input<'a> {
    /// Reads `record` on a partition whose clock stands at `clock_ms`.
    pub(super) fn read(
        record: &'a Incoming,
        rules: &Rules,
        partition: i32,
        clock_ms: i64,
    ) -> Result<Self, Unfit> {
        let dead = |reason| Unfit::DeadLetter(Letter::new(reason));
        let value = record.value.as_deref().ok_or_else(|| dead("no_value"))?;
        let raw: RawView<'a> = match codec::view(value) {
            Ok(raw) => raw,
            // A newer version wrote it: dead-lettering would drain good events during a rolling upgrade.
            Err(error @ DecodeError::UnknownFingerprint(_)) => return Err(Unfit::Stop(error)),
            Err(_) => return Err(dead("malformed_record")),
        };
        let dead = |reason| Unfit::DeadLetter(Letter::of(reason, &raw));
        let key = record.key.as_deref().ok_or_else(|| dead("no_key"))?;
        let holder = Holder::parse(key).ok_or_else(|| dead("foreign_key"))?;
        let customer_id = std::str::from_utf8(key).map_err(|_| dead("foreign_key"))?;
        if schemas::partition::of(key, rules.partitions) != partition {
            return Err(dead("wrong_partition"));
        }
        if raw.kind != "webhook" {
            return Err(dead("unsupported_kind"));
        }
        let id = <[u8; 16]>::try_from(raw.id).map_err(|_| dead("no_id"))?;
        if raw.event_id.is_empty() || raw.event_id.len() > EVENT_ID_BYTES_MAX {
            return Err(dead("no_id"));
        }
        let event = Event::parse(raw.bytes).map_err(|unread| dead(unread.code()))?;
        let sighting = Sighting {
            id: DedupeId(id).of_customer(key),
            day: event.time.known_ms().map(window::day),
            now: window::day(clock_ms),
        };
        Ok(Self { key, customer_id, is_person: holder.is_person(), sighting, raw, event })
    }
}
