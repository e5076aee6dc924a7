//! Partitions that have stopped, each alone, and when each is tried again.
//!
//! What is wrong with one partition must not stop the others. A stopped partition stays with its owner: it
//! would stop there as well, and each owner would be the next to suffer. It is restored again after a pause.
//! So it comes back by itself once its fault is mended. Faults of the process are not among these: see
//! [`StopCause`].

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use kafka::transaction::TailError;

use crate::apply::ApplyError;
use crate::restore::RestoreError;
use crate::state::store::StoreError;

/// The first pause before a stopped partition is tried again. Each further pause is twice as long.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// A partition that has run for this long since it was tried again counts as mended.
const PROVEN_AFTER: Duration = Duration::from_secs(5);

/// What kind of fault stops a partition. Everything else is a fault of the process: the disk as a whole, a
/// folder that belongs elsewhere, a Kafka client that is refused or unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) enum StopCause {
    /// Its disk, its changelogs and the group contradict each other.
    Refused,
    /// A stored value can't be read: it is damaged, or a newer version wrote it.
    Unreadable,
    /// A record of the input has a schema that this version does not know.
    UnknownSchema,
    /// A record that is to be written does not fit its schema.
    Unwritable,
    /// Its disk is damaged. The next restore fills a new one.
    Damaged,
    /// A topic of it has no leader, or does not answer.
    Unavailable,
    /// The processor's own code panicked.
    Panicked,
}

impl StopCause {
    /// Every cause.
    pub(in crate::engine) const ALL: [Self; 7] = [
        Self::Refused,
        Self::Unreadable,
        Self::UnknownSchema,
        Self::Unwritable,
        Self::Damaged,
        Self::Unavailable,
        Self::Panicked,
    ];

    /// The value of the metric's label.
    pub(in crate::engine) fn label(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Unreadable => "unreadable",
            Self::UnknownSchema => "unknown_schema",
            Self::Unwritable => "unwritable",
            Self::Damaged => "damaged",
            Self::Unavailable => "unavailable",
            Self::Panicked => "panicked",
        }
    }

    fn of_restore(error: &RestoreError) -> Option<Self> {
        match error {
            RestoreError::Refused { .. } => Some(Self::Refused),
            RestoreError::Unreadable(_) => Some(Self::Unreadable),
            RestoreError::Tail(TailError::Undecided { .. } | TailError::Stalled { .. }) => {
                Some(Self::Unavailable)
            }
            RestoreError::Tail(TailError::Kafka(error)) | RestoreError::Kafka(error) => Self::of_kafka(error),
            RestoreError::Store(error) => Self::of_store(error),
            RestoreError::Died => Some(Self::Panicked),
            RestoreError::Tail(TailError::Stopped) | RestoreError::Folder { .. } => None,
        }
    }

    fn of_apply(error: &ApplyError) -> Option<Self> {
        match error {
            ApplyError::Store(error) => Self::of_store(error),
            ApplyError::Value(_) => Some(Self::Unreadable),
            ApplyError::Encode(_) => Some(Self::Unwritable),
        }
    }

    fn of_store(error: &StoreError) -> Option<Self> {
        match error {
            StoreError::Corrupt { .. } => Some(Self::Damaged),
            StoreError::Unreadable { .. } => Some(Self::Unreadable),
            StoreError::Recreated { .. } => Some(Self::Refused),
            // The process itself still has it open, for a flush that ends soon.
            StoreError::Rocks { .. } if error.is_held() => Some(Self::Unavailable),
            StoreError::Rocks { .. } | StoreError::File { .. } | StoreError::Foreign { .. } => None,
        }
    }

    fn of_kafka(error: &kafka::Error) -> Option<Self> {
        use kafka::Error;
        match error {
            Error::Failed { .. } | Error::Unreachable { .. } | Error::UnknownTopic { .. } => {
                Some(Self::Unavailable)
            }
            Error::Settings(_)
            | Error::Handshake { .. }
            | Error::Unauthorized { .. }
            | Error::Fatal { .. } => None,
        }
    }
}

/// That a partition stops, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) struct PartitionStop {
    pub(in crate::engine) cause: StopCause,
    /// What is wrong and what mends it, in words.
    pub(in crate::engine) why: String,
}

impl PartitionStop {
    pub(in crate::engine) fn new(cause: StopCause, error: &dyn std::error::Error) -> Self {
        Self { cause, why: in_words(error) }
    }

    /// The stop of a partition on which our own code has panicked.
    pub(in crate::engine) fn panicked() -> Self {
        let why = "the processor's own code panicked, and the log has the place in the code".to_owned();
        Self { cause: StopCause::Panicked, why }
    }

    /// The stop that a failed restore leads to; `None` where `error` is a fault of the process.
    pub(in crate::engine) fn of_restore(error: &RestoreError) -> Option<Self> {
        StopCause::of_restore(error).map(|cause| Self::new(cause, error))
    }

    /// The stop that follows where records can't be applied; `None` where `error` is a fault of the process.
    pub(in crate::engine) fn of_apply(error: &ApplyError) -> Option<Self> {
        StopCause::of_apply(error).map(|cause| Self::new(cause, error))
    }

    /// The stop that a failed store leads to; `None` where `error` is a fault of the process.
    pub(in crate::engine) fn of_store(error: &StoreError) -> Option<Self> {
        StopCause::of_store(error).map(|cause| Self::new(cause, error))
    }
}

/// An error and what caused it.
fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a string does not fail.
        let _ = write!(words, ": {cause}");
        source = cause.source();
    }
    words
}

/// The partitions that have stopped.
#[derive(Debug)]
pub(super) struct Stoppages {
    pause_max: Duration,
    stopped: BTreeMap<i32, Stoppage>,
}

#[derive(Debug)]
struct Stoppage {
    stop: PartitionStop,
    pause: Duration,
    at: Attempt,
}

/// How far the next attempt has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    /// It begins at this time.
    Waits(Instant),
    /// The partition is being restored.
    Restores,
    /// The partition runs, since this time.
    Runs(Instant),
}

impl Stoppages {
    /// No stopped partition. The pause before an attempt grows to `pause_max`.
    pub(super) fn new(pause_max: Duration) -> Self {
        Self { pause_max, stopped: BTreeMap::new() }
    }

    /// `partition` has stopped. Returns the pause before it is tried again.
    pub(super) fn stop(&mut self, partition: i32, stop: PartitionStop, now: Instant) -> Duration {
        let before = self.stopped.get(&partition).map(|stoppage| stoppage.pause * 2);
        let pause = before.unwrap_or(PAUSE_MIN).min(self.pause_max);
        self.stopped.insert(partition, Stoppage { stop, pause, at: Attempt::Waits(now + pause) });
        pause
    }

    /// Partitions whose pause is over. Each is named once.
    pub(super) fn due(&mut self, now: Instant) -> Vec<i32> {
        let mut due = Vec::new();
        for (partition, stoppage) in &mut self.stopped {
            if matches!(stoppage.at, Attempt::Waits(until) if until <= now) {
                stoppage.at = Attempt::Restores;
                due.push(*partition);
            }
        }
        due
    }

    /// `partition` runs again.
    pub(super) fn runs(&mut self, partition: i32, now: Instant) {
        if let Some(stoppage) = self.stopped.get_mut(&partition) {
            stoppage.at = Attempt::Runs(now);
        }
    }

    /// Forgets partitions that have run for long enough to count as mended. Until then they still count as
    /// stopped, because most faults show with the first record.
    pub(super) fn forget_mended(&mut self, now: Instant) -> Vec<i32> {
        let is_mended =
            |at| matches!(at, Attempt::Runs(since) if now.saturating_duration_since(since) >= PROVEN_AFTER);
        self.stopped
            .extract_if(.., |_, stoppage| is_mended(stoppage.at))
            .map(|(partition, _)| partition)
            .collect()
    }

    /// Forgets partitions that go to another member.
    pub(super) fn forget(&mut self, partitions: &[i32]) {
        self.stopped.retain(|partition, _| !partitions.contains(partition));
    }

    /// Why each partition has stopped, in words.
    pub(super) fn causes(&self) -> impl Iterator<Item = String> + '_ {
        self.stopped.iter().map(|(partition, stoppage)| {
            let Stoppage { stop, pause, at } = stoppage;
            let next = match at {
                Attempt::Waits(_) => format!("it is tried again every {} s", pause.as_secs_f64().ceil()),
                Attempt::Restores => "it is being tried again".to_owned(),
                Attempt::Runs(_) => "it has just been tried again".to_owned(),
            };
            format!("partition {partition} stopped ({}): {} ({next})", stop.cause.label(), stop.why)
        })
    }

    /// How many partitions have stopped for `cause`.
    pub(super) fn count(&self, cause: StopCause) -> usize {
        self.stopped.values().filter(|stoppage| stoppage.stop.cause == cause).count()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metric;

    const PAUSE_MAX: Duration = Duration::from_secs(8);

    fn stop() -> PartitionStop {
        PartitionStop { cause: StopCause::Refused, why: "it contradicts itself".to_owned() }
    }

    #[test]
    fn pauses_grow_to_their_bound_and_begin_anew_once_the_partition_has_run() {
        let (mut stoppages, mut now) = (Stoppages::new(PAUSE_MAX), Instant::now());
        let pauses: Vec<u64> = (0..6).map(|_| stoppages.stop(3, stop(), now).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 8, 8]);
        now += PAUSE_MAX;
        assert_eq!((stoppages.due(now), stoppages.due(now)), (vec![3], vec![]));
        stoppages.runs(3, now);
        assert_eq!((stoppages.forget_mended(now), stoppages.causes().count()), (vec![], 1));
        assert_eq!(stoppages.forget_mended(now + PROVEN_AFTER), [3]);
        assert_eq!((stoppages.causes().count(), stoppages.count(StopCause::Refused)), (0, 0));
        assert_eq!(stoppages.stop(3, stop(), now), PAUSE_MIN);
    }

    #[test]
    fn a_partition_that_stops_again_at_once_never_counts_as_mended() {
        let (mut stoppages, mut now) = (Stoppages::new(PAUSE_MAX), Instant::now());
        for _ in 0..20 {
            now += stoppages.stop(1, stop(), now);
            assert_eq!(stoppages.due(now), [1]);
            stoppages.runs(1, now);
            now += PROVEN_AFTER / 2;
            assert!(stoppages.forget_mended(now).is_empty());
        }
        let cause = stoppages.causes().next().expect("stopped");
        assert!(cause.contains("partition 1 stopped (refused): it contradicts itself"), "{cause}");
    }

    #[test]
    fn every_cause_is_a_value_of_the_metric_s_label() {
        let declared = metric::METRICS.iter().find(|metric| metric.name == metric::STOPPED_PARTITIONS);
        let declared = declared.expect("declared").labels[0].values;
        assert_eq!(declared, StopCause::ALL.map(StopCause::label));
    }

    proptest! {
        /// Whatever happens, a partition is either not named, or waits for no longer than the longest pause.
        #[test]
        fn every_stopped_partition_is_tried_again_in_time(acts in proptest::collection::vec((0u8..5, 0i32..3, 0u64..9), 0..60)) {
            let (mut stoppages, mut now) = (Stoppages::new(PAUSE_MAX), Instant::now());
            for (act, partition, seconds) in acts {
                now += Duration::from_secs(seconds);
                match act {
                    0 => drop(stoppages.stop(partition, stop(), now)),
                    1 => drop(stoppages.due(now)),
                    2 => stoppages.runs(partition, now),
                    3 => drop(stoppages.forget_mended(now)),
                    _ => stoppages.forget(&[partition]),
                }
                for stoppage in stoppages.stopped.values() {
                    prop_assert!(!matches!(stoppage.at, Attempt::Waits(until) if until > now + PAUSE_MAX));
                }
            }
        }
    }
}
