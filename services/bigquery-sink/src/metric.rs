//! The metrics of this sink.

telemetry::metrics! {
    /// Records read. Each record has exactly one outcome (E1): the partition of `stopped` records is stopped
    /// at a record of an unknown schema, and `put_back` records are read again.
    RECORDS: counter "bigquery_sink_records_total" {
        outcome: ["stored", "conflict", "replayed", "dead_lettered", "stopped", "put_back"],
    },
    /// Time to store a batch.
    STORE_SECONDS: histogram "bigquery_sink_store_seconds",
    /// Commits to Kafka that failed. The rows are safe, but the consumer lag looks larger than it is.
    COMMIT_FAILURES: counter "bigquery_sink_commit_failures_total",
}
