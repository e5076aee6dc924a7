//! The gateway's metrics. E1 in requests: received = accepted + refused, and each request is counted once in
//! each.

use metrics::Counter;

telemetry::metrics! {
    /// Requests whose head was read. Received = accepted + refused.
    RECEIVED: counter "gateway_requests_received_total",
    /// Requests answered 200: Kafka has acknowledged every event of theirs.
    ACCEPTED: counter "gateway_requests_accepted_total",
    /// Requests answered with anything but 200. Any 413 is an alarm.
    REFUSED: counter "gateway_requests_refused_total" { status, reason },
    /// Events of accepted requests: `raw`, `stripped` of their message body, or a `dead_letter`.
    EVENTS: counter "gateway_events_total" { outcome, reason },
    /// Events that were accepted although something about them is odd.
    ODDITIES: counter "gateway_event_oddities_total" { oddity },
    /// Records that Kafka did not acknowledge, by its error code.
    PRODUCE_ERRORS: counter "gateway_produce_errors_total" { code },
    /// Time from a request's head to its answer, refusals included.
    ANSWER_SECONDS: histogram "gateway_answer_seconds",
    /// Time from the first record's queueing to the last record's acknowledgement, of one request.
    ACK_SECONDS: histogram "gateway_ack_seconds",
    /// Requests in progress.
    REQUESTS_IN_FLIGHT: gauge "gateway_requests_in_flight",
    /// Size of the bodies of the requests in progress.
    BYTES_IN_FLIGHT: gauge "gateway_in_flight_bytes",
    /// Open connections.
    CONNECTIONS: gauge "gateway_connections",
}

/// The counters that almost every request needs, looked up once.
#[derive(Clone)]
pub(crate) struct Counters {
    pub(crate) received: Counter,
    pub(crate) accepted: Counter,
    pub(crate) raw: Counter,
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self {
            received: metrics::counter!(RECEIVED),
            accepted: metrics::counter!(ACCEPTED),
            raw: metrics::counter!(EVENTS, "outcome" => "raw", "reason" => ""),
        }
    }
}
