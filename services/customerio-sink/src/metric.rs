//! The metrics of this sink.

use std::time::Duration;

use customerio::Status;

telemetry::metrics! {
    /// Records read. Each record has exactly one outcome (E1). A record that was stopped or put back is read,
    /// and counted, again.
    RECORDS: counter "customerio_sink_records_total" {
        outcome: ["delivered", "dead_lettered", "skipped", "tombstone", "unchanged", "stopped", "put_back"],
    },
    /// Records skipped because Customer.io has no profile that they belong to, by the kind of their key.
    SKIPPED: counter "customerio_sink_skipped_total" { kind: ["email_token", "delivery", "event"] },
    /// Requests to the Track API.
    REQUESTS: counter "customerio_sink_requests_total" { status },
    /// Operations sent to the Track API, repeats included.
    OPERATIONS: counter "customerio_sink_operations_total",
    /// Requests to the Track API that had to be sent again, by the status that caused it.
    RETRIES: counter "customerio_sink_retries_total" { status },
    /// Time from a request to its answer, or to the end of the wait for it.
    REQUEST_SECONDS: histogram "customerio_sink_request_seconds" { status },
    /// Offset commits that failed. The next batch tries again.
    COMMIT_FAILURES: counter "customerio_sink_commit_failures_total",
}

pub(crate) fn request(status: &Status, took: Duration, operations: usize) {
    metrics::counter!(REQUESTS, "status" => status.label()).increment(1);
    metrics::counter!(OPERATIONS).increment(operations as u64);
    metrics::histogram!(REQUEST_SECONDS, "status" => status.label()).record(took.as_secs_f64());
}

pub(crate) fn retry(status: &Status) {
    metrics::counter!(RETRIES, "status" => status.label()).increment(1);
}

pub(crate) fn skipped(kind: &'static str) {
    metrics::counter!(SKIPPED, "kind" => kind).increment(1);
}
