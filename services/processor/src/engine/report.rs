//! What the engine reports in metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka::Incoming;
use tracing::warn;

use super::control::stoppage::StopCause;
use crate::apply::Counts;
use crate::commit::protocol::End;
use crate::metric;

/// Counts records, timers and dead letters of one partition in one transaction.
pub(super) fn counts(counts: &Counts) {
    let dead_lettered: u64 = counts.dead_lettered.values().sum();
    let outcomes =
        [("unique", counts.unique), ("duplicate", counts.duplicate), ("dead_lettered", dead_lettered)];
    for (outcome, records) in outcomes {
        metrics::counter!(metric::RECORDS, "outcome" => outcome).increment(records);
    }
    metrics::counter!(metric::TIMERS).increment(counts.timers);
    for (reason, records) in &counts.dead_lettered {
        warn!(reason, records, "records dead-lettered");
        metrics::counter!(metric::DEAD_LETTERS, "reason" => *reason).increment(*records);
    }
}

/// Records the latency of the record in the batch that waited longest.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of a latency")]
pub(super) fn latency(batch: &BTreeMap<i32, Vec<Incoming>>, now_ms: i64) {
    let oldest = batch.values().filter_map(|records| records.first()).map(|record| record.timestamp_ms).min();
    if let Some(oldest) = oldest {
        let millis = now_ms.saturating_sub(oldest).max(0);
        metrics::histogram!(metric::LATENCY_SECONDS).record(millis as f64 / 1_000.0);
    }
}

pub(super) fn partitions(running: usize) {
    metrics::gauge!(metric::PARTITIONS).set(approximate(running as u64));
}

/// Sets how many partitions have stopped for each cause.
pub(super) fn stopped_partitions(count: impl Fn(StopCause) -> usize) {
    for cause in StopCause::ALL {
        metrics::gauge!(metric::STOPPED_PARTITIONS, "cause" => cause.label())
            .set(approximate(count(cause) as u64));
    }
}

pub(super) fn stuck_workers(stuck: usize) {
    metrics::gauge!(metric::STUCK_WORKERS).set(approximate(stuck as u64));
}

pub(super) fn ids(partition: i32, estimate: u64) {
    metrics::gauge!(metric::STORED_IDS, "partition" => partition.to_string()).set(approximate(estimate));
}

/// Counts a transaction. Its duration is recorded only where it was committed and written to disk (T6).
pub(super) fn transaction(end: End, took: Duration) {
    metrics::counter!(metric::TRANSACTIONS, "end" => end.label()).increment(1);
    if end == End::Committed {
        metrics::histogram!(metric::COMMIT_SECONDS).record(took.as_secs_f64());
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is approximate")]
fn approximate(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::{Arc, Mutex};

    use metrics::{
        Counter, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    };

    use super::*;

    /// What a thread sets gauges to, and records in histograms.
    #[derive(Debug, Clone, Default)]
    pub(in crate::engine) struct Recorded {
        values: Arc<Mutex<Vec<(String, f64)>>>,
    }

    impl Recorded {
        /// The values that `work` gives to `metric`, in order.
        pub(in crate::engine) fn values_of(metric: &str, work: impl FnOnce()) -> Vec<f64> {
            let recorded = Self::default();
            metrics::with_local_recorder(&recorded, work);
            let values = recorded.values.lock().expect("nobody panics");
            values.iter().filter(|(name, _)| name == metric).map(|(_, value)| *value).collect()
        }
    }

    struct Line(Recorded, String);

    impl GaugeFn for Line {
        fn increment(&self, _: f64) {}
        fn decrement(&self, _: f64) {}
        fn set(&self, value: f64) {
            self.0.values.lock().expect("nobody panics").push((self.1.clone(), value));
        }
    }

    impl HistogramFn for Line {
        fn record(&self, value: f64) {
            self.set(value);
        }
    }

    impl Recorder for Recorded {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
            Counter::noop()
        }

        fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::from_arc(Arc::new(Line(self.clone(), key.name().to_owned())))
        }

        fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::from_arc(Arc::new(Line(self.clone(), key.name().to_owned())))
        }
    }

    #[test]
    fn only_a_commit_counts_in_the_time_that_commits_take() {
        let recorded = Recorded::values_of(metric::COMMIT_SECONDS, || {
            transaction(End::Aborted, Duration::from_secs(1));
            transaction(End::Committed, Duration::from_secs(2));
            transaction(End::Undecided, Duration::from_secs(3));
        });
        assert_eq!(recorded, [2.0]);
    }
}
