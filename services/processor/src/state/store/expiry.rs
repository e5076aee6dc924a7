//! Forgets ids that are older than the window, a few at a time.
//!
//! Whole files go first, which costs nothing. The rest of each day goes as one range. Late ids go one by one,
//! because each has its own append day. No result depends on this: a look-up checks the window again.

use std::sync::PoisonError;

use rocksdb::{Direction, IteratorMode, ReadOptions, WriteBatch};

use super::key::{self, IDS};
use super::{PartitionStore, StoreError};
use crate::domain::time::window::{Day, LATE, Window};

/// Days whose remaining ids are forgotten in one call.
const DAYS_PER_CALL: usize = 4;
/// Late ids that are looked at in one call. That takes some milliseconds.
const LATE_PER_CALL: usize = 10_000;

/// How far the forgetting has come.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    /// The day for which it is done or under way.
    now: Option<Day>,
    /// Whether every whole day is gone.
    days_gone: bool,
    /// The late id to look at next; `None` is the first. It is kept when the day changes: even where more
    /// late ids come in a day than are looked at, each one gets its turn.
    late_next: Option<Box<[u8]>>,
    done: bool,
}

impl PartitionStore {
    /// Forgets some of the ids that are too old on day `now`. Returns whether that was all. Each call takes
    /// some milliseconds at most, and the next one continues where it stopped.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn expire(&self, window: Window, now: Day) -> Result<bool, StoreError> {
        let mut expiry = self.expiry.lock().unwrap_or_else(PoisonError::into_inner);
        if expiry.now != Some(now) {
            let late_next = expiry.late_next.take();
            *expiry = Expiry { now: Some(now), late_next, ..Expiry::default() };
            self.drop_files(first_kept(window, now))?;
        }
        if expiry.done {
            return Ok(true);
        }
        if !expiry.days_gone {
            expiry.days_gone = self.drop_days(first_kept(window, now))?;
            return Ok(false);
        }
        expiry.late_next = self.drop_late(window, now, expiry.late_next.as_deref())?;
        expiry.done = expiry.late_next.is_none();
        Ok(expiry.done)
    }

    fn drop_files(&self, first_kept: Day) -> Result<(), StoreError> {
        let (from, to) = (key::bucket(LATE + 1), key::bucket(first_kept));
        let dropped = self.db.delete_file_in_range_cf(self.family(IDS), from, to);
        dropped.map_err(|source| self.failed(source))
    }

    /// Returns whether no day below `first_kept` is left.
    fn drop_days(&self, first_kept: Day) -> Result<bool, StoreError> {
        let ids = self.family(IDS);
        for _ in 0..DAYS_PER_CALL {
            let Some(oldest) = self.oldest_below(first_kept)? else { return Ok(true) };
            let mut batch = WriteBatch::default();
            batch.delete_range_cf(ids, key::bucket(oldest), key::bucket(oldest + 1));
            self.db.write(batch).map_err(|source| self.failed(source))?;
        }
        Ok(false)
    }

    fn oldest_below(&self, first_kept: Day) -> Result<Option<Day>, StoreError> {
        let mut within = ReadOptions::default();
        within.set_iterate_range(key::bucket(LATE + 1).to_vec()..key::bucket(first_kept).to_vec());
        let first = self.db.iterator_cf_opt(self.family(IDS), within, IteratorMode::Start).next();
        let (key, _) = match first {
            None => return Ok(None),
            Some(entry) => entry.map_err(|source| self.failed(source))?,
        };
        Ok(key::day_of_id(&key))
    }

    /// Returns where the next call continues.
    fn drop_late(
        &self,
        window: Window,
        now: Day,
        from: Option<&[u8]>,
    ) -> Result<Option<Box<[u8]>>, StoreError> {
        let ids = self.family(IDS);
        let mut within = ReadOptions::default();
        within.set_iterate_upper_bound(key::bucket(LATE + 1).to_vec());
        within.fill_cache(false);
        let start = from.map_or(IteratorMode::Start, |key| IteratorMode::From(key, Direction::Forward));
        let mut entries = self.db.iterator_cf_opt(ids, within, start);
        let mut batch = WriteBatch::default();
        for entry in entries.by_ref().take(LATE_PER_CALL) {
            let (key, value) = entry.map_err(|source| self.failed(source))?;
            // A value of no format is nobody's, and goes.
            let appended = key::parse_late(&value).map(|(appended, _)| appended);
            if appended.is_none_or(|appended| window.late_expired(appended, now)) {
                batch.delete_cf(ids, key);
            }
        }
        let next = entries.next().transpose().map_err(|source| self.failed(source))?.map(|(key, _)| key);
        self.db.write(batch).map_err(|source| self.failed(source))?;
        Ok(next)
    }
}

/// The first day that the window may still need.
fn first_kept(window: Window, now: Day) -> Day {
    (LATE + 1..=now).find(|day| !window.day_expired(*day, now)).unwrap_or(now)
}
