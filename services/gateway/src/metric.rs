//! What is counted. E1 in requests: received = accepted + refused; each request is counted once in each.

use metrics::Counter;

/// Requests whose head was read.
pub const RECEIVED: &str = "gateway_requests_received_total";
/// Requests answered 200.
pub const ACCEPTED: &str = "gateway_requests_accepted_total";
/// Requests answered otherwise, by `status` and `reason`.
pub const REFUSED: &str = "gateway_requests_refused_total";
/// Events of accepted requests, by `outcome` and `reason`.
pub const EVENTS: &str = "gateway_events_total";
/// Events that were accepted although something about them is odd, by `oddity`.
pub const ODDITIES: &str = "gateway_event_oddities_total";
/// Records that were not acknowledged, by Kafka's `code`.
pub const PRODUCE_ERRORS: &str = "gateway_produce_errors_total";
/// From a request's head to its answer, in seconds.
pub const ANSWER_SECONDS: &str = "gateway_answer_seconds";
/// From the first record's queueing to the last one's acknowledgement, in seconds.
pub const ACK_SECONDS: &str = "gateway_ack_seconds";
/// Requests being dealt with.
pub const REQUESTS_IN_FLIGHT: &str = "gateway_requests_in_flight";
/// Bytes of bodies being dealt with.
pub const BYTES_IN_FLIGHT: &str = "gateway_bytes_in_flight_bytes";
/// Open connections.
pub const CONNECTIONS: &str = "gateway_connections";

/// Every metric of this role with its meaning.
pub const METRICS: &[(&str, &str)] = &[
    (RECEIVED, "Requests whose head was read. received = accepted + refused."),
    (ACCEPTED, "Requests answered 200: every event of theirs is acknowledged by Kafka."),
    (REFUSED, "Requests answered otherwise, by status and reason. Any 413 is an alarm."),
    (EVENTS, "Events of accepted requests by outcome (raw, stripped, dead_letter) and reason."),
    (ODDITIES, "Events accepted although something about them is odd, by oddity."),
    (PRODUCE_ERRORS, "Records not acknowledged, by Kafka's error code."),
    (ANSWER_SECONDS, "From a request's head to its answer, in seconds, refusals included."),
    (ACK_SECONDS, "From the first record's queueing to the last one's acknowledgement, in seconds."),
    (REQUESTS_IN_FLIGHT, "Requests being dealt with."),
    (BYTES_IN_FLIGHT, "Bytes of bodies being dealt with."),
    (CONNECTIONS, "Open connections."),
];

/// Counters of the common path, looked up once.
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
