//! How far the restores are, for whoever asks: logs, metrics, readiness.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kafka::NextOffset;
use tracing::{info, warn};

use crate::metric;

/// A restore that has not moved for this long is stalled.
const STALLED_AFTER: Duration = Duration::from_secs(60);
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// What all restores of a process are at. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Board {
    work: Arc<Mutex<Work>>,
}

#[derive(Debug, Default)]
struct Work {
    running: BTreeMap<i32, Task>,
    /// Changelog records read since the first of these restores began.
    done: i64,
    since: Option<Instant>,
}

#[derive(Debug)]
struct Task {
    step: &'static str,
    remaining: i64,
    moved: Instant,
    is_told: bool,
}

impl Board {
    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `partition` begins.
    pub(super) fn begin(&self, partition: i32) {
        let mut work = self.work();
        let now = Instant::now();
        work.since.get_or_insert(now);
        work.running.insert(partition, Task { step: "opening", remaining: 0, moved: now, is_told: false });
    }

    /// `partition` is at another step of its restore.
    pub(super) fn enter(&self, partition: i32, step: &'static str) {
        if let Some(task) = self.work().running.get_mut(&partition) {
            (task.step, task.moved, task.is_told) = (step, Instant::now(), false);
        }
    }

    /// `partition` has ended, one way or another.
    pub(super) fn end(&self, partition: i32) {
        let mut work = self.work();
        work.running.remove(&partition);
        if work.running.is_empty() {
            *work = Work::default();
            metrics::gauge!(metric::RESTORE_ETA).set(0.0);
        }
    }

    /// `partition` has read `records` more, and has `remaining` before it.
    fn moved(&self, partition: i32, records: i64, remaining: i64) {
        let mut work = self.work();
        work.done += records;
        if let Some(task) = work.running.get_mut(&partition) {
            (task.remaining, task.moved, task.is_told) = (remaining, Instant::now(), false);
        }
    }

    /// Seconds until all that run now are done, at the pace so far; `None` while there is no pace yet.
    pub(super) fn eta_seconds(&self) -> Option<f64> {
        let work = self.work();
        let remaining: i64 = work.running.values().map(|task| task.remaining).sum();
        let elapsed = work.since?.elapsed().as_secs_f64();
        (work.done > 0).then(|| elapsed * as_f64(remaining) / as_f64(work.done))
    }

    /// The partitions whose restore has not moved for a minute; each is named in the log once.
    pub(super) fn stalled(&self) -> Vec<i32> {
        let mut work = self.work();
        let mut stalled = Vec::new();
        for (partition, task) in &mut work.running {
            let idle = task.moved.elapsed();
            if idle < STALLED_AFTER {
                continue;
            }
            stalled.push(*partition);
            if !std::mem::replace(&mut task.is_told, true) {
                warn!(partition, step = task.step, ?idle, remaining = task.remaining, "restore is stalled");
            }
        }
        metrics::gauge!(metric::RESTORE_STALLED)
            .set(as_f64(i64::try_from(stalled.len()).unwrap_or(i64::MAX)));
        stalled
    }
}

/// One changelog of one partition, being read.
pub(super) struct Lap<'a> {
    board: &'a Board,
    partition: i32,
    changelog: &'static str,
    from: NextOffset,
    at: NextOffset,
    end: NextOffset,
    records: u64,
    started: Instant,
    told: Instant,
}

impl<'a> Lap<'a> {
    pub(super) fn new(
        board: &'a Board,
        partition: i32,
        changelog: &'static str,
        from: NextOffset,
        end: NextOffset,
    ) -> Self {
        board.enter(partition, changelog);
        let now = Instant::now();
        Self { board, partition, changelog, from, at: from, end, records: 0, started: now, told: now }
    }

    /// A record was read; `next` is the position after it.
    pub(super) fn read(&mut self, next: NextOffset) {
        self.records += 1;
        // A clock per record would cost more than the record.
        if self.records.is_multiple_of(256) && self.told.elapsed() >= TELL_EVERY {
            self.tell(next);
        }
    }

    /// What was read is on disk.
    pub(super) fn wrote(&mut self, next: NextOffset) {
        let records = (next.0 - self.at.0).max(0);
        self.at = next;
        self.board.moved(self.partition, records, (self.end.0 - next.0).max(0));
    }

    pub(super) fn finish(mut self, next: NextOffset) {
        self.wrote(next);
        self.board.moved(self.partition, 0, 0);
        self.tell(self.end);
        metrics::counter!(metric::RESTORED_RECORDS, "changelog" => self.changelog).increment(self.records);
    }

    fn tell(&mut self, next: NextOffset) {
        self.told = Instant::now();
        let (done, all) = ((next.0 - self.from.0).max(0), (self.end.0 - self.from.0).max(1));
        let elapsed = self.started.elapsed().as_secs_f64();
        let eta = if done > 0 { elapsed * as_f64(all - done) / as_f64(done) } else { 0.0 };
        let remaining = as_f64((all - done).max(0));
        metrics::gauge!(metric::RESTORE_REMAINING, "changelog" => self.changelog, "partition" => self.partition.to_string())
            .set(remaining);
        let eta_of_all = self.board.eta_seconds();
        metrics::gauge!(metric::RESTORE_ETA).set(eta_of_all.unwrap_or(eta));
        info!(
            partition = self.partition,
            changelog = self.changelog,
            records = self.records,
            percent = (100 * done / all).min(100),
            eta_seconds = eta.max(0.0).round(),
            eta_seconds_of_all = eta_of_all.map(f64::round),
            "restoring"
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share and an estimate")]
fn as_f64(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Board {
        fn rewind(&self, partition: i32, by: Duration) {
            let mut work = self.work();
            let task = work.running.get_mut(&partition).expect("running");
            task.moved = task.moved.checked_sub(by).expect("a clock that old");
        }
    }

    #[test]
    fn a_restore_that_does_not_move_is_stalled_until_it_does() {
        let board = Board::default();
        board.begin(3);
        board.begin(4);
        assert!(board.stalled().is_empty());
        board.rewind(3, STALLED_AFTER);
        assert_eq!(board.stalled(), [3]);
        board.moved(3, 1, 10);
        assert!(board.stalled().is_empty());
        board.rewind(3, STALLED_AFTER);
        board.enter(3, "ids");
        assert!(board.stalled().is_empty());
        board.rewind(4, STALLED_AFTER);
        board.end(4);
        assert!(board.stalled().is_empty());
    }

    #[test]
    fn the_time_to_go_is_told_at_the_pace_so_far() {
        let board = Board::default();
        assert_eq!(board.eta_seconds(), None);
        board.begin(1);
        assert_eq!(board.eta_seconds(), None);
        let mut lap = Lap::new(&board, 1, "dedupe", NextOffset(100), NextOffset(400));
        lap.wrote(NextOffset(400));
        assert_eq!(board.eta_seconds(), Some(0.0));
        board.moved(1, 0, 50);
        assert!(board.eta_seconds().is_some_and(|eta| eta > 0.0));
        board.end(1);
        assert_eq!(board.eta_seconds(), None);
    }
}
