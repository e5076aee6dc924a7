//! What is counted here.

/// Records read, by `outcome`: each ends in exactly one (E1).
pub const RECORDS: &str = "bigquery_sink_records_total";
/// How long a batch took to store.
pub const STORE_SECONDS: &str = "bigquery_sink_store_seconds";
/// Commits to Kafka that failed. Only lag monitoring suffers.
pub const COMMIT_FAILURES: &str = "bigquery_sink_commit_failures_total";
/// Partitions that wait for a newer version of this sink.
pub const WITHHELD_PARTITIONS: &str = "bigquery_sink_withheld_partitions";

/// Every metric of this crate with its meaning.
pub const METRICS: &[(&str, &str)] = &[
    (
        RECORDS,
        "Records read, by outcome: stored, conflict, replayed, dead_lettered, withheld (unknown schema) or revoked (somebody else's now).",
    ),
    (STORE_SECONDS, "How long a batch took to store, in seconds."),
    (COMMIT_FAILURES, "Commits to Kafka that failed; rows are safe, lag is shown too high."),
    (WITHHELD_PARTITIONS, "Partitions that wait for a newer version of this sink."),
];
