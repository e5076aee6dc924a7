//! Reads many keys at once. RocksDB looks up a sorted batch for little more than half the cost of single
//! reads.

use rocksdb::DBPinnableSlice;

use super::key::{self, IDS, STATE};
use super::{PartitionStore, StoreError};
use crate::domain::time::window::{Seen, Sighting, Window};

impl PartitionStore {
    /// Which of these events took effect before, within the window. One answer for each event. Nearly every
    /// event costs one look-up.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn seen(&self, window: Window, sightings: &[Sighting]) -> Result<Vec<Seen>, StoreError> {
        let mut days = Vec::with_capacity(sightings.len());
        for (at, sighting) in sightings.iter().enumerate() {
            let place = window.place(sighting.day, sighting.now);
            let day = place.day.filter(|day| !window.day_expired(*day, sighting.now));
            days.extend(day.map(|day| (key::id(day, sighting.id), at)));
        }
        days.sort_unstable();
        let mut seen = vec![Seen::Never; sightings.len()];
        for (found, (_, at)) in self.get_sorted(IDS, days.iter().map(|(key, _)| key))?.iter().zip(&days) {
            if let Some(value) = found {
                seen[*at] = sightings[*at].compared_with(key::content_of_day(value));
            }
        }
        for (seen, sighting) in seen.iter_mut().zip(sightings).filter(|(seen, _)| **seen == Seen::Never) {
            if window.place(sighting.day, sighting.now).late {
                let late = self.late(sighting.id)?;
                let kept = late.filter(|(appended, _)| !window.late_expired(*appended, sighting.now));
                *seen = kept.map_or(Seen::Never, |(_, content)| sighting.compared_with(content));
            }
        }
        Ok(seen)
    }

    /// Calls `each` with the key and the value of each of these customers. Each key may be given once.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn customers<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k [u8]>,
        mut each: impl FnMut(&'k [u8], Option<&[u8]>),
    ) -> Result<(), StoreError> {
        let mut wanted: Vec<(Vec<u8>, &[u8])> =
            keys.into_iter().map(|key| (key::customer(key), key)).collect();
        wanted.sort_unstable();
        let found = self.get_sorted(STATE, wanted.iter().map(|(key, _)| key))?;
        for (value, (_, key)) in found.iter().zip(&wanted) {
            each(key, value.as_deref());
        }
        Ok(())
    }

    fn get_sorted<'k, K: AsRef<[u8]> + ?Sized + 'k>(
        &self,
        family: &str,
        keys: impl IntoIterator<Item = &'k K>,
    ) -> Result<Vec<Option<DBPinnableSlice<'_>>>, StoreError> {
        let is_sorted = true;
        let found = self.db.batched_multi_get_cf(self.family(family), keys, is_sorted);
        found.into_iter().map(|value| value.map_err(|source| self.failed(source))).collect()
    }
}
