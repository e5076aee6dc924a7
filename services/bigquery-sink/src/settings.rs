//! The settings of this sink.

use std::time::Duration;

use delivery::intake::OnGap;
use kafka::consumer::{BatchLimits, Group};
use settings::{ByteSize, Fault, Reader, print_duration};

use crate::Location;

settings::declare! {
    /// How the sink reads and stores.
    #[derive(Debug, Clone)]
    pub struct Settings in "warehouse", checked by relate {
        /// Where outcomes are stored: `sqlite:PATH`, one file on a local disk, for one instance of this sink.
        pub target: Location = "sqlite:warehouse.sqlite" { env: "AFTERSEND_WAREHOUSE" },
        /// Consumer group of the warehouse sink, to which the topic prefix is added. Where it is not set, it
        /// is `aftersend-warehouse-`, the warehouse's kind and a hash of its location, so that each
        /// warehouse has its own.
        pub group: Option<String>,
        /// Lasting name of this member of the group, such as the pod name of a StatefulSet. With it, a
        /// restart within the session timeout moves no partition.
        pub instance: Option<String>,
        /// After this time without a heartbeat, the group gives this sink's partitions to other members.
        pub session_timeout: Duration = "10s" { least: "6s", most: "5m" },
        /// Largest number of records stored in one transaction.
        pub batch_records: usize = "5000" { least: "1", most: "100000" },
        /// Largest size of the records stored in one transaction. A single record may be larger.
        pub batch_bytes: ByteSize = "8MiB" { least: "1KiB", most: "256MiB" },
        /// How long a batch waits to fill, and so how late a row can be.
        pub batch_wait: Duration = "500ms" { least: "10ms", most: "1m" },
        /// How long another program may hold the SQLite file's write lock before the sink stops with an
        /// error.
        pub lock_wait: Duration = "30s" { least: "0s", most: "2m" },
        /// How long a row is kept, counted from its event's time. Older rows are deleted, 1,000 in a second
        /// at most. Where it is not set, all rows are kept.
        pub keep: Option<Duration> { least: "1d" },
        /// What happens where records can't be read any more, because they were deleted or their topic was
        /// made anew: `refuse` reads nothing of the partition and is not ready, `record` writes the gap to
        /// the table `sink_gaps` and goes on.
        pub on_gap: OnGap = "refuse",
        /// The sink is not ready after this time without a finished batch or an empty poll. More than
        /// `batch_wait` and `lock_wait` together.
        pub stall_after: Duration = "1m",
    }
}

impl Settings {
    /// The consumer group and this member's place in it. `of_target` is the group where none is set.
    pub(crate) fn consumer_group(&self, prefix: &str, of_target: &str) -> Group {
        Group {
            id: format!("{prefix}{}", self.group.as_deref().unwrap_or(of_target)),
            instance: self.instance.clone(),
            session_timeout: self.session_timeout,
        }
    }

    /// Bounds of one transaction.
    pub(crate) fn batch(&self) -> BatchLimits {
        BatchLimits {
            records_max: self.batch_records,
            bytes_max: self.batch_bytes.into(),
            wait_max: self.batch_wait,
        }
    }

    fn relate(&self, reader: &mut Reader) {
        let waits = self.batch_wait + self.lock_wait;
        reader.require(self.stall_after > waits, || {
            let wanted = format!("more than batch_wait and lock_wait together ({})", print_duration(waits));
            Fault::new(
                Self::stall_after,
                print_duration(self.stall_after),
                wanted,
                "raise it, or lower one of them",
            )
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(env: &[(&str, &str)]) -> Result<Settings, String> {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut reader = Reader::new(Settings::FIELDS, None, env);
        let settings = Settings::read(&mut reader);
        reader.finish().map_err(|faults| faults.to_string())?;
        Ok(settings.expect("no fault, so settings"))
    }

    #[test]
    fn nothing_needs_to_be_set() {
        let settings = read(&[]).expect("defaults hold together");
        assert_eq!(settings.target.to_string(), "sqlite:warehouse.sqlite");
    }

    #[test]
    fn every_limit_is_held() {
        for (name, value) in [
            ("AFTERSEND_WAREHOUSE", "snowflake:x"),
            ("AFTERSEND_WAREHOUSE_BATCH_RECORDS", "0"),
            ("AFTERSEND_WAREHOUSE_BATCH_BYTES", "1GiB"),
            ("AFTERSEND_WAREHOUSE_BATCH_WAIT", "2m"),
            ("AFTERSEND_WAREHOUSE_SESSION_TIMEOUT", "1s"),
            ("AFTERSEND_WAREHOUSE_LOCK_WAIT", "1h"),
            ("AFTERSEND_WAREHOUSE_STALL_AFTER", "30s"),
        ] {
            let fault = read(&[(name, value)]).expect_err(name);
            assert!(fault.contains(name), "{fault}");
        }
    }

    #[test]
    fn a_warehouse_of_a_later_version_is_told_from_a_slip() {
        let fault = read(&[("AFTERSEND_WAREHOUSE", "bigquery:project.dataset")]).expect_err("not built yet");
        assert!(fault.contains("a later version writes it") && fault.contains("sqlite:PATH"), "{fault}");
    }
}
