//! The metrics that all sinks share.

use crate::intake::Partition;

telemetry::metrics! {
    /// Records written as dead letters.
    DEAD_LETTERS: counter "delivery_dead_letters_total" { stage, reason },
    /// Failed attempts to write a dead letter, by Kafka's error code.
    DEAD_LETTER_FAILURES: counter "delivery_dead_letter_failures_total" { stage, code },
    /// Partitions that are stopped at a record of an unknown schema, until the sink is upgraded.
    STOPPED_PARTITIONS: gauge "delivery_stopped_partitions",
    /// Partitions that are not read because their position can't be right: see `on_gap`.
    REFUSED_PARTITIONS: gauge "delivery_refused_partitions",
    /// Gaps that were recorded: records that could not be read any more. Any gap is an alarm.
    GAPS: counter "delivery_gaps_total" {
        kind: ["another_cluster", "topic_made_anew", "begins_later", "ends_earlier"],
    },
    /// Records that wait in a partition. The brokers are asked every 30 s.
    LAG_RECORDS: gauge "delivery_lag_records" { topic, partition },
    /// Sessions in the group that were renewed because a fetch had stopped without an error.
    SESSION_RENEWALS: counter "delivery_session_renewals_total",
}

pub(crate) fn set_lag((topic, number): &Partition, records: u64) {
    let labels = [("topic", topic.to_string()), ("partition", number.to_string())];
    metrics::gauge!(LAG_RECORDS, &labels).set(records as f64);
}
