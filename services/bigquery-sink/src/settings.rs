use std::time::Duration;

use kafka::consumer::{Batch, Group};
use settings::{ByteSize, Fault, Field, Reader, print_duration};

use crate::Location;

static TARGET: Field = Field::new(
    "warehouse.target",
    "AFTERSEND_WAREHOUSE",
    "Where outcomes are stored: `sqlite:PATH`, one file on a local disk, for one instance of this sink.",
)
.default("sqlite:warehouse.sqlite");
static GROUP: Field = Field::new(
    "warehouse.group",
    "AFTERSEND_WAREHOUSE_GROUP",
    "Consumer group of the warehouse sink. One group per warehouse and topic prefix.",
)
.default("aftersend-bigquery-sink");
static INSTANCE: Field = Field::new(
    "warehouse.instance",
    "AFTERSEND_WAREHOUSE_INSTANCE",
    "Lasting name of this member of the group, such as a StatefulSet's pod name: a restart within the session timeout then moves no partition.",
);
static SESSION_TIMEOUT: Field = Field::new(
    "warehouse.session_timeout",
    "AFTERSEND_WAREHOUSE_SESSION_TIMEOUT",
    "After this long without a heartbeat the sink's partitions go to another member: 6s to 5m.",
)
.default("10s");
static BATCH_RECORDS: Field = Field::new(
    "warehouse.batch_records",
    "AFTERSEND_WAREHOUSE_BATCH_RECORDS",
    "Most records stored in one transaction: 1 to 100000.",
)
.default("5000");
static BATCH_BYTES: Field = Field::new(
    "warehouse.batch_bytes",
    "AFTERSEND_WAREHOUSE_BATCH_BYTES",
    "Most bytes stored in one transaction, from 1KiB to 256MiB; a single record may pass it.",
)
.default("8MiB");
static BATCH_WAIT: Field = Field::new(
    "warehouse.batch_wait",
    "AFTERSEND_WAREHOUSE_BATCH_WAIT",
    "How long a batch waits to fill, and so how late a row can be: 10ms to 1m.",
)
.default("500ms");
static LOCK_WAIT: Field = Field::new(
    "warehouse.lock_wait",
    "AFTERSEND_WAREHOUSE_LOCK_WAIT",
    "How long another program may hold the SQLite file's write lock before the sink stops with an error: at most 2m.",
)
.default("30s");
static STALL_AFTER: Field = Field::new(
    "warehouse.stall_after",
    "AFTERSEND_WAREHOUSE_STALL_AFTER",
    "Without a finished batch or an empty poll for this long the sink is not ready. More than the waits for a batch and a lock together.",
)
.default("1m");

/// Every setting of this sink.
pub const FIELDS: &[&Field] = &[
    &TARGET,
    &GROUP,
    &INSTANCE,
    &SESSION_TIMEOUT,
    &BATCH_RECORDS,
    &BATCH_BYTES,
    &BATCH_WAIT,
    &LOCK_WAIT,
    &STALL_AFTER,
];

/// How the sink reads and stores.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where outcomes are stored.
    pub target: Location,
    /// The consumer group.
    pub group: Group,
    /// Bounds of one transaction.
    pub batch: Batch,
    /// Longest wait for another program's lock.
    pub lock_wait: Duration,
    /// Without progress for this long the sink is not ready.
    pub stall_after: Duration,
}

impl Settings {
    /// Reads them; `None` where the reader recorded a fault.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let target = reader.read(&TARGET);
        let group = group(reader);
        let batch = batch(reader);
        let lock_wait = within(reader, &LOCK_WAIT, Duration::ZERO, Duration::from_secs(120));
        let stall_after = reader.read(&STALL_AFTER);
        let settings = Self {
            target: target?,
            group: group?,
            batch: batch?,
            lock_wait: lock_wait?,
            stall_after: stall_after?,
        };
        let waits = settings.batch.wait_max + settings.lock_wait;
        reader.require(settings.stall_after > waits, || {
            let wanted = format!("more than batch_wait and lock_wait together ({})", print_duration(waits));
            Fault::new(
                &STALL_AFTER,
                print_duration(settings.stall_after),
                wanted,
                "raise it, or lower one of them",
            )
        });
        Some(settings)
    }
}

fn group(reader: &mut Reader) -> Option<Group> {
    let id = reader.read(&GROUP);
    let instance = reader.optional(&INSTANCE);
    let session_timeout = within(reader, &SESSION_TIMEOUT, Duration::from_secs(6), Duration::from_secs(300));
    Some(Group { id: id?, instance: instance?, session_timeout: session_timeout? })
}

fn batch(reader: &mut Reader) -> Option<Batch> {
    let records: Option<usize> = reader.read(&BATCH_RECORDS);
    let bytes: Option<ByteSize> = reader.read(&BATCH_BYTES);
    let wait = within(reader, &BATCH_WAIT, Duration::from_millis(10), Duration::from_secs(60));
    let (records, bytes) = (records?, bytes?);
    reader.require((1..=100_000).contains(&records), || {
        Fault::new(&BATCH_RECORDS, records.to_string(), "1 to 100000", "choose a number between them")
    });
    reader.require((1 << 10..=256 << 20).contains(&bytes.bytes()), || {
        Fault::new(&BATCH_BYTES, bytes.to_string(), "1KiB to 256MiB", "choose a size between them")
    });
    let bytes_max = usize::try_from(bytes.bytes()).unwrap_or(usize::MAX);
    Some(Batch { records_max: records, bytes_max, wait_max: wait? })
}

fn within(reader: &mut Reader, field: &'static Field, least: Duration, most: Duration) -> Option<Duration> {
    let duration: Duration = reader.read(field)?;
    reader.require((least..=most).contains(&duration), || {
        let wanted = format!("{} to {}", print_duration(least), print_duration(most));
        Fault::new(field, print_duration(duration), wanted, "choose a duration between them")
    });
    Some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(env: &[(&str, &str)]) -> Result<Settings, String> {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut reader = Reader::new(FIELDS, None, env);
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
