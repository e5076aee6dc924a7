//! The gateway's settings, and what they must be to each other.

mod source;

use std::net::SocketAddr;
use std::time::Duration;

use kafka::publisher::Limits;
use schemas::topic::RECORD_BYTES_MAX;
use settings::{ByteSize, Fault, Reader, print_duration};

pub use source::{DEFAULT_SOURCE, Source, signing_keys};

settings::declare! {
    /// The gateway's settings.
    #[derive(Debug, Clone)]
    pub struct Settings in "gateway", checked by relate {
        /// Address and port where webhooks are accepted. Plain HTTP/1.1: TLS ends at the load balancer.
        pub listen: SocketAddr = "0.0.0.0:8080" { env: "AFTERSEND_LISTEN" },
        /// Largest request body. A larger one is answered 413. Far above what the vendor sends.
        pub body_limit: usize as ByteSize = "16MiB",
        /// Largest number of events in one body. More are answered 413. The vendor sends one.
        pub batch_items_max: usize = "10000" { least: "1" },
        /// Largest number of requests in progress. Further requests are answered 503.
        pub requests_in_flight_max: usize = "1024" { least: "1" },
        /// Largest size of all bodies in memory. Further requests are answered 503.
        pub bytes_in_flight_max: usize as ByteSize = "64MiB",
        /// Largest number of open connections. Further connections wait to be accepted. Each needs a file
        /// descriptor.
        pub connections_max: usize = "4096" { least: "1" },
        /// The Kafka client gives up a record that is not acknowledged after this time. It checks once a
        /// second.
        pub message_timeout: Duration = "1500ms",
        /// Longest wait for Kafka, from the request's head. After it the answer is 503.
        pub ack_deadline: Duration = "2600ms",
        /// Longest time from a request's head to its answer. The vendor gives up after 4s.
        pub request_timeout: Duration = "2900ms",
        /// How long a record waits in the Kafka client for others, to be sent together with them.
        pub linger: Duration = "2ms",
        /// Largest record sent to Kafka, at most what bootstrap lets the topics hold. A larger event is kept
        /// without its message body. If it is still too large, it becomes a dead letter.
        pub message_max_bytes: u32 as ByteSize = "4MiB" {
            key: "gateway.message_max",
            env: "AFTERSEND_GATEWAY_MESSAGE_MAX",
        },
        /// Largest size of the Kafka client's queue. When the queue is full, requests are answered 503.
        pub queue_bytes: u64 as ByteSize = "128MiB",
        /// Largest number of records in the Kafka client's queue. When the queue is full, requests are
        /// answered 503.
        pub queue_records: u32 = "100000",
        /// How long a connection may be silent between two requests. Longer than any load balancer keeps it
        /// (650s), so that the gateway is never the side that closes it.
        pub idle_timeout: Duration = "660s",
        /// How long requests are still accepted after a stop was requested: at least as long as the load
        /// balancer needs to notice it.
        pub drain_delay: Duration = "10s",
        /// Time between two checks of the raw topic's partition count. While it is not the count at boot,
        /// requests are answered 503.
        pub partition_check_interval: Duration = "15s" { least: "1s" },
        /// An event that was signed longer ago than this becomes a dead letter and never reaches the raw
        /// topic. Longer than the vendor retries (7d), and at least 8d shorter than the dedupe window.
        pub stale_after: Duration = "14d" { least: "8d", because: "a retry can be 7 days old" },
    } with {
        /// The endpoints with their keys. The first is the default endpoint.
        pub sources: Vec<Source> = source::Keys::FIELDS, source::read;
    }
}

/// The vendor gives up here.
const VENDOR_TIMEOUT: Duration = Duration::from_secs(4);

/// librdkafka looks for timed-out records this often.
const TIMEOUT_SCAN: Duration = Duration::from_secs(1);

/// Four times a dead letter's head: room for the key and the record's other fields.
const MESSAGE_BYTES_MIN: u32 = 256 << 10;

/// From which age on a signature takes no effect (G5), for those who only check signatures.
pub fn stale_after(reader: &mut Reader) -> Option<Duration> {
    reader.read(Settings::stale_after)
}

impl Settings {
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

    fn relate(&self, reader: &mut Reader) {
        self.relate_times(reader);
        self.relate_sizes(reader);
    }

    /// G2: each deadline leaves the one around it time to answer.
    fn relate_times(&self, reader: &mut Reader) {
        let print = print_duration;
        reader.require(self.message_timeout + TIMEOUT_SCAN <= self.ack_deadline, || {
            let wanted =
                format!("at least a second less than gateway.ack_deadline ({})", print(self.ack_deadline));
            Fault::new(
                Self::message_timeout,
                print(self.message_timeout),
                wanted,
                "lower it: the client looks once a second",
            )
        });
        reader.require(self.ack_deadline < self.request_timeout, || {
            let wanted = format!("less than gateway.request_timeout ({})", print(self.request_timeout));
            Fault::new(Self::ack_deadline, print(self.ack_deadline), wanted, "lower it")
        });
        reader.require(self.request_timeout < VENDOR_TIMEOUT, || {
            Fault::new(
                Self::request_timeout,
                print(self.request_timeout),
                "less than 4s, when the vendor gives up",
                "lower it",
            )
        });
    }

    fn relate_sizes(&self, reader: &mut Reader) {
        let size = |bytes: usize| ByteSize(bytes as u64).to_string();
        let message_max = self.message_max_bytes as usize;
        reader.require((MESSAGE_BYTES_MIN..=RECORD_BYTES_MAX).contains(&self.message_max_bytes), || {
            let (least, most) = (size(MESSAGE_BYTES_MIN as usize), size(RECORD_BYTES_MAX as usize));
            Fault::new(
                Self::message_max_bytes,
                size(message_max),
                format!("from {least} to {most}"),
                "keep it within what the topics hold",
            )
        });
        reader.require(message_max <= self.body_limit, || {
            let wanted = format!("at least gateway.message_max ({})", size(message_max));
            Fault::new(
                Self::body_limit,
                size(self.body_limit),
                wanted,
                "raise it: what a topic holds must not be refused",
            )
        });
        reader.require(self.body_limit <= self.bytes_in_flight_max, || {
            let wanted = format!("at least gateway.body_limit ({})", size(self.body_limit));
            Fault::new(
                Self::bytes_in_flight_max,
                size(self.bytes_in_flight_max),
                wanted,
                "raise it: one body must fit",
            )
        });
        reader.require(self.bytes_in_flight_max as u64 <= self.queue_bytes, || {
            let wanted = format!("at least gateway.bytes_in_flight_max ({})", size(self.bytes_in_flight_max));
            Fault::new(
                Self::queue_bytes,
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
            Fault::new(Self::queue_records, self.queue_records.to_string(), wanted, "raise it")
        });
    }
}

#[cfg(test)]
mod tests;
