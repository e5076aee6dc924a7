//! How far the restores have come: for logs, metrics and readiness.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kafka::NextOffset;
use tracing::{info, warn};

use crate::metric;

/// A restore that has not moved for this long is stalled.
const STALLED_AFTER: Duration = Duration::from_secs(60);
/// How often progress is reported.
const REPORT_EVERY: Duration = Duration::from_secs(2);

/// The progress of all restores of a process. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct RestoreProgress {
    restores: Arc<Mutex<Restores>>,
}

#[derive(Debug, Default)]
struct Restores {
    running: BTreeMap<i32, RunningRestore>,
    /// Changelog records read since the first of the running restores began.
    done: i64,
    since: Option<Instant>,
}

#[derive(Debug)]
struct RunningRestore {
    step: &'static str,
    remaining: i64,
    moved: Instant,
    is_logged: bool,
}

impl RestoreProgress {
    fn restores(&self) -> MutexGuard<'_, Restores> {
        self.restores.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The restore of `partition` begins.
    pub(super) fn begin(&self, partition: i32) {
        let mut restores = self.restores();
        let now = Instant::now();
        restores.since.get_or_insert(now);
        restores.running.insert(
            partition,
            RunningRestore { step: "opening", remaining: 0, moved: now, is_logged: false },
        );
    }

    /// The restore of `partition` has reached another step.
    pub(super) fn enter(&self, partition: i32, step: &'static str) {
        if let Some(task) = self.restores().running.get_mut(&partition) {
            (task.step, task.moved, task.is_logged) = (step, Instant::now(), false);
        }
    }

    /// The restore of `partition` has ended, whether it succeeded or not.
    pub(super) fn end(&self, partition: i32) {
        let mut restores = self.restores();
        restores.running.remove(&partition);
        if restores.running.is_empty() {
            *restores = Restores::default();
            metrics::gauge!(metric::RESTORE_ETA).set(0.0);
        }
    }

    /// `partition` has read `records` more records, and `remaining` are still to be read.
    fn moved(&self, partition: i32, records: i64, remaining: i64) {
        let mut restores = self.restores();
        restores.done += records;
        if let Some(task) = restores.running.get_mut(&partition) {
            (task.remaining, task.moved, task.is_logged) = (remaining, Instant::now(), false);
        }
    }

    /// Seconds until all running restores are done, at the pace so far; `None` while there is no pace yet.
    pub(super) fn eta_seconds(&self) -> Option<f64> {
        let restores = self.restores();
        let remaining: i64 = restores.running.values().map(|task| task.remaining).sum();
        let elapsed = restores.since?.elapsed().as_secs_f64();
        (restores.done > 0).then(|| elapsed * as_f64(remaining) / as_f64(restores.done))
    }

    /// The partitions whose restore has not moved for a minute. Each is logged once.
    pub(super) fn stalled(&self) -> Vec<i32> {
        let mut restores = self.restores();
        let mut stalled = Vec::new();
        for (partition, task) in &mut restores.running {
            let idle = task.moved.elapsed();
            if idle < STALLED_AFTER {
                continue;
            }
            stalled.push(*partition);
            if !std::mem::replace(&mut task.is_logged, true) {
                warn!(partition, step = task.step, ?idle, remaining = task.remaining, "restore is stalled");
            }
        }
        metrics::gauge!(metric::RESTORE_STALLED)
            .set(as_f64(i64::try_from(stalled.len()).unwrap_or(i64::MAX)));
        stalled
    }
}

/// The progress of reading one changelog of one partition.
pub(super) struct ChangelogProgress<'a> {
    progress: &'a RestoreProgress,
    partition: i32,
    changelog: &'static str,
    from: NextOffset,
    at: NextOffset,
    end: NextOffset,
    records: u64,
    started: Instant,
    reported: Instant,
}

impl<'a> ChangelogProgress<'a> {
    pub(super) fn new(
        progress: &'a RestoreProgress,
        partition: i32,
        changelog: &'static str,
        from: NextOffset,
        end: NextOffset,
    ) -> Self {
        progress.enter(partition, changelog);
        let now = Instant::now();
        Self { progress, partition, changelog, from, at: from, end, records: 0, started: now, reported: now }
    }

    /// A record was read; `next` is the position after it.
    pub(super) fn read(&mut self, next: NextOffset) {
        self.records += 1;
        // Reading the clock for each record would cost more than the record.
        if self.records.is_multiple_of(256) && self.reported.elapsed() >= REPORT_EVERY {
            self.report(next);
        }
    }

    /// Everything read so far is on disk; `next` is the position after it.
    pub(super) fn wrote(&mut self, next: NextOffset) {
        let records = (next.0 - self.at.0).max(0);
        self.at = next;
        self.progress.moved(self.partition, records, (self.end.0 - next.0).max(0));
    }

    pub(super) fn finish(mut self, next: NextOffset) {
        self.wrote(next);
        self.progress.moved(self.partition, 0, 0);
        self.report(self.end);
        metrics::counter!(metric::RESTORED_RECORDS, "changelog" => self.changelog).increment(self.records);
    }

    fn report(&mut self, next: NextOffset) {
        self.reported = Instant::now();
        let (done, all) = ((next.0 - self.from.0).max(0), (self.end.0 - self.from.0).max(1));
        let elapsed = self.started.elapsed().as_secs_f64();
        let eta = if done > 0 { elapsed * as_f64(all - done) / as_f64(done) } else { 0.0 };
        let remaining = as_f64((all - done).max(0));
        metrics::gauge!(metric::RESTORE_REMAINING, "changelog" => self.changelog, "partition" => self.partition.to_string())
            .set(remaining);
        let eta_of_all = self.progress.eta_seconds();
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

    impl RestoreProgress {
        fn rewind(&self, partition: i32, by: Duration) {
            let mut restores = self.restores();
            let task = restores.running.get_mut(&partition).expect("running");
            task.moved = task.moved.checked_sub(by).expect("a clock that old");
        }
    }

    #[test]
    fn a_restore_that_does_not_move_is_stalled_until_it_does() {
        let progress = RestoreProgress::default();
        progress.begin(3);
        progress.begin(4);
        assert!(progress.stalled().is_empty());
        progress.rewind(3, STALLED_AFTER);
        assert_eq!(progress.stalled(), [3]);
        progress.moved(3, 1, 10);
        assert!(progress.stalled().is_empty());
        progress.rewind(3, STALLED_AFTER);
        progress.enter(3, "ids");
        assert!(progress.stalled().is_empty());
        progress.rewind(4, STALLED_AFTER);
        progress.end(4);
        assert!(progress.stalled().is_empty());
    }

    #[test]
    fn the_time_to_go_is_estimated_from_the_pace_so_far() {
        let progress = RestoreProgress::default();
        assert_eq!(progress.eta_seconds(), None);
        progress.begin(1);
        assert_eq!(progress.eta_seconds(), None);
        let mut changelog = ChangelogProgress::new(&progress, 1, "dedupe", NextOffset(100), NextOffset(400));
        changelog.wrote(NextOffset(400));
        assert_eq!(progress.eta_seconds(), Some(0.0));
        progress.moved(1, 0, 50);
        assert!(progress.eta_seconds().is_some_and(|eta| eta > 0.0));
        progress.end(1);
        assert_eq!(progress.eta_seconds(), None);
    }
}
