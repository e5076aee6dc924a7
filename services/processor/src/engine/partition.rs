//! One partition that a worker owns.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use kafka::Incoming;

use super::batch::RecordBatch;
use super::control::stoppage::PartitionStop;
use super::reused::ReusedIds;
use super::watch::activity::{Activity, Task};
use super::{SessionError, report};
use crate::apply::{self, Applied, ApplyContext, ApplyError, DueTimers, Rules};
use crate::clock::{Clock, PartitionClock};
use crate::commit::gate::AssignmentEpoch;
use crate::domain::time::window::{Day, Window};
use crate::restore::Restored;
use crate::state::meta::{ChangelogPositions, Meta};
use crate::state::store::{PartitionStore, StoreError};

/// A partition that a worker owns.
pub(super) struct OwnedPartition {
    number: i32,
    pub(super) store: PartitionStore,
    pub(super) meta: Meta,
    pub(super) epoch: AssignmentEpoch,
    clock: PartitionClock,
    /// Where the next scan of the timer index begins, Unix milliseconds.
    timers_from_ms: i64,
    /// When the first timer comes up, Unix milliseconds.
    next_timer_ms: Option<i64>,
    /// Ends of the changelogs, read when every committed transaction was on disk.
    ///
    /// They may be stored only after a later commit of this partition, which proves that the records below
    /// them are ours. A member that had lost the partition without knowing would otherwise store its
    /// successor's ends, and miss those records when it comes back.
    unproven_ends: Option<ChangelogPositions>,
    /// The day for which old ids were last forgotten.
    expired: Option<Day>,
    reused: ReusedIds,
}

/// What is to be committed for a partition.
pub(super) struct Pending {
    pub(super) due: DueTimers,
    pub(super) applied: Applied,
}

/// What applying a batch came to.
#[derive(Default)]
pub(super) struct AppliedBatch {
    /// What is to be committed.
    pub(super) pending: BTreeMap<i32, Pending>,
    /// Partitions that can't be applied and have to stop. The others go on without them.
    pub(super) stopped: Vec<(i32, PartitionStop)>,
}

/// What applying records needs besides the records.
pub(super) struct ApplyInputs<'a> {
    pub(super) rules: &'a Rules,
    pub(super) clock: &'a Clock,
    /// Timers that fire for one partition in one transaction at most.
    pub(super) timers_max: usize,
    pub(super) activity: &'a Activity,
}

impl OwnedPartition {
    pub(super) fn new(number: i32, restored: Restored, epoch: AssignmentEpoch) -> Result<Self, StoreError> {
        let Restored { store, meta } = restored;
        let next_timer_ms = store.next_timer_ms(0)?;
        Ok(Self {
            number,
            store,
            meta,
            epoch,
            clock: PartitionClock::default(),
            timers_from_ms: 0,
            next_timer_ms,
            unproven_ends: None,
            expired: None,
            reused: ReusedIds::default(),
        })
    }

    /// Takes note of `record`, and returns whether it is still to be applied. Lower offsets were applied
    /// before the restore.
    pub(super) fn read(&mut self, record: &Incoming, clock: &Clock) -> bool {
        clock.correct(&mut self.clock, record.timestamp_ms);
        !self.meta.src_next().is_past(record.offset)
    }

    /// Every record of the partition has been read. `present` is whether the client has reported that just
    /// now.
    pub(super) fn reached_end(&mut self, present: bool) {
        self.clock.reached_end(present);
    }

    /// The next record may have waited for us.
    pub(super) fn may_have_waited(&mut self) {
        self.clock.may_have_waited();
    }

    /// The timers that have come up, `max` at most.
    fn due(&self, clock: &Clock, max: usize) -> Result<DueTimers, StoreError> {
        let now_ms = clock.effective_ms(&self.clock).unwrap_or(i64::MIN);
        if self.next_timer_ms.is_none_or(|next| next > now_ms) {
            return Ok(DueTimers::default());
        }
        Ok(DueTimers { now_ms, timers: self.store.timers(self.timers_from_ms, now_ms, max)? })
    }

    /// Applies the partition's next part of `batch` and its due timers; `None` where nothing is to be
    /// committed.
    fn apply(&self, batch: &RecordBatch, inputs: &ApplyInputs<'_>) -> Result<Option<Pending>, ApplyError> {
        let Self { number, store, meta, .. } = self;
        let records = batch.next(*number);
        // Where only a part of the batch is applied, the rest could postpone what seems due.
        let is_whole = batch.is_whole();
        let due = if is_whole { self.due(inputs.clock, inputs.timers_max)? } else { DueTimers::default() };
        if records.is_empty() && due.timers.is_empty() {
            return Ok(None);
        }
        let context = ApplyContext { rules: inputs.rules, partition: *number, store, meta };
        let applied = apply::apply(context, &due, records)?;
        let is_of_note = applied.has_effect(meta) || applied.stopped.is_some();
        Ok(is_of_note.then_some(Pending { due, applied }))
    }

    /// A transaction of this partition is committed and on disk.
    pub(super) fn settle(&mut self, applied: &Applied, due: &DueTimers) -> Result<(), StoreError> {
        self.reused.log(self.number, &applied.reused_ids);
        self.meta = *applied.overlay.meta();
        if let Some(ends) = self.unproven_ends.take() {
            self.store.note_progress(&ends)?;
        }
        if let Some(last) = due.timers.last() {
            self.timers_from_ms = self.timers_from_ms.max(last.at_ms);
        }
        let set = applied.overlay.timers().filter(|(_, is_set)| *is_set);
        if let Some(earliest) = set.map(|(timer, _)| timer.at_ms).min() {
            self.timers_from_ms = self.timers_from_ms.min(earliest);
        }
        if applied.overlay.timers().next().is_some() {
            self.next_timer_ms = self.store.next_timer_ms(self.timers_from_ms)?;
        }
        Ok(())
    }

    /// The changelogs end at `ends`, and every committed transaction is on disk.
    pub(super) fn saw_changelog_ends(&mut self, ends: ChangelogPositions) {
        self.unproven_ends = Some(ends);
    }

    /// Forgets ids that are too old, once a day, a bounded number per call.
    pub(super) fn expire(&mut self, window: Window) -> Result<(), StoreError> {
        let today = self.meta.day();
        if self.expired != Some(today) {
            self.expired = self.store.expire(window, today)?.then_some(today);
        }
        report::ids(self.number, self.store.ids_estimate());
        Ok(())
    }
}

/// Applies the next part of `batch`, and the timers that are due, to each of `partitions` that has anything
/// to do. A partition that can't be applied does not hold up the others.
///
/// # Errors
/// Where a fault is the process's.
pub(super) fn apply_all(
    partitions: &BTreeMap<i32, OwnedPartition>,
    batch: &RecordBatch,
    inputs: &ApplyInputs<'_>,
) -> Result<AppliedBatch, SessionError> {
    let mut all = AppliedBatch::default();
    for (partition, owned) in partitions {
        inputs.activity.begins(Task::Apply { partition: *partition });
        // Nothing is changed before it is committed, so a panic leaves nothing half done.
        match catch_unwind(AssertUnwindSafe(|| owned.apply(batch, inputs))) {
            Ok(Ok(Some(pending))) => drop(all.pending.insert(*partition, pending)),
            Ok(Ok(None)) => {}
            Ok(Err(error)) => match PartitionStop::of_apply(&error) {
                Some(stop) => all.stopped.push((*partition, stop)),
                None => return Err(error.into()),
            },
            Err(_) => all.stopped.push((*partition, PartitionStop::panicked())),
        }
    }
    Ok(all)
}

impl Drop for OwnedPartition {
    /// The next owner reports this partition's ids. Set our gauge to 0, or a sum over instances counts them
    /// twice.
    fn drop(&mut self) {
        report::ids(self.number, 0);
    }
}

#[cfg(test)]
mod tests {
    use kafka::NextOffset;
    use schemas::token::TokenKey;
    use tempfile::TempDir;

    use super::super::report::tests::Recorded;
    use super::*;
    use crate::commit::gate::Gate;
    use crate::domain::time::timer::TimerKind;
    use crate::metric;
    use crate::state::identity::StoreIdentity;
    use crate::state::memory::{Budget, StoreMemory};
    use crate::state::meta::Incarnation;
    use crate::state::timer::Timer;

    fn partition(folder: &TempDir, number: i32) -> OwnedPartition {
        let (cluster, topic, origin) = (None, "raw".to_owned(), Default::default());
        let identity = StoreIdentity { cluster, topic, partition: number, partitions: 9, origin };
        let shared = StoreMemory::new(&Budget::least(1));
        let store =
            PartitionStore::open(&folder.path().join(number.to_string()), &identity, &shared).expect("opens");
        let meta = Meta::beginning(Incarnation::new([1; 16]), NextOffset(0));
        OwnedPartition::new(number, Restored { store, meta }, Gate::default().take(number)).expect("reads")
    }

    #[test]
    fn the_ids_of_a_partition_that_has_left_are_not_reported_any_more() {
        let folder = tempfile::tempdir().expect("a folder");
        let partition = partition(&folder, 3);
        let recorded = Recorded::values_of(metric::STORED_IDS, || {
            report::ids(3, 7);
            drop(partition);
        });
        assert_eq!(recorded, [7.0, 0.0]);
    }

    /// P5: what is left of the batch may put off what seems due.
    #[test]
    fn p5_no_timer_fires_beside_a_part_of_a_batch() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut partition = partition(&folder, 0);
        let mut writes = partition.store.batch();
        writes.put_timer(&Timer { at_ms: 5, kind: TimerKind::Tombstone, key: b"u1".to_vec() });
        writes.write().expect("writes");
        partition.next_timer_ms = partition.store.next_timer_ms(0).expect("reads");
        partition.reached_end(true);
        let running = BTreeMap::from([(0, partition)]);
        let window = Window::new(30).expect("within bounds");
        let rules = Rules { window, privacy: TokenKey::development().into(), partitions: 9 };
        let (clock, activity, mut batch) =
            (Clock::starting_at(10), Activity::default(), RecordBatch::default());
        let inputs = ApplyInputs { rules: &rules, clock: &clock, timers_max: 10, activity: &activity };
        let works = |batch: &RecordBatch| apply_all(&running, batch, &inputs).expect("reads").pending.len();
        assert_eq!(works(&batch), 1, "it has come up");
        batch.halve();
        assert_eq!(works(&batch), 0);
        batch.remove_committed(|_| None);
        assert_eq!(works(&batch), 1);
    }

    /// No disk is so slow that a worker with many partitions is given up.
    #[test]
    fn each_partition_is_applied_in_a_task_of_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let running: BTreeMap<i32, OwnedPartition> =
            (0..3).map(|number| (number, partition(&folder, number))).collect();
        let window = Window::new(30).expect("within bounds");
        let rules = Rules { window, privacy: TokenKey::development().into(), partitions: 9 };
        let (clock, activity) = (Clock::starting_at(0), Activity::default());
        let inputs = ApplyInputs { rules: &rules, clock: &clock, timers_max: 10, activity: &activity };
        let works = apply_all(&running, &RecordBatch::default(), &inputs).expect("reads");
        assert!(works.pending.is_empty() && works.stopped.is_empty(), "nothing was read");
        assert_eq!((activity.latest().task, activity.latest().tasks), (Task::Apply { partition: 2 }, 3));
    }
}
