//! The changes of a transaction that is being made: seen before the disk, written to it only after the commit.

use hashbrown::{HashMap, HashSet};
use schemas::id::DedupeId;

use super::changelog::{Chunk, Run};
use super::meta::Meta;
use super::store::{PartitionStore, StoreError};
use super::timer::Timer;
use super::value;
use crate::domain::customer::Customer;
use crate::domain::window::{Day, LATE, Window};

/// One partition's share of a transaction.
#[derive(Debug)]
pub struct Overlay {
    meta: Meta,
    previous: Meta,
    days: HashSet<(Day, DedupeId)>,
    late: HashMap<DedupeId, Day>,
    customers: HashMap<Vec<u8>, Vec<u8>>,
    /// Whether each is to be in the index.
    timers: HashMap<Timer, bool>,
}

impl Overlay {
    /// Nothing yet, on top of what `previous` left behind.
    #[must_use]
    pub fn new(previous: Meta) -> Self {
        let (days, late, customers, timers) = Default::default();
        Self { meta: previous, previous, days, late, customers, timers }
    }

    /// Whether an event of day `event` and this id took effect before, within the window.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn knows(
        &self,
        store: &PartitionStore,
        window: Window,
        id: DedupeId,
        event: Option<Day>,
        now: Day,
    ) -> Result<bool, StoreError> {
        let place = window.place(event, now);
        if let Some(day) = place.day.filter(|day| !window.day_expired(*day, now))
            && (self.days.contains(&(day, id)) || store.has(day, id)?)
        {
            return Ok(true);
        }
        if !place.late {
            return Ok(false);
        }
        let appended = match self.late.get(&id) {
            Some(appended) => Some(*appended),
            None => store.late(id)?,
        };
        Ok(appended.is_some_and(|appended| !window.late_expired(appended, now)))
    }

    /// Remembers an event that takes effect. Never one that becomes a dead letter: a redrive of it must count.
    pub fn remember(&mut self, window: Window, id: DedupeId, event: Option<Day>, now: Day) {
        let place = window.place(event, now);
        if place.late {
            self.late.insert(id, now);
        }
        if let Some(day) = place.day.filter(|_| place.remember_day) {
            self.days.insert((day, id));
        }
    }

    /// Sets a customer's value.
    pub fn put_customer(&mut self, key: &[u8], customer: &Customer) {
        self.customers.insert(key.to_vec(), value::encode(customer));
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

    /// Sets where the transaction leaves the partition.
    pub fn finish(&mut self, meta: Meta) {
        self.meta = meta;
    }

    /// Where the transaction leaves the partition.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The customers changed.
    pub fn customers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.customers.iter().map(|(key, value)| (key.as_slice(), value.as_slice()))
    }

    /// The new ids by bucket.
    #[must_use]
    pub fn runs(&self) -> Vec<Run> {
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
        runs
    }

    /// The transaction's dedupe chunk.
    #[must_use]
    pub fn chunk(&self) -> Chunk {
        Chunk { meta: self.meta, previous_clock_ms: self.previous.clock_ms, runs: self.runs() }
    }
}
