//! Forgetting ids whose time is over, a little at a time: whole files first, which costs nothing; what is left of each day by
//! one range; late ids one by one, since each has a time of its own. Nothing depends on it: a look-up judges by the window
//! again.

use std::sync::PoisonError;

use rocksdb::{Direction, IteratorMode, ReadOptions, WriteBatch};

use super::{IDS, PartitionStore, StoreError};
use crate::domain::window::{Day, LATE, Window};

/// Days whose remains go in one call.
const DAYS_PER_CALL: usize = 4;
/// Late ids looked at in one call: some milliseconds.
const LATE_PER_CALL: usize = 10_000;

/// Where the forgetting stands.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    /// The day for which it is done, or under way.
    now: Option<Day>,
    /// Whether every whole day has gone.
    days_gone: bool,
    /// The late id to look at next; `None` is the first. It goes round whatever day it is: where more come than are looked at in a
    /// day, each has its turn nevertheless.
    late_next: Option<Box<[u8]>>,
    done: bool,
}

impl PartitionStore {
    /// Forgets some of the ids whose time is over when the clock stands at `now`; answers whether that was all. Bounded, in
    /// milliseconds, so it is to be called again: it goes on where it stood.
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
        let (from, to) = ((LATE + 1).to_be_bytes(), first_kept.to_be_bytes());
        let dropped = self.db.delete_file_in_range_cf(self.family(IDS), from, to);
        dropped.map_err(|source| self.failed(source))
    }

    /// Answers whether nothing is left below `first_kept`.
    fn drop_days(&self, first_kept: Day) -> Result<bool, StoreError> {
        let ids = self.family(IDS);
        for _ in 0..DAYS_PER_CALL {
            let Some(oldest) = self.oldest_below(first_kept)? else { return Ok(true) };
            let mut batch = WriteBatch::default();
            batch.delete_range_cf(ids, oldest.to_be_bytes(), (oldest + 1).to_be_bytes());
            self.db.write(batch).map_err(|source| self.failed(source))?;
        }
        Ok(false)
    }

    fn oldest_below(&self, first_kept: Day) -> Result<Option<Day>, StoreError> {
        let mut within = ReadOptions::default();
        within.set_iterate_range((LATE + 1).to_be_bytes().to_vec()..first_kept.to_be_bytes().to_vec());
        let first = self.db.iterator_cf_opt(self.family(IDS), within, IteratorMode::Start).next();
        let (key, _) = match first {
            None => return Ok(None),
            Some(entry) => entry.map_err(|source| self.failed(source))?,
        };
        Ok(bucket(&key))
    }

    /// Answers where to go on.
    fn drop_late(
        &self,
        window: Window,
        now: Day,
        from: Option<&[u8]>,
    ) -> Result<Option<Box<[u8]>>, StoreError> {
        let ids = self.family(IDS);
        let mut within = ReadOptions::default();
        within.set_iterate_upper_bound((LATE + 1).to_be_bytes().to_vec());
        within.fill_cache(false);
        let start = from.map_or(IteratorMode::Start, |key| IteratorMode::From(key, Direction::Forward));
        let mut entries = self.db.iterator_cf_opt(ids, within, start);
        let mut batch = WriteBatch::default();
        for entry in entries.by_ref().take(LATE_PER_CALL) {
            let (key, value) = entry.map_err(|source| self.failed(source))?;
            let appended = Day::from_be_bytes((&*value).try_into().unwrap_or_default());
            if window.late_expired(appended, now) {
                batch.delete_cf(ids, key);
            }
        }
        let next = entries.next().transpose().map_err(|source| self.failed(source))?.map(|(key, _)| key);
        self.db.write(batch).map_err(|source| self.failed(source))?;
        Ok(next)
    }
}

/// The first day that the window may still ask for.
fn first_kept(window: Window, now: Day) -> Day {
    (LATE + 1..=now).find(|day| !window.day_expired(*day, now)).unwrap_or(now)
}

fn bucket(key: &[u8]) -> Option<Day> {
    key.first_chunk().map(|day| Day::from_be_bytes(*day))
}
