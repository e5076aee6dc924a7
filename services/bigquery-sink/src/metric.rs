//! The metrics of this sink.

telemetry::metrics! {
    /// Records read. Each record has exactly one outcome (E1): `withheld` records have an unknown schema, and
    /// `revoked` records belong to another member by now.
    RECORDS: counter "bigquery_sink_records_total" {
        outcome: ["stored", "conflict", "replayed", "dead_lettered", "withheld", "revoked"],
    },
    /// Time to store a batch.
    STORE_SECONDS: histogram "bigquery_sink_store_seconds",
    /// Commits to Kafka that failed. The rows are safe, but the consumer lag looks larger than it is.
    COMMIT_FAILURES: counter "bigquery_sink_commit_failures_total",
    /// Partitions that wait for a newer version of this sink.
    WITHHELD_PARTITIONS: gauge "bigquery_sink_withheld_partitions",
}
