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
    waiting: VecDeque<(i32, Wanted)>,
    taken: BTreeSet<i32>,
    is_closed: bool,
}

/// What a thread finds in the queue.
pub(super) enum Next {
    /// A partition. The thread has it until it calls [`done`](RestoreQueue::done).
    Job(i32, Wanted),
    /// Nothing in time.
    Nothing,
    /// No more will come.
    Closed,
}

impl RestoreQueue {
    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, partition: i32, wanted: Wanted) {
        self.jobs().waiting.push_back((partition, wanted));
        self.changed.notify_all();
    }

    pub(super) fn close(&self) {
        self.jobs().is_closed = true;
        self.changed.notify_all();
    }

    pub(super) fn next(&self, wait: Duration) -> Next {
        let idle = |jobs: &mut Jobs| {
            !jobs.is_closed && !jobs.waiting.iter().any(|(partition, _)| !jobs.taken.contains(partition))
        };
        let waited = self.changed.wait_timeout_while(self.jobs(), wait, idle);
        let mut jobs = waited.unwrap_or_else(PoisonError::into_inner).0;
        if jobs.is_closed {
            return Next::Closed;
        }
        let free = jobs.waiting.iter().position(|(partition, _)| !jobs.taken.contains(partition));
        let Some((partition, wanted)) = free.and_then(|at| jobs.waiting.remove(at)) else {
            return Next::Nothing;
        };
        jobs.taken.insert(partition);
        Next::Job(partition, wanted)
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

    #[test]
    fn a_partition_is_never_with_two_threads_and_others_need_not_wait_for_it() {
        let queue = RestoreQueue::default();
        let next = || match queue.next(Duration::ZERO) {
            Next::Job(partition, _) => Some(partition),
            Next::Nothing | Next::Closed => None,
        };
        for partition in [1, 1, 2] {
            queue.put(partition, Wanted::default());
        }
        assert_eq!((next(), next(), next()), (Some(1), Some(2), None));
        queue.done(1);
        assert_eq!((next(), next()), (Some(1), None));
        queue.put(3, Wanted::default());
        queue.close();
        assert!(matches!(queue.next(Duration::ZERO), Next::Closed));
    }
}
