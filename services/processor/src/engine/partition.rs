use kafka::Incoming;

use super::clock::{Clock, Reading};
use crate::domain::window::{Day, Window};
use crate::restore::Restored;
use crate::state::meta::{Meta, Progress};
use crate::state::store::{PartitionStore, StoreError};
use crate::transaction::assignment::Epoch;
use crate::transaction::step::{Due, Step};

/// A partition that is worked on.
pub(super) struct Partition {
    pub(super) store: PartitionStore,
    pub(super) meta: Meta,
    pub(super) epoch: Epoch,
    reading: Reading,
    /// Where the index of timers is read on, and when the first of them comes up.
    timers_from_ms: i64,
    next_timer_ms: Option<i64>,
    /// Ends of the changelogs, read when everything committed was on disk. They may be noted only after a later commit of this
    /// partition: it proves that the records below them are ours. A member that had lost the partition without knowing would
    /// otherwise note its successor's, and miss them when it comes back.
    seen: Option<Progress>,
    /// The day for which old ids were last forgotten.
    expired: Option<Day>,
}

impl Partition {
    pub(super) fn new(restored: Restored, epoch: Epoch) -> Result<Self, StoreError> {
        let Restored { store, meta } = restored;
        let next_timer_ms = store.next_timer_ms(0)?;
        let (reading, timers_from_ms, seen, expired) = Default::default();
        Ok(Self { store, meta, epoch, reading, timers_from_ms, next_timer_ms, seen, expired })
    }

    /// Whether `record` is still to be worked off. What lies below was, by an earlier holding.
    pub(super) fn read(&mut self, record: &Incoming, clock: &Clock) -> bool {
        clock.read(&mut self.reading, record.timestamp_ms);
        !self.meta.src_next().is_past(record.offset)
    }

    /// Everything there is has been read.
    pub(super) fn reached_end(&mut self, clock: &Clock) {
        clock.reached_end(&mut self.reading);
    }

    /// The timers that have come up, `max` at most.
    pub(super) fn due(&self, clock: &Clock, max: usize) -> Result<Due, StoreError> {
        let now_ms = clock.effective_ms(&self.reading).unwrap_or(i64::MIN);
        if self.next_timer_ms.is_none_or(|next| next > now_ms) {
            return Ok(Due::default());
        }
        Ok(Due { now_ms, timers: self.store.timers(self.timers_from_ms, now_ms, max)? })
    }

    /// A transaction of this partition is committed and on disk.
    pub(super) fn settle(&mut self, step: &Step, due: &Due) -> Result<(), StoreError> {
        self.meta = *step.overlay.meta();
        if let Some(progress) = self.seen.take() {
            self.store.note_progress(&progress)?;
        }
        let earliest =
            step.overlay.timers().filter(|(_, is_set)| *is_set).map(|(timer, _)| timer.at_ms).min();
        if let Some(last) = due.timers.last() {
            self.timers_from_ms = self.timers_from_ms.max(last.at_ms);
        }
        if let Some(earliest) = earliest {
            self.timers_from_ms = self.timers_from_ms.min(earliest);
        }
        if step.overlay.timers().next().is_some() {
            self.next_timer_ms = self.store.next_timer_ms(self.timers_from_ms)?;
        }
        Ok(())
    }

    /// Everything committed is on disk, and the changelogs end at `progress`.
    pub(super) fn saw(&mut self, progress: Progress) {
        self.seen = Some(progress);
    }

    /// Forgets ids that are too old, once a day.
    pub(super) fn expire(&mut self, window: Window) -> Result<(), StoreError> {
        let today = self.meta.day();
        if self.expired != Some(today) {
            self.store.expire(window, today)?;
            self.expired = Some(today);
        }
        Ok(())
    }
}
