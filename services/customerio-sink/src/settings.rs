//! The settings of this sink.

use std::time::Duration;

use delivery::Backoff;
use delivery::intake::OnGap;
use settings::{ByteSize, Fault, Reader};

settings::declare! {
    /// The settings of this sink.
    #[derive(Debug, Clone)]
    pub struct Settings in "customerio_sink", checked by relate {
        /// Consumer group of this sink, to which the topic prefix is added.
        pub group: String = "aftersend-customerio-sink",
        /// Lasting name of this member of the group. With it, a restart within the session timeout moves no
        /// partition.
        pub instance: Option<String>,
        /// After this time without a heartbeat, the group gives this sink's partitions to other members.
        pub session_timeout: Duration = "30s" { least: "1s", most: "30m" },
        /// Largest number of records in one batch. Offsets are committed after each batch.
        pub batch_records: usize = "2000" { least: "1", most: "100000" },
        /// Largest size of the records in one batch.
        pub batch_bytes: ByteSize = "16MiB" { least: "1B", most: "1GiB" },
        /// How long a batch waits to fill.
        pub batch_wait: Duration = "50ms",
        /// Largest number of operations in one request to the Track API.
        pub request_operations: usize = "200" { least: "1", most: "1000" },
        /// Largest number of requests to the Track API that wait for their answers together.
        pub requests_in_flight: usize = "8" { least: "1", most: "64" },
        /// Largest number of requests to the Track API per second. The vendor may drop data beyond its own
        /// limit.
        pub requests_per_second: u32 = "100" { least: "1", most: "1000" },
        /// Longest wait before the first retry. It doubles with each failure.
        pub retry_min: Duration = "500ms",
        /// Longest wait before any retry. No retry is the last: a record waits until Customer.io accepts or
        /// rejects it.
        pub retry_max: Duration = "60s",
        /// How long to wait before credentials that Customer.io refused are tried again.
        pub recheck_after: Duration = "30s",
        /// What happens where records can't be read any more, because they were deleted or their topic was
        /// made anew: `refuse` reads nothing of the partition and is not ready, `record` counts the gap and
        /// goes on.
        pub on_gap: OnGap = "refuse",
        /// How long a sink that stops waits for the answers to its open requests.
        pub drain_timeout: Duration = "3s",
    } with {
        /// How to reach Customer.io.
        pub track: customerio::Settings = customerio::Settings::FIELDS, customerio::Settings::read;
    }
}

impl Settings {
    /// How long to wait before a retry.
    #[must_use]
    pub fn retry(&self) -> Backoff {
        Backoff { base: self.retry_min, cap: self.retry_max }
    }

    fn relate(&self, reader: &mut Reader) {
        reader.require(!self.retry_min.is_zero() && self.retry_min <= self.retry_max, || {
            Fault::new(
                Self::retry_min,
                "zero, or more than the other",
                "above 0s and at most customerio_sink.retry_max",
                "lower it",
            )
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(env: &[(&str, &str)]) -> (Option<Settings>, Result<(), settings::Faults>) {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut reader = Reader::new(Settings::FIELDS, None, env);
        let settings = Settings::read(&mut reader);
        (settings, reader.finish())
    }

    const KEYS: [(&str, &str); 2] = [("CUSTOMERIO_SITE_ID", "site"), ("CUSTOMERIO_TRACK_API_KEY", "key")];

    #[test]
    fn the_keys_are_all_it_needs() {
        let (read, faults) = read(&KEYS);
        assert!(faults.is_ok(), "{faults:?}");
        let read = read.expect("complete");
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
