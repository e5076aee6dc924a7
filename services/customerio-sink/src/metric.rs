//! What is counted here.

use std::time::Duration;

use customerio::Status;

/// Records by `outcome`: delivered, dead_lettered, skipped, tombstone, unchanged, halted or put_back. Each record that was
/// read is counted once; one put back or halted is read, and counted, again (E1).
pub const RECORDS: &str = "customerio_sink_records_total";
/// Records skipped, by `kind`: email_token, delivery or event.
pub const SKIPPED: &str = "customerio_sink_skipped_total";
/// Requests by `status`.
pub const REQUESTS: &str = "customerio_sink_requests_total";
/// Operations sent, repeats included.
pub const OPERATIONS: &str = "customerio_sink_operations_total";
/// Requests that had to be sent again, by `status`.
pub const RETRIES: &str = "customerio_sink_retries_total";
/// Time from a request to its answer, or to the end of waiting for it.
pub const REQUEST_SECONDS: &str = "customerio_sink_request_seconds";
/// Commits that failed; the next batch tries again.
pub const COMMIT_FAILURES: &str = "customerio_sink_commit_failures_total";

/// Every metric of this role with its meaning.
pub const METRICS: &[(&str, &str)] = &[
    (
        RECORDS,
        "Records by outcome: delivered, dead_lettered, skipped, tombstone, unchanged, halted or put_back.",
    ),
    (SKIPPED, "Records of nobody whom Customer.io could be told about, by kind."),
    (REQUESTS, "Requests to the Track API by status."),
    (OPERATIONS, "Operations sent to the Track API, repeats included."),
    (RETRIES, "Requests to the Track API that had to be sent again, by status."),
    (REQUEST_SECONDS, "Seconds from a request to its answer, or to the end of waiting for it."),
    (COMMIT_FAILURES, "Offset commits that failed; the next batch tries again."),
];

pub(crate) fn request(status: &Status, took: Duration, operations: usize) {
    metrics::counter!(REQUESTS, "status" => status.label()).increment(1);
    metrics::counter!(OPERATIONS).increment(operations as u64);
    metrics::histogram!(REQUEST_SECONDS, "status" => status.label()).record(took.as_secs_f64());
}

pub(crate) fn retry(status: &Status) {
    metrics::counter!(RETRIES, "status" => status.label()).increment(1);
}

pub(crate) fn records(outcome: &'static str, count: u64) {
    if count > 0 {
        metrics::counter!(RECORDS, "outcome" => outcome).increment(count);
    }
}

pub(crate) fn skipped(kind: &'static str) {
    metrics::counter!(SKIPPED, "kind" => kind).increment(1);
}

pub(crate) fn commit_failed() {
    metrics::counter!(COMMIT_FAILURES).increment(1);
}
