//! What the loop tells of itself.

use std::collections::BTreeMap;

use kafka::Incoming;
use tracing::warn;

use crate::metric;
use crate::state::store::PartitionStore;
use crate::transaction::step::Counts;

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

/// Of the record in the batch that waited longest.
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

pub(super) fn stuck_workers(stuck: usize) {
    metrics::gauge!(metric::STUCK_WORKERS).set(approximate(stuck as u64));
}

pub(super) fn ids(partition: i32, store: &PartitionStore) {
    metrics::gauge!(metric::STORED_IDS, "partition" => partition.to_string())
        .set(approximate(store.ids_estimate()));
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is approximate")]
fn approximate(number: u64) -> f64 {
    number as f64
}
