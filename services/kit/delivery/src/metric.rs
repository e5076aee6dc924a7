//! The metrics that all sinks share.

use crate::intake::Partition;

telemetry::metrics! {
    /// Records written as dead letters.
    DEAD_LETTERS: counter "delivery_dead_letters_total" { stage, reason },
    /// Failed attempts to write a dead letter, by Kafka's error code.
    DEAD_LETTER_FAILURES: counter "delivery_dead_letter_failures_total" { stage, code },
    /// Partitions that are stopped at a record of an unknown schema, until the sink is upgraded.
    STOPPED_PARTITIONS: gauge "delivery_stopped_partitions",
    /// Records that wait in a partition. The brokers are asked every 30 s.
    LAG_RECORDS: gauge "delivery_lag_records" { topic, partition },
    /// Sessions in the group that were renewed because a fetch had stopped without an error.
    SESSION_RENEWALS: counter "delivery_session_renewals_total",
}

pub(crate) fn set_lag((topic, number): &Partition, records: u64) {
    let labels = [("topic", topic.to_string()), ("partition", number.to_string())];
    metrics::gauge!(LAG_RECORDS, &labels).set(records as f64);
}
