use rocksdb::{IteratorMode, ReadOptions};

use super::{Batch, PartitionStore, STATE, StoreError};
use crate::state::timer::{self, Timer};

const TIMER: u8 = b't';

impl PartitionStore {
    /// The timers from `from_ms` to `until_ms`, both included, the earliest first, `max` at most.
    ///
    /// Entries that were taken away leave tombstones behind, which a scan from the beginning would wade through each time: so
    /// `from_ms` should be where the last scan ended.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn timers(&self, from_ms: i64, until_ms: i64, max: usize) -> Result<Vec<Timer>, StoreError> {
        let mut bounds = ReadOptions::default();
        bounds.set_iterate_lower_bound(bound(from_ms));
        bounds.set_iterate_upper_bound(bound(until_ms.saturating_add(1)));
        let mut timers = Vec::new();
        for entry in self.db.iterator_cf_opt(self.family(STATE), bounds, IteratorMode::Start).take(max) {
            let (key, _) = entry.map_err(|source| self.failed(source))?;
            let timer = key.get(1..).and_then(Timer::decode);
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

impl Batch<'_> {
    /// Puts a timer into the index.
    pub fn put_timer(&mut self, timer: &Timer) {
        self.writes.put_cf(self.store.family(STATE), key(timer), []);
    }

    /// Takes a timer out of the index.
    pub fn take_timer(&mut self, timer: &Timer) {
        self.writes.delete_cf(self.store.family(STATE), key(timer));
    }
}

fn key(timer: &Timer) -> Vec<u8> {
    let mut key = vec![TIMER];
    key.extend(timer.encode());
    key
}

fn bound(at_ms: i64) -> Vec<u8> {
    let mut bound = vec![TIMER];
    bound.extend(timer::time(at_ms));
    bound
}
