//! The index of timers on disk.

use rocksdb::{IteratorMode, ReadOptions};

use super::key::{self, STATE};
use super::{PartitionStore, StoreBatch, StoreError};
use crate::state::timer::Timer;

impl PartitionStore {
    /// The timers from `from_ms` to `until_ms`, both included, the earliest first, `max` at most.
    ///
    /// Deleted entries leave RocksDB tombstones behind, and a scan from the beginning would read all of them
    /// each time. So `from_ms` should be where the last scan ended.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn timers(&self, from_ms: i64, until_ms: i64, max: usize) -> Result<Vec<Timer>, StoreError> {
        let mut bounds = ReadOptions::default();
        bounds.set_iterate_lower_bound(key::timers_from(from_ms));
        bounds.set_iterate_upper_bound(key::timers_from(until_ms.saturating_add(1)));
        let mut timers = Vec::new();
        for entry in self.db.iterator_cf_opt(self.family(STATE), bounds, IteratorMode::Start).take(max) {
            let (key, _) = entry.map_err(|source| self.failed(source))?;
            let timer = key::parse_timer(&key);
            timers.push(timer.ok_or_else(|| self.unreadable(&"a timer's key"))?);
        }
        Ok(timers)
    }

    /// When the first timer from `from_ms` on is to be looked at.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn next_timer_ms(&self, from_ms: i64) -> Result<Option<i64>, StoreError> {
        Ok(self.timers(from_ms, i64::MAX - 1, 1)?.first().map(|timer| timer.at_ms))
    }
}

impl StoreBatch<'_> {
    /// Puts a timer into the index.
    pub fn put_timer(&mut self, timer: &Timer) {
        self.writes.put_cf(self.store.family(STATE), key::timer(timer), []);
    }

    /// Takes a timer out of the index.
    pub fn take_timer(&mut self, timer: &Timer) {
        self.writes.delete_cf(self.store.family(STATE), key::timer(timer));
    }
}
