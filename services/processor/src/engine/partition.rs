use std::collections::BTreeMap;

use kafka::Incoming;

use super::batch::Batch;
use super::clock::{Clock, Reading};
use super::pulse::{Pulse, Task};
use super::{SessionError, report};
use crate::domain::window::{Day, Window};
use crate::restore::Restored;
use crate::state::meta::{Meta, Progress};
use crate::state::store::{PartitionStore, StoreError};
use crate::transaction::assignment::Epoch;
use crate::transaction::step::{self, Before, Due, Rules, Step};

/// A partition that is worked on.
pub(super) struct Partition {
    number: i32,
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

/// What is to be committed for a partition.
pub(super) struct Work {
    pub(super) due: Due,
    pub(super) step: Step,
}

impl Partition {
    pub(super) fn new(number: i32, restored: Restored, epoch: Epoch) -> Result<Self, StoreError> {
        let Restored { store, meta } = restored;
        let next_timer_ms = store.next_timer_ms(0)?;
        let (reading, timers_from_ms, seen, expired) = Default::default();
        Ok(Self { number, store, meta, epoch, reading, timers_from_ms, next_timer_ms, seen, expired })
    }

    /// Whether `record` is still to be worked off. What lies below was, by an earlier holding.
    pub(super) fn read(&mut self, record: &Incoming, clock: &Clock) -> bool {
        clock.read(&mut self.reading, record.timestamp_ms);
        !self.meta.src_next().is_past(record.offset)
    }

    /// Everything there is has been read; `present` is whether that is the news of this moment.
    pub(super) fn reached_end(&mut self, present: bool) {
        self.reading.reached_end(present);
    }

    /// What is read next may have waited for us.
    pub(super) fn lapsed(&mut self) {
        self.reading.lapsed();
    }

    /// The timers that have come up, `max` at most.
    fn due(&self, clock: &Clock, max: usize) -> Result<Due, StoreError> {
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

    /// Forgets ids that are too old, once a day, a bounded number at a call.
    pub(super) fn expire(&mut self, window: Window) -> Result<(), StoreError> {
        let today = self.meta.day();
        if self.expired != Some(today) {
            self.expired = self.store.expire(window, today)?.then_some(today);
        }
        report::ids(self.number, self.store.ids_estimate());
        Ok(())
    }
}

/// A step of each of `running` that has something to do.
pub(super) fn steps(
    running: &BTreeMap<i32, Partition>,
    batch: &Batch,
    (rules, clock, timers_max): (&Rules, &Clock, usize),
    pulse: &Pulse,
) -> Result<BTreeMap<i32, Work>, SessionError> {
    let mut works = BTreeMap::new();
    for (partition, running) in running {
        pulse.begins(Task::Step { partition: *partition });
        let records = batch.of(*partition);
        // What of a part of a batch is left could put off what seems due.
        let due = if batch.is_taken_whole() { running.due(clock, timers_max)? } else { Due::default() };
        if records.is_empty() && due.timers.is_empty() {
            continue;
        }
        let Partition { store, meta, .. } = running;
        let step = step::step(Before { rules, partition: *partition, store, meta }, &due, records)?;
        if step.has_effect(meta) || step.stopped.is_some() {
            works.insert(*partition, Work { due, step });
        }
    }
    Ok(works)
}

/// Whoever has the partition next tells of its ids: told of twice, a sum over instances would be too great.
impl Drop for Partition {
    fn drop(&mut self) {
        report::ids(self.number, 0);
    }
}

#[cfg(test)]
mod tests {
    use kafka::NextOffset;
    use schemas::token::TokenKey;
    use tempfile::TempDir;

    use super::super::report::tests::Told;
    use super::*;
    use crate::domain::timer::Kind;
    use crate::metric;
    use crate::state::identity::Identity;
    use crate::state::memory::{Budget, Shared};
    use crate::state::meta::Incarnation;
    use crate::state::timer::Timer;
    use crate::transaction::assignment::Assignment;

    fn partition(folder: &TempDir, number: i32) -> Partition {
        let (cluster, topic, origin) = (None, "raw".to_owned(), Default::default());
        let identity = Identity { cluster, topic, partition: number, partitions: 9, origin };
        let shared = Shared::new(&Budget::least(1));
        let store =
            PartitionStore::open(&folder.path().join(number.to_string()), &identity, &shared).expect("opens");
        let meta = Meta::beginning(Incarnation::new([1; 16]), NextOffset(0));
        Partition::new(number, Restored { store, meta }, Assignment::default().take(number)).expect("reads")
    }

    #[test]
    fn the_ids_of_a_partition_that_has_left_are_not_told_any_more() {
        let folder = tempfile::tempdir().expect("a folder");
        let partition = partition(&folder, 3);
        let told = Told::of(metric::STORED_IDS, || {
            report::ids(3, 7);
            drop(partition);
        });
        assert_eq!(told, [7.0, 0.0]);
    }

    /// P5: what is left of the batch may put off what seems due.
    #[test]
    fn p5_no_timer_fires_beside_a_part_of_a_batch() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut partition = partition(&folder, 0);
        let mut writes = partition.store.batch();
        writes.put_timer(&Timer { at_ms: 5, kind: Kind::Tombstone, key: b"u1".to_vec() });
        writes.write().expect("writes");
        partition.next_timer_ms = partition.store.next_timer_ms(0).expect("reads");
        partition.reached_end(true);
        let running = BTreeMap::from([(0, partition)]);
        let window = Window::new(30).expect("within bounds");
        let rules = Rules { window, tokens: TokenKey::development(), partitions: 9 };
        let (clock, pulse, mut batch) = (Clock::showing(10), Pulse::default(), Batch::default());
        let works =
            |batch: &Batch| steps(&running, batch, (&rules, &clock, 10), &pulse).expect("reads").len();
        assert_eq!(works(&batch), 1, "it has come up");
        batch.halve();
        assert_eq!(works(&batch), 0);
        batch.worked_off(|_| None);
        assert_eq!(works(&batch), 1);
    }

    /// No disk is so slow that a worker with many partitions is given up.
    #[test]
    fn each_step_of_a_partition_is_a_task_of_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let running: BTreeMap<i32, Partition> =
            (0..3).map(|number| (number, partition(&folder, number))).collect();
        let window = Window::new(30).expect("within bounds");
        let rules = Rules { window, tokens: TokenKey::development(), partitions: 9 };
        let (clock, pulse) = (Clock::showing(0), Pulse::default());
        let works = steps(&running, &Batch::default(), (&rules, &clock, 10), &pulse).expect("reads");
        assert!(works.is_empty(), "nothing was read");
        assert_eq!((pulse.moment().task, pulse.moment().tasks), (Task::Step { partition: 2 }, 3));
    }
}
