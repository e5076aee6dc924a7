//! The changes of a transaction that is being made: seen before the disk, written to it only after the commit.

use hashbrown::{HashMap, HashSet};
use schemas::id::DedupeId;

use super::changelog::{Chunk, Run};
use super::meta::Meta;
use super::timer::Timer;
use super::value;
use crate::domain::customer::Customer;
use crate::domain::window::{Day, LATE, Sighting, Window};

/// One partition's share of a transaction.
#[derive(Debug)]
pub struct Overlay {
    meta: Meta,
    previous: Meta,
    days: HashSet<(Day, DedupeId)>,
    late: HashMap<DedupeId, Day>,
    customers: Vec<(Box<[u8]>, Vec<u8>)>,
    runs: Vec<Run>,
    /// Whether each is to be in the index.
    timers: HashMap<Timer, bool>,
}

impl Overlay {
    /// Nothing yet, on top of what `previous` left behind.
    #[must_use]
    pub fn new(previous: Meta) -> Self {
        let (days, late, customers, runs, timers) = Default::default();
        Self { meta: previous, previous, days, late, customers, runs, timers }
    }

    /// Whether an event took effect in this transaction, within the window. What lies on disk is asked of
    /// [`PartitionStore::remembers`](super::store::PartitionStore::remembers).
    #[must_use]
    pub fn knows(&self, window: Window, sighting: &Sighting) -> bool {
        let Sighting { id, now, .. } = *sighting;
        let place = window.place(sighting.day, now);
        let in_day =
            place.day.is_some_and(|day| !window.day_expired(day, now) && self.days.contains(&(day, id)));
        let in_late = || self.late.get(&id).is_some_and(|appended| !window.late_expired(*appended, now));
        in_day || (place.late && in_late())
    }

    /// Remembers an event that takes effect. Never one that becomes a dead letter: a redrive of it must count.
    pub fn remember(&mut self, window: Window, sighting: &Sighting) {
        let Sighting { id, now, .. } = *sighting;
        let place = window.place(sighting.day, now);
        if place.late {
            self.late.insert(id, now);
        }
        if let Some(day) = place.day.filter(|_| place.remember_day) {
            self.days.insert((day, id));
        }
    }

    /// Sets a customer's value. Each customer once: the order is kept, and the last one counts.
    pub fn put_customer(&mut self, key: &[u8], customer: &Customer<'_>) {
        self.customers.push((key.into(), value::encode(customer)));
    }

    /// Puts a timer into the index.
    pub fn put_timer(&mut self, timer: Timer) {
        self.timers.insert(timer, true);
    }

    /// Takes a timer out of the index.
    pub fn take_timer(&mut self, timer: Timer) {
        self.timers.insert(timer, false);
    }

    /// The timers changed, and whether each is to be in the index.
    pub fn timers(&self) -> impl Iterator<Item = (&Timer, bool)> {
        self.timers.iter().map(|(timer, is_set)| (timer, *is_set))
    }

    /// Sets where the transaction leaves the partition. Nothing is added afterwards.
    pub fn finish(&mut self, meta: Meta) {
        self.meta = meta;
        self.runs = self.gathered();
    }

    /// Where the transaction leaves the partition.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The customers changed.
    pub fn customers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.customers.iter().map(|(key, value)| (&**key, value.as_slice()))
    }

    /// The new ids by bucket, in the order in which they lie on disk: RocksDB takes neighbours more cheaply.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The transaction's dedupe chunk.
    #[must_use]
    pub fn chunk(&self) -> Chunk {
        Chunk { meta: self.meta, previous_clock_ms: self.previous.clock_ms, runs: self.runs.clone() }
    }

    fn gathered(&self) -> Vec<Run> {
        let mut runs: HashMap<(Day, Day), Vec<[u8; 16]>> = HashMap::new();
        for (day, id) in &self.days {
            runs.entry((*day, 0)).or_default().push(id.0);
        }
        for (id, appended) in &self.late {
            runs.entry((LATE, *appended)).or_default().push(id.0);
        }
        let mut runs: Vec<Run> =
            runs.into_iter().map(|((bucket, appended), ids)| Run { bucket, appended, ids }).collect();
        runs.sort_by_key(|run| (run.bucket, run.appended));
        runs.iter_mut().for_each(|run| run.ids.sort_unstable());
        runs
    }
}
