use std::time::Duration;

use delivery::Backoff;
use settings::{ByteSize, Fault, Field, Reader};

const GROUP: Field =
    Field::new("customerio_sink.group", "AFTERSEND_CUSTOMERIO_SINK_GROUP", "Consumer group of this sink.")
        .default("aftersend-customerio-sink");
const INSTANCE: Field = Field::new(
    "customerio_sink.instance",
    "AFTERSEND_CUSTOMERIO_SINK_INSTANCE",
    "Lasting name of this member of the group: a restart within the session timeout then moves no partition.",
);
const SESSION_TIMEOUT: Field = Field::new(
    "customerio_sink.session_timeout",
    "AFTERSEND_CUSTOMERIO_SINK_SESSION_TIMEOUT",
    "After this long without a heartbeat the group gives this sink's partitions to others.",
)
.default("30s");
const BATCH_RECORDS: Field = Field::new(
    "customerio_sink.batch_records",
    "AFTERSEND_CUSTOMERIO_SINK_BATCH_RECORDS",
    "Records taken in hand at once, at most. Offsets are committed after each such batch.",
)
.default("2000");
const BATCH_BYTES: Field = Field::new(
    "customerio_sink.batch_bytes",
    "AFTERSEND_CUSTOMERIO_SINK_BATCH_BYTES",
    "Bytes of records taken in hand at once, at most.",
)
.default("16MiB");
const BATCH_WAIT: Field = Field::new(
    "customerio_sink.batch_wait",
    "AFTERSEND_CUSTOMERIO_SINK_BATCH_WAIT",
    "How long a batch waits to fill.",
)
.default("50ms");
const REQUEST_OPERATIONS: Field = Field::new(
    "customerio_sink.request_operations",
    "AFTERSEND_CUSTOMERIO_SINK_REQUEST_OPERATIONS",
    "Operations in one request to the Track API, at most 1000.",
)
.default("200");
const REQUESTS_IN_FLIGHT: Field = Field::new(
    "customerio_sink.requests_in_flight",
    "AFTERSEND_CUSTOMERIO_SINK_REQUESTS_IN_FLIGHT",
    "Requests to the Track API that may wait for their answers together, at most 64.",
)
.default("8");
const REQUESTS_PER_SECOND: Field = Field::new(
    "customerio_sink.requests_per_second",
    "AFTERSEND_CUSTOMERIO_SINK_REQUESTS_PER_SECOND",
    "Requests to the Track API per second, at most 1000. The vendor may drop data beyond its own limit.",
)
.default("100");
const RETRY_MIN: Field = Field::new(
    "customerio_sink.retry_min",
    "AFTERSEND_CUSTOMERIO_SINK_RETRY_MIN",
    "Longest wait before the first retry; it doubles with each failure.",
)
.default("500ms");
const RETRY_MAX: Field = Field::new(
    "customerio_sink.retry_max",
    "AFTERSEND_CUSTOMERIO_SINK_RETRY_MAX",
    "Longest wait before any retry. There is no last one: a record waits until Customer.io takes or refuses it.",
)
.default("60s");
const RECHECK_AFTER: Field = Field::new(
    "customerio_sink.recheck_after",
    "AFTERSEND_CUSTOMERIO_SINK_RECHECK_AFTER",
    "How long to wait before trying credentials again that Customer.io refused.",
)
.default("30s");
const DRAIN_TIMEOUT: Field = Field::new(
    "customerio_sink.drain_timeout",
    "AFTERSEND_CUSTOMERIO_SINK_DRAIN_TIMEOUT",
    "How long requests in flight are waited for when the sink stops.",
)
.default("3s");

const OWN: &[&Field] = &[
    &GROUP,
    &INSTANCE,
    &SESSION_TIMEOUT,
    &BATCH_RECORDS,
    &BATCH_BYTES,
    &BATCH_WAIT,
    &REQUEST_OPERATIONS,
    &REQUESTS_IN_FLIGHT,
    &REQUESTS_PER_SECOND,
    &RETRY_MIN,
    &RETRY_MAX,
    &RECHECK_AFTER,
    &DRAIN_TIMEOUT,
];

/// Every setting of this role, the vendor's API included.
pub const FIELDS: &[&Field] = &joined::<{ OWN.len() + customerio::FIELDS.len() }>(OWN, customerio::FIELDS);

/// The settings of this role.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How to reach Customer.io.
    pub track: customerio::Settings,
    /// Consumer group.
    pub group: String,
    /// Lasting name in the group.
    pub instance: Option<String>,
    /// After this long without a heartbeat this member is taken for dead.
    pub session_timeout: Duration,
    /// Records in a batch.
    pub batch_records: usize,
    /// Bytes in a batch.
    pub batch_bytes: ByteSize,
    /// How long a batch waits to fill.
    pub batch_wait: Duration,
    /// Operations in a request.
    pub request_operations: usize,
    /// Requests in flight.
    pub requests_in_flight: usize,
    /// Requests per second.
    pub requests_per_second: u32,
    /// How long to wait before a retry.
    pub retry: Backoff,
    /// How long to wait before refused credentials are tried again.
    pub recheck_after: Duration,
    /// How long requests are waited for when the sink stops.
    pub drain_timeout: Duration,
}

impl Settings {
    /// The settings' defaults around a workspace's own.
    #[must_use]
    pub fn of(track: customerio::Settings) -> Self {
        Self {
            track,
            group: "aftersend-customerio-sink".to_owned(),
            instance: None,
            session_timeout: Duration::from_secs(30),
            batch_records: 2000,
            batch_bytes: ByteSize(16 << 20),
            batch_wait: Duration::from_millis(50),
            request_operations: 200,
            requests_in_flight: 8,
            requests_per_second: 100,
            retry: Backoff { base: Duration::from_millis(500), cap: Duration::from_secs(60) },
            recheck_after: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(3),
        }
    }

    /// Reads them; `None` where the reader recorded a fault.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let track = customerio::Settings::read(reader);
        let group = reader.read(&GROUP);
        let instance = reader.optional(&INSTANCE);
        let session_timeout = reader.read(&SESSION_TIMEOUT);
        let (batch_records, batch_bytes, batch_wait) =
            (reader.read(&BATCH_RECORDS), reader.read(&BATCH_BYTES), reader.read(&BATCH_WAIT));
        let (request_operations, requests_in_flight) =
            (reader.read(&REQUEST_OPERATIONS), reader.read(&REQUESTS_IN_FLIGHT));
        let requests_per_second = reader.read(&REQUESTS_PER_SECOND);
        let (retry_min, retry_max) = (reader.read(&RETRY_MIN), reader.read(&RETRY_MAX));
        let (recheck_after, drain_timeout) = (reader.read(&RECHECK_AFTER), reader.read(&DRAIN_TIMEOUT));
        let settings = Self {
            track: track?,
            group: group?,
            instance: instance?,
            session_timeout: session_timeout?,
            batch_records: batch_records?,
            batch_bytes: batch_bytes?,
            batch_wait: batch_wait?,
            request_operations: request_operations?,
            requests_in_flight: requests_in_flight?,
            requests_per_second: requests_per_second?,
            retry: Backoff { base: retry_min?, cap: retry_max? },
            recheck_after: recheck_after?,
            drain_timeout: drain_timeout?,
        };
        settings.check(reader);
        Some(settings)
    }

    fn check(&self, reader: &mut Reader) {
        let mut within = |field: &'static Field, value: u64, max: u64| {
            reader.require((1..=max).contains(&value), || {
                Fault::new(field, value.to_string(), format!("1 to {max}"), "choose a number within")
            });
        };
        within(&BATCH_RECORDS, self.batch_records as u64, 100_000);
        within(&BATCH_BYTES, self.batch_bytes.bytes(), 1 << 30);
        within(&REQUEST_OPERATIONS, self.request_operations as u64, 1000);
        within(&REQUESTS_IN_FLIGHT, self.requests_in_flight as u64, 64);
        within(&REQUESTS_PER_SECOND, u64::from(self.requests_per_second), 1000);
        within(&SESSION_TIMEOUT, self.session_timeout.as_secs(), 1800);
        reader.require(!self.retry.base.is_zero() && self.retry.base <= self.retry.cap, || {
            Fault::new(
                &RETRY_MIN,
                "zero, or more than the other",
                "above 0s and at most customerio_sink.retry_max",
                "lower it",
            )
        });
    }
}

const fn joined<const N: usize>(
    first: &'static [&'static Field],
    second: &'static [&'static Field],
) -> [&'static Field; N] {
    let mut all = [&GROUP; N];
    let mut index = 0;
    while index < N {
        all[index] = if index < first.len() { first[index] } else { second[index - first.len()] };
        index += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(env: &[(&str, &str)]) -> (Option<Settings>, Result<(), settings::Faults>) {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut reader = Reader::new(FIELDS, None, env);
        let settings = Settings::read(&mut reader);
        (settings, reader.finish())
    }

    const KEYS: [(&str, &str); 2] = [("CUSTOMERIO_SITE_ID", "site"), ("CUSTOMERIO_TRACK_API_KEY", "key")];

    #[test]
    fn the_documented_defaults_are_the_ones_in_code() {
        let (read, faults) = read(&KEYS);
        assert!(faults.is_ok(), "{faults:?}");
        let read = read.expect("complete");
        assert_eq!(format!("{read:?}"), format!("{:?}", Settings::of(read.track.clone())));
        assert_eq!(read.track.api_key.expose(), "key");
    }

    #[test]
    fn e3_a_limit_out_of_its_range_is_a_fault() {
        let with = |name, value| read(&[KEYS[0], KEYS[1], (name, value)]).1.expect_err("a fault").to_string();
        assert!(with("AFTERSEND_CUSTOMERIO_SINK_REQUEST_OPERATIONS", "0").contains("1 to 1000"));
        assert!(with("AFTERSEND_CUSTOMERIO_SINK_RETRY_MIN", "2m").contains("retry_max"));
        assert!(with("AFTERSEND_CUSTOMERIO_URL", "track.example.com/v2").contains("customerio.url"));
        assert!(with("CUSTOMERIO_REGION", "mars").contains("us or eu"));
    }

    #[test]
    fn missing_keys_are_named_together() {
        let faults = read(&[]).1.expect_err("faults").to_string();
        assert!(faults.contains("CUSTOMERIO_SITE_ID") && faults.contains("CUSTOMERIO_API_KEY"), "{faults}");
    }
}
