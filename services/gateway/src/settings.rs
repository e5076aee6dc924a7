//! The gateway's settings, and how they must stand to each other.

mod field;
mod source;

use std::net::SocketAddr;
use std::time::Duration;

use kafka::publisher::Limits;
use schemas::topic::RECORD_BYTES_MAX;
use settings::{ByteSize, Fault, Field, Reader, print_duration};

pub use field::FIELDS;
use field::{
    ACK_DEADLINE, BATCH_ITEMS_MAX, BODY_LIMIT, BYTES_IN_FLIGHT_MAX, CONNECTIONS_MAX, DRAIN_DELAY,
    IDLE_TIMEOUT, LINGER, LISTEN, MESSAGE_MAX, MESSAGE_TIMEOUT, PARTITION_CHECK_INTERVAL, QUEUE_BYTES,
    QUEUE_RECORDS, REQUEST_TIMEOUT, REQUESTS_IN_FLIGHT_MAX, STALE_AFTER,
};
pub use source::{DEFAULT_SOURCE, Source, signing_keys};

/// The gateway's settings. Each field's setting says what it means.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the caller binds the listener it hands to [`crate::run`].
    pub listen: SocketAddr,
    /// The endpoints with their keys; the first is the default one.
    pub sources: Vec<Source>,
    /// Bytes.
    pub body_limit: usize,
    /// Events.
    pub batch_items_max: usize,
    /// Requests.
    pub requests_in_flight_max: usize,
    /// Bytes.
    pub bytes_in_flight_max: usize,
    /// Connections.
    pub connections_max: usize,
    /// From the record's queueing.
    pub message_timeout: Duration,
    /// From the request's head.
    pub ack_deadline: Duration,
    /// From the request's head.
    pub request_timeout: Duration,
    /// From the record's queueing.
    pub linger: Duration,
    /// Bytes.
    pub message_max_bytes: u32,
    /// Bytes.
    pub queue_bytes: u64,
    /// Records.
    pub queue_records: u32,
    /// From the last answer.
    pub idle_timeout: Duration,
    /// From the stop's request.
    pub drain_delay: Duration,
    /// Between two looks.
    pub partition_check_interval: Duration,
    /// From the signed time.
    pub stale_after: Duration,
}

/// The vendor gives up here.
const VENDOR_TIMEOUT: Duration = Duration::from_secs(4);

/// librdkafka looks for timed-out records this often.
const TIMEOUT_SCAN: Duration = Duration::from_secs(1);

/// How long the vendor retries, and a day.
const STALE_AFTER_MIN: Duration = Duration::from_secs(8 * 86_400);

/// Four times a dead letter's head: room for the key and the record's other fields.
const MESSAGE_BYTES_MIN: u32 = 256 << 10;

impl Settings {
    /// Reads them; `None` where the reader recorded a fault.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let sources = source::read(reader);
        let listen = reader.read(&LISTEN);
        let body_limit = bytes(reader, &BODY_LIMIT);
        let batch_items_max = reader.read(&BATCH_ITEMS_MAX);
        let requests_in_flight_max = reader.read(&REQUESTS_IN_FLIGHT_MAX);
        let bytes_in_flight_max = bytes(reader, &BYTES_IN_FLIGHT_MAX);
        let connections_max = reader.read(&CONNECTIONS_MAX);
        let message_timeout = reader.read(&MESSAGE_TIMEOUT);
        let ack_deadline = reader.read(&ACK_DEADLINE);
        let request_timeout = reader.read(&REQUEST_TIMEOUT);
        let linger = reader.read(&LINGER);
        let message_max_bytes = bytes(reader, &MESSAGE_MAX);
        let queue_bytes = bytes(reader, &QUEUE_BYTES);
        let queue_records = reader.read(&QUEUE_RECORDS);
        let idle_timeout = reader.read(&IDLE_TIMEOUT);
        let drain_delay = reader.read(&DRAIN_DELAY);
        let partition_check_interval = reader.read(&PARTITION_CHECK_INTERVAL);
        let stale_after = reader.read(&STALE_AFTER);
        let settings = Self {
            sources: sources?,
            listen: listen?,
            body_limit: body_limit?,
            batch_items_max: batch_items_max?,
            requests_in_flight_max: requests_in_flight_max?,
            bytes_in_flight_max: bytes_in_flight_max?,
            connections_max: connections_max?,
            message_timeout: message_timeout?,
            ack_deadline: ack_deadline?,
            request_timeout: request_timeout?,
            linger: linger?,
            message_max_bytes: u32::try_from(message_max_bytes?).unwrap_or(u32::MAX),
            queue_bytes: queue_bytes? as u64,
            queue_records: queue_records?,
            idle_timeout: idle_timeout?,
            drain_delay: drain_delay?,
            partition_check_interval: partition_check_interval?,
            stale_after: stale_after?,
        };
        settings.relate_times(reader);
        settings.relate_sizes(reader);
        Some(settings)
    }

    /// Bounds of the producer.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            message_timeout: self.message_timeout,
            linger: self.linger,
            queue_bytes: self.queue_bytes,
            queue_records: self.queue_records,
            message_max_bytes: self.message_max_bytes,
            compression: "lz4",
        }
    }

    /// G2: each deadline leaves the one around it time to answer.
    fn relate_times(&self, reader: &mut Reader) {
        let print = print_duration;
        reader.require(self.message_timeout + TIMEOUT_SCAN <= self.ack_deadline, || {
            let wanted =
                format!("at least a second less than gateway.ack_deadline ({})", print(self.ack_deadline));
            Fault::new(
                &MESSAGE_TIMEOUT,
                print(self.message_timeout),
                wanted,
                "lower it: the client looks once a second",
            )
        });
        reader.require(self.ack_deadline < self.request_timeout, || {
            let wanted = format!("less than gateway.request_timeout ({})", print(self.request_timeout));
            Fault::new(&ACK_DEADLINE, print(self.ack_deadline), wanted, "lower it")
        });
        reader.require(self.request_timeout < VENDOR_TIMEOUT, || {
            Fault::new(
                &REQUEST_TIMEOUT,
                print(self.request_timeout),
                "less than 4s, when the vendor gives up",
                "lower it",
            )
        });
        reader.require(self.stale_after >= STALE_AFTER_MIN, || {
            Fault::new(
                &STALE_AFTER,
                print(self.stale_after),
                "at least 8d: a retry can be 7 days old",
                "raise it",
            )
        });
        reader.require(self.partition_check_interval >= TIMEOUT_SCAN, || {
            Fault::new(
                &PARTITION_CHECK_INTERVAL,
                print(self.partition_check_interval),
                "at least 1s",
                "raise it",
            )
        });
    }

    fn relate_sizes(&self, reader: &mut Reader) {
        let size = |bytes: usize| ByteSize(bytes as u64).to_string();
        let message_max = self.message_max_bytes as usize;
        reader.require((MESSAGE_BYTES_MIN..=RECORD_BYTES_MAX).contains(&self.message_max_bytes), || {
            let (least, most) = (size(MESSAGE_BYTES_MIN as usize), size(RECORD_BYTES_MAX as usize));
            Fault::new(
                &MESSAGE_MAX,
                size(message_max),
                format!("from {least} to {most}"),
                "keep it within what the topics hold",
            )
        });
        reader.require(message_max <= self.body_limit, || {
            let wanted = format!("at least gateway.message_max ({})", size(message_max));
            Fault::new(
                &BODY_LIMIT,
                size(self.body_limit),
                wanted,
                "raise it: what a topic holds must not be refused",
            )
        });
        reader.require(self.body_limit <= self.bytes_in_flight_max, || {
            let wanted = format!("at least gateway.body_limit ({})", size(self.body_limit));
            Fault::new(
                &BYTES_IN_FLIGHT_MAX,
                size(self.bytes_in_flight_max),
                wanted,
                "raise it: one body must fit",
            )
        });
        reader.require(self.bytes_in_flight_max as u64 <= self.queue_bytes, || {
            let wanted = format!("at least gateway.bytes_in_flight_max ({})", size(self.bytes_in_flight_max));
            Fault::new(
                &QUEUE_BYTES,
                ByteSize(self.queue_bytes).to_string(),
                wanted,
                "raise it: what was admitted must fit",
            )
        });
        let records = self.requests_in_flight_max.max(self.batch_items_max);
        reader.require(records <= self.queue_records as usize, || {
            let wanted = format!(
                "at least {records}, as admitted by gateway.requests_in_flight_max and batch_items_max"
            );
            Fault::new(&QUEUE_RECORDS, self.queue_records.to_string(), wanted, "raise it")
        });
        let bounds = [
            (&BATCH_ITEMS_MAX, self.batch_items_max),
            (&REQUESTS_IN_FLIGHT_MAX, self.requests_in_flight_max),
            (&CONNECTIONS_MAX, self.connections_max),
        ];
        for (field, bound) in bounds {
            reader.require(bound > 0, || Fault::new(field, "0", "at least 1", "raise it"));
        }
    }
}

fn bytes(reader: &mut Reader, field: &'static Field) -> Option<usize> {
    reader.read::<ByteSize>(field).map(|size| usize::try_from(size.bytes()).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests;
