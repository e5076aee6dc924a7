//! Each setting's name, default and meaning.

use settings::Field;

pub(super) const SIGNING_KEYS: Field = Field::new(
    "gateway.signing_keys",
    "CUSTOMERIO_WEBHOOK_SIGNING_KEY",
    "Signing keys of the default endpoint, as the vendor's page shows them; several while rotating, comma-separated.",
)
.aliases(&["CUSTOMERIO_WEBHOOK_SECRET", "WEBHOOK_SECRET"])
.secret();
pub(super) const SOURCE_KEYS: Field = Field::new(
    "gateway.source_keys",
    "AFTERSEND_GATEWAY_SOURCE_KEYS",
    "Further endpoints with keys of their own, `name=key`, comma-separated; a name with two keys is named twice. Each is served at /v1/webhooks/customerio/<name>/reporting.",
)
.secret();
pub(super) const LISTEN: Field = Field::new(
    "gateway.listen",
    "AFTERSEND_LISTEN",
    "Where webhooks are taken, `address:port`. Plain HTTP/1.1: TLS ends before it.",
)
.default("0.0.0.0:8080");
pub(super) const BODY_LIMIT: Field = Field::new(
    "gateway.body_limit",
    "AFTERSEND_GATEWAY_BODY_LIMIT",
    "Hard cap on a request's body; beyond it the answer is 413. Far above anything the vendor sends.",
)
.default("16MiB");
pub(super) const BATCH_ITEMS_MAX: Field = Field::new(
    "gateway.batch_items_max",
    "AFTERSEND_GATEWAY_BATCH_ITEMS_MAX",
    "Hard cap on the events of one body; beyond it the answer is 413. The vendor sends one.",
)
.default("10000");
pub(super) const REQUESTS_IN_FLIGHT_MAX: Field = Field::new(
    "gateway.requests_in_flight_max",
    "AFTERSEND_GATEWAY_REQUESTS_IN_FLIGHT_MAX",
    "Requests dealt with at once; beyond it the answer is 503.",
)
.default("1024");
pub(super) const BYTES_IN_FLIGHT_MAX: Field = Field::new(
    "gateway.bytes_in_flight_max",
    "AFTERSEND_GATEWAY_BYTES_IN_FLIGHT_MAX",
    "Bytes of bodies in memory at once; beyond it the answer is 503.",
)
.default("64MiB");
pub(super) const CONNECTIONS_MAX: Field = Field::new(
    "gateway.connections_max",
    "AFTERSEND_GATEWAY_CONNECTIONS_MAX",
    "Open connections; further ones wait unaccepted. Needs as many file descriptors.",
)
.default("4096");
pub(super) const MESSAGE_TIMEOUT: Field = Field::new(
    "gateway.message_timeout",
    "AFTERSEND_GATEWAY_MESSAGE_TIMEOUT",
    "After this, the Kafka client gives an unacknowledged record up. It looks once a second.",
)
.default("1500ms");
pub(super) const ACK_DEADLINE: Field = Field::new(
    "gateway.ack_deadline",
    "AFTERSEND_GATEWAY_ACK_DEADLINE",
    "Longest wait for Kafka, from the request's head; beyond it the answer is 503.",
)
.default("2600ms");
pub(super) const REQUEST_TIMEOUT: Field = Field::new(
    "gateway.request_timeout",
    "AFTERSEND_GATEWAY_REQUEST_TIMEOUT",
    "Longest time to an answer, whatever happens. The vendor gives up at 4 s.",
)
.default("2900ms");
pub(super) const LINGER: Field = Field::new(
    "gateway.linger",
    "AFTERSEND_GATEWAY_LINGER",
    "How long a record waits for company on its way to Kafka.",
)
.default("2ms");
pub(super) const MESSAGE_MAX: Field = Field::new("gateway.message_max", "AFTERSEND_GATEWAY_MESSAGE_MAX", "Largest record sent to Kafka, at most what bootstrap lets the topics hold. A larger event is kept without its message body, or else as a dead letter.").default("4MiB");
pub(super) const QUEUE_BYTES: Field = Field::new(
    "gateway.queue_bytes",
    "AFTERSEND_GATEWAY_QUEUE_BYTES",
    "Bytes in the Kafka client's queue; a full queue is answered 503.",
)
.default("128MiB");
pub(super) const QUEUE_RECORDS: Field = Field::new(
    "gateway.queue_records",
    "AFTERSEND_GATEWAY_QUEUE_RECORDS",
    "Records in the Kafka client's queue; a full queue is answered 503.",
)
.default("100000");
pub(super) const IDLE_TIMEOUT: Field = Field::new("gateway.idle_timeout", "AFTERSEND_GATEWAY_IDLE_TIMEOUT", "How long a connection may be silent between requests. Longer than any load balancer keeps it (650 s), so that the gateway is never the one that closes.").default("660s");
pub(super) const DRAIN_DELAY: Field = Field::new("gateway.drain_delay", "AFTERSEND_GATEWAY_DRAIN_DELAY", "How long requests are still taken after a stop was asked for: at least as long as the load balancer needs to notice.").default("10s");
pub(super) const PARTITION_CHECK_INTERVAL: Field = Field::new(
    "gateway.partition_check_interval",
    "AFTERSEND_GATEWAY_PARTITION_CHECK_INTERVAL",
    "How often raw's partition count is read again. A changed one is answered 503.",
)
.default("15s");
pub(super) const STALE_AFTER: Field = Field::new("gateway.stale_after", "AFTERSEND_GATEWAY_STALE_AFTER", "Signed longer ago than this, an event is a dead letter and never reaches raw. Longer than the vendor retries (7 d), and by 8 d shorter than the dedupe window.").default("14d");

/// Every setting of the gateway.
pub const FIELDS: &[&Field] = &[
    &SIGNING_KEYS,
    &SOURCE_KEYS,
    &LISTEN,
    &BODY_LIMIT,
    &BATCH_ITEMS_MAX,
    &REQUESTS_IN_FLIGHT_MAX,
    &BYTES_IN_FLIGHT_MAX,
    &CONNECTIONS_MAX,
    &MESSAGE_TIMEOUT,
    &ACK_DEADLINE,
    &REQUEST_TIMEOUT,
    &LINGER,
    &MESSAGE_MAX,
    &QUEUE_BYTES,
    &QUEUE_RECORDS,
    &IDLE_TIMEOUT,
    &DRAIN_DELAY,
    &PARTITION_CHECK_INTERVAL,
    &STALE_AFTER,
];
