//! Raw records as the gateway would write them, in an endless stream that is the same for the same seed.

use std::time::{SystemTime, UNIX_EPOCH};

use devkit::customerio::population::{Outcomes, Population};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemas::codec;
use schemas::id::EventId;
use schemas::key::{CustomerKey, KeyRules};
use schemas::record::RawRecord;
use schemas::token::TokenKey;

/// One copy follows so many originals: 20 % as many again, as in the demo.
const ORIGINALS_PER_COPY: u64 = 5;
/// Among how many of the last originals a copy is chosen.
const RECENT: usize = 4_096;
/// Metrics that a suppression entry is the consequence of.
const CAUSES: [&str; 3] = ["bounced", "spammed", "unsubscribed"];

/// A raw record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// The event's id where a suppression may follow from it; empty where none can.
    pub(crate) cause: String,
    /// The customer key.
    pub(crate) key: Vec<u8>,
    /// The record's value.
    pub(crate) value: Vec<u8>,
}

/// Raw records without end: each outcome of the devkit's population, and copies of recent ones.
pub(crate) struct Events<'a> {
    outcomes: Outcomes<'a>,
    keys: KeyRules,
    now_ms: i64,
    originals: u64,
    recent: Vec<Event>,
    copy_due: bool,
    chance: ChaCha8Rng,
}

impl<'a> Events<'a> {
    /// Of `population`, as of now. Another seed makes other ids.
    pub(crate) fn new(population: &'a Population, seed: u64) -> Self {
        let now_ms = now_ms();
        Self {
            outcomes: Outcomes::new(population, seed, now_ms / 1_000),
            keys: TokenKey::development().into(),
            now_ms,
            originals: 0,
            recent: Vec::with_capacity(RECENT),
            copy_due: false,
            chance: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    fn original(&mut self) -> Option<Event> {
        let outcome = self.outcomes.next()?;
        let event = webhook::event::Event::parse(&outcome.body).ok()?;
        let id = EventId::of("default", event.event_id.as_deref(), &outcome.body);
        let key = CustomerKey::of(&event.person(), event.delivery_id.as_deref(), &id.text, &self.keys);
        let cause = if CAUSES.contains(&&*event.metric) { id.text.clone() } else { String::new() };
        let raw = RawRecord {
            kind: "webhook".to_owned(),
            id: id.dedupe.0.to_vec(),
            event_id: id.text,
            source: "default".to_owned(),
            verified_by: "v0".to_owned(),
            signed_at: Some(self.now_ms),
            verified_at: self.now_ms,
            received_at: self.now_ms,
            bytes: outcome.body.to_vec(),
            ..RawRecord::default()
        };
        let value = codec::encode(&raw).expect("a raw record fits its own schema");
        Some(Event { cause, key: key.as_bytes().to_vec(), value })
    }

    fn remember(&mut self, event: &Event) {
        if self.recent.len() < RECENT {
            self.recent.push(event.clone());
        } else {
            let place = self.chance.random_range(0..RECENT);
            self.recent[place] = event.clone();
        }
    }
}

impl Iterator for Events<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if std::mem::take(&mut self.copy_due) {
            let place = self.chance.random_range(0..self.recent.len());
            return self.recent.get(place).cloned();
        }
        let event = self.original()?;
        self.remember(&event);
        self.originals += 1;
        self.copy_due = self.originals.is_multiple_of(ORIGINALS_PER_COPY);
        Some(event)
    }
}

/// Now, Unix milliseconds.
pub(crate) fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn one_of_six_is_a_copy_and_another_seed_shares_nothing() {
        let population = Population::new(1, 50);
        let ids = |seed| {
            let values = Events::new(&population, seed).take(1_200);
            values.map(|event| codec::decode::<RawRecord>(&event.value).expect("a raw record").id)
        };
        let first: HashSet<Vec<u8>> = ids(1).collect();
        let second: HashSet<Vec<u8>> = ids(2).collect();
        assert_eq!((first.len(), second.len()), (1_000, 1_000));
        assert!(first.is_disjoint(&second));
    }
}
