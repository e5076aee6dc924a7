//! Partitions that wait for a restore.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Whether a restore is still wanted.
///
/// The lock is held while the outcome is handed over. So the outcome of an unwanted restore is dropped, and
/// its folder is free, before the next restore of the same partition begins.
#[derive(Clone, Default)]
pub(super) struct Wanted {
    given_up: Arc<Mutex<bool>>,
}

impl Wanted {
    pub(super) fn given_up(&self) -> MutexGuard<'_, bool> {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn give_up(&self) {
        *self.given_up() = true;
    }

    pub(super) fn holds(&self) -> bool {
        !*self.given_up()
    }
}

/// Partitions to be restored, for several threads. Two threads never have the same partition, because they
/// would open the same folder.
#[derive(Default)]
pub(super) struct RestoreQueue {
    jobs: Mutex<Jobs>,
    changed: Condvar,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    taken: BTreeSet<i32>,
    is_closed: bool,
}

/// A partition to be restored.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) partition: i32,
    pub(super) wanted: Wanted,
    pub(super) stage: Stage,
}

/// How far a job has come. Jobs of the first stage come first, and small replays before large ones: a
/// partition whose disk is up to date does not wait for another one's replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// There is a disk. Whether it is up to date is not known.
    Open,
    /// Changelogs are to be replayed: so many records, or more than anyone has counted.
    Replay {
        /// Records.
        records: u64,
    },
}

/// What a thread finds in the queue.
pub(super) enum Next {
    /// A partition. The thread has it until it calls [`done`](RestoreQueue::done).
    Job(Job),
    /// Nothing in time.
    Nothing,
    /// No more will come.
    Closed,
}

impl RestoreQueue {
    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, job: Job) {
        self.jobs().waiting.push_back(job);
        self.changed.notify_all();
    }

    pub(super) fn close(&self) {
        self.jobs().is_closed = true;
        self.changed.notify_all();
    }

    pub(super) fn next(&self, wait: Duration) -> Next {
        let idle = |jobs: &mut Jobs| {
            !jobs.is_closed && !jobs.waiting.iter().any(|job| !jobs.taken.contains(&job.partition))
        };
        let waited = self.changed.wait_timeout_while(self.jobs(), wait, idle);
        let mut jobs = waited.unwrap_or_else(PoisonError::into_inner).0;
        if jobs.is_closed {
            return Next::Closed;
        }
        let free = jobs.waiting.iter().enumerate().filter(|(_, job)| !jobs.taken.contains(&job.partition));
        // The first of equals.
        let next = free.min_by_key(|(_, job)| job.stage).map(|(at, _)| at);
        let Some(job) = next.and_then(|at| jobs.waiting.remove(at)) else {
            return Next::Nothing;
        };
        jobs.taken.insert(job.partition);
        Next::Job(job)
    }

    /// Lets the next restore of `partition` begin.
    pub(super) fn done(&self, partition: i32) {
        self.jobs().taken.remove(&partition);
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(partition: i32, stage: Stage) -> Job {
        Job { partition, wanted: Wanted::default(), stage }
    }

    fn taken(queue: &RestoreQueue) -> Option<i32> {
        match queue.next(Duration::ZERO) {
            Next::Job(job) => Some(job.partition),
            Next::Nothing | Next::Closed => None,
        }
    }

    #[test]
    fn a_partition_is_never_with_two_threads_and_others_need_not_wait_for_it() {
        let queue = RestoreQueue::default();
        let next = || taken(&queue);
        for partition in [1, 1, 2] {
            queue.put(job(partition, Stage::Open));
        }
        assert_eq!((next(), next(), next()), (Some(1), Some(2), None));
        queue.done(1);
        assert_eq!((next(), next()), (Some(1), None));
        queue.put(job(3, Stage::Open));
        queue.close();
        assert!(matches!(queue.next(Duration::ZERO), Next::Closed));
    }

    #[test]
    fn disks_are_opened_before_anything_is_replayed_and_small_replays_come_first() {
        let queue = RestoreQueue::default();
        let jobs = [
            (1, Stage::Replay { records: u64::MAX }),
            (2, Stage::Replay { records: 9 }),
            (3, Stage::Open),
            (4, Stage::Replay { records: 9 }),
            (5, Stage::Open),
        ];
        jobs.into_iter().for_each(|(partition, stage)| queue.put(job(partition, stage)));
        let order: Vec<i32> = std::iter::from_fn(|| taken(&queue)).collect();
        assert_eq!(order, [3, 5, 2, 4, 1]);
    }
}
