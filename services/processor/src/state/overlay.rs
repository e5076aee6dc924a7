//! The changes of the transaction that is being made. They are looked up before the disk, and written to it
//! only after the commit.

use hashbrown::HashMap;
use schemas::id::DedupeId;

use super::changelog::{Chunk, Run, SeenId};
use super::format;
use super::meta::Meta;
use super::timer::Timer;
use crate::domain::customer::Customer;
use crate::domain::event::content::ContentHash;
use crate::domain::time::window::{Day, LATE, Seen, Sighting, Window};

/// What a transaction changes in one partition.
#[derive(Debug)]
pub struct Overlay {
    meta: Meta,
    previous: Meta,
    days: HashMap<(Day, DedupeId), ContentHash>,
    late: HashMap<DedupeId, (Day, ContentHash)>,
    customers: Vec<(Box<[u8]>, Vec<u8>)>,
    runs: Vec<Run>,
    /// Whether each timer is to be in the index.
    timers: HashMap<Timer, bool>,
}

impl Overlay {
    /// No changes yet, on top of the transaction `previous`.
    #[must_use]
    pub fn new(previous: Meta) -> Self {
        Self {
            meta: previous,
            previous,
            days: HashMap::new(),
            late: HashMap::new(),
            customers: Vec::new(),
            runs: Vec::new(),
            timers: HashMap::new(),
        }
    }

    /// Whether an event took effect in this transaction, within the window.
    /// [`PartitionStore::seen`](super::store::PartitionStore::seen) answers the same for the disk.
    #[must_use]
    pub fn seen(&self, window: Window, sighting: &Sighting) -> Seen {
        let Sighting { id, now, .. } = *sighting;
        let place = window.place(sighting.day, now);
        let day = place.day.filter(|day| !window.day_expired(*day, now));
        let in_day = day.and_then(|day| self.days.get(&(day, id)).copied());
        let in_late = || {
            let (appended, content) = self.late.get(&id).filter(|_| place.late)?;
            (!window.late_expired(*appended, now)).then_some(*content)
        };
        in_day.or_else(in_late).map_or(Seen::Never, |content| sighting.compared_with(content))
    }

    /// Remembers an event that takes effect. An event that becomes a dead letter is never remembered, so that
    /// its redrive counts.
    pub fn remember(&mut self, window: Window, sighting: &Sighting) {
        let Sighting { id, content, now, .. } = *sighting;
        let place = window.place(sighting.day, now);
        if place.late {
            self.late.insert(id, (now, content));
        }
        if let Some(day) = place.day.filter(|_| place.remember_day) {
            self.days.insert((day, id), content);
        }
    }

    /// Sets a customer's value. Set each customer once: the order is kept, and of two values the last one
    /// counts.
    pub(crate) fn put_customer(&mut self, key: &[u8], customer: &Customer<'_>) {
        self.customers.push((key.into(), format::encode(customer)));
    }

    /// Puts a timer into the index.
    pub fn put_timer(&mut self, timer: Timer) {
        self.timers.insert(timer, true);
    }

    /// Takes a timer out of the index.
    pub fn take_timer(&mut self, timer: Timer) {
        self.timers.insert(timer, false);
    }

    /// The changed timers, and whether each is to be in the index.
    pub fn timers(&self) -> impl Iterator<Item = (&Timer, bool)> {
        self.timers.iter().map(|(timer, is_set)| (timer, *is_set))
    }

    /// Sets where the transaction leaves the partition. Nothing is added afterwards.
    pub fn finish(&mut self, meta: Meta) {
        self.meta = meta;
        self.runs = self.sorted_runs();
    }

    /// Where the transaction leaves the partition.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The changed customers: key and value.
    pub fn customers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.customers.iter().map(|(key, value)| (&**key, value.as_slice()))
    }

    /// The new ids by bucket, in the order of their keys on disk. RocksDB writes neighbouring keys at less
    /// cost.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The transaction's dedupe chunk.
    #[must_use]
    pub fn chunk(&self) -> Chunk {
        Chunk { meta: self.meta, previous_clock_ms: self.previous.clock_ms, runs: self.runs.clone() }
    }

    fn sorted_runs(&self) -> Vec<Run> {
        let mut runs: HashMap<(Day, Day), Vec<SeenId>> = HashMap::new();
        for ((day, id), content) in &self.days {
            runs.entry((*day, 0)).or_default().push(SeenId::new(*id, *content));
        }
        for (id, (appended, content)) in &self.late {
            runs.entry((LATE, *appended)).or_default().push(SeenId::new(*id, *content));
        }
        let mut runs: Vec<Run> =
            runs.into_iter().map(|((bucket, appended), ids)| Run { bucket, appended, ids }).collect();
        runs.sort_by_key(|run| (run.bucket, run.appended));
        runs.iter_mut().for_each(|run| run.ids.sort_unstable());
        runs
    }
}
