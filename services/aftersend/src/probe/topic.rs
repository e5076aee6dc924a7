//! Settings of topics, ids of topics, and what the broker says of itself.

use std::time::{Duration, Instant};

use kafka::publisher::Limits;
use kafka::transaction::TailError;
use kafka::{Outgoing, PublishError, Publisher, TopicId, TopicRequest};

use super::claim::ProbeOutcome;
use super::resource::{ANSWER_MAX, Names, Resources};

/// How long compaction is watched: Kafka's cleaner looks every 15 s, and removes a tombstone in its second
/// round.
const CLEANING_MAX: Duration = Duration::from_secs(75);
const LOOK_EVERY: Duration = Duration::from_secs(1);
const GONE: &[u8] = b"gone";

/// The settings that the product's compacted topics depend on, so short that the cleaner has something to do.
const COMPACTED: &[(&str, &str)] = &[
    ("cleanup.policy", "compact"),
    ("delete.retention.ms", "1000"),
    ("min.compaction.lag.ms", "0"),
    ("max.compaction.lag.ms", "1000"),
    ("min.cleanable.dirty.ratio", "0.01"),
    ("segment.ms", "1000"),
    ("message.timestamp.type", "LogAppendTime"),
];

/// Creates the compacted topic. Tests whether the broker returns its settings as they were given.
pub(super) fn create_compacted(resources: &Resources<'_>, replication: u32) -> anyhow::Result<ProbeOutcome> {
    let settings: Vec<(&str, String)> =
        COMPACTED.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
    let name = &resources.names.compacted;
    resources.cluster.create(&TopicRequest { name, partitions: 1, replication, settings: &settings })?;
    Ok(compare_settings(COMPACTED, &resources.cluster.settings(name)?))
}

/// Whether `returned` has every setting as it was given.
pub(super) fn compare_settings(given: &[(&str, &str)], returned: &[(String, String)]) -> ProbeOutcome {
    let is = |key: &str| returned.iter().find(|(name, _)| name == key).map_or("nothing", |(_, value)| value);
    let differing: Vec<String> = given
        .iter()
        .filter(|(key, value)| is(key) != *value)
        .map(|(key, value)| format!("{key} = {} instead of {value}", is(key)))
        .collect();
    let seen = if differing.is_empty() { format!("{} settings", given.len()) } else { differing.join(", ") };
    ProbeOutcome::new(differing.is_empty(), seen)
}

/// A key that was written with a value and then without one.
pub(super) struct Tombstone {
    publisher: Publisher,
    written: Result<Instant, PublishError>,
}

impl Tombstone {
    pub(super) fn write(resources: &Resources<'_>) -> anyhow::Result<Self> {
        let limits = Limits { message_timeout: ANSWER_MAX, ..Limits::default() };
        let publisher = Publisher::new(resources.connection, &limits)?;
        let written = publish(&publisher, resources, GONE, Some(b"value"))
            .and_then(|()| publish(&publisher, resources, GONE, None))
            .map(|()| Instant::now());
        Ok(Self { publisher, written })
    }

    /// Waits until the log has no trace of the key.
    pub(super) fn await_gone(&self, resources: &Resources<'_>) -> anyhow::Result<ProbeOutcome> {
        let written = match &self.written {
            Ok(written) => written,
            Err(error) => return Ok(ProbeOutcome::unknown(format!("not written: {error}"))),
        };
        while written.elapsed() < CLEANING_MAX {
            // The cleaner skips the newest segment, and a log without new records. If this record is not
            // written, the wait below just ends without a result.
            let _ = publish(&self.publisher, resources, b"news", Some(b"value"));
            if traces(resources)? == 0 {
                return Ok(ProbeOutcome::new(true, format!("gone within {} s", written.elapsed().as_secs())));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(ProbeOutcome::unknown(format!("not seen within {} s", CLEANING_MAX.as_secs())))
    }
}

fn publish(
    publisher: &Publisher,
    resources: &Resources<'_>,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<(), PublishError> {
    let topic = &resources.names.compacted;
    let record = Outgoing { topic, partition: Some(0), key: Some(key), value, headers: &[] };
    publisher.publish(&record)?.wait().map(drop)
}

/// How many records of the key are left, values and tombstones.
pub(super) fn traces(resources: &Resources<'_>) -> anyhow::Result<usize> {
    let topic = &resources.names.compacted;
    let (low, _) = resources.tail.extent(topic, 0)?;
    let mut left = 0;
    let read = resources.tail.replay::<TailError>(topic, 0, low, &|| false, |record| {
        left += usize::from(record.key.as_deref() == Some(GONE));
        Ok(())
    });
    match read {
        Err(TailError::Kafka(error)) => Err(error.into()),
        // Not read to its end, so nothing is shown to be gone.
        Err(_) => Ok(left.max(1)),
        Ok(_) => Ok(left),
    }
}

/// Whether each of the probe's topics has an id of its own.
pub(super) fn have_ids(resources: &Resources<'_>) -> anyhow::Result<ProbeOutcome> {
    let Names { topic, compacted, .. } = &resources.names;
    Ok(compare_ids(&resources.cluster.topic_ids(&[topic, compacted])?))
}

/// Whether two topics have two ids.
pub(super) fn compare_ids(ids: &[Option<TopicId>]) -> ProbeOutcome {
    match ids {
        [Some(first), Some(second)] if first == second => ProbeOutcome::new(false, "one id for two topics"),
        [Some(_), Some(_)] => ProbeOutcome::new(true, "two topics, two ids"),
        _ => ProbeOutcome::new(false, "no ids (before Kafka 2.8, or not Kafka)"),
    }
}

/// Settings of the broker, as they must be. Both are Kafka's defaults.
const BROKER: &[(&str, &str)] =
    &[("unclean.leader.election.enable", "false"), ("transaction.partition.verification.enable", "true")];

/// Asks one broker for its settings.
pub(super) fn broker_settings(resources: &Resources<'_>) -> anyhow::Result<ProbeOutcome> {
    Ok(check_broker(&resources.cluster.broker_settings()?))
}

/// A broker that does not return a setting may be an older one, or not Apache Kafka: then nothing is shown.
pub(super) fn check_broker(returned: &[(String, String)]) -> ProbeOutcome {
    let missing: Vec<&str> = BROKER
        .iter()
        .map(|(key, _)| *key)
        .filter(|key| !returned.iter().any(|(name, _)| name == key))
        .collect();
    if missing.is_empty() {
        compare_settings(BROKER, returned)
    } else {
        ProbeOutcome::unknown(format!("the broker doesn't tell {}", missing.join(", ")))
    }
}

/// Redpanda's cluster property that lets the log cleaner remove transaction markers. It is off by default.
const MARKER_REMOVAL: &str = "log_compaction_tx_batch_removal_enabled";

/// Asks one broker whether it removes transaction markers.
pub(super) fn markers_leave(resources: &Resources<'_>) -> anyhow::Result<ProbeOutcome> {
    Ok(check_markers(&resources.cluster.broker_settings()?))
}

/// No client sees a marker, so the broker's settings must tell. Apache Kafka is known by a setting that no
/// other broker has, and always removes markers after `delete.retention.ms`.
pub(super) fn check_markers(returned: &[(String, String)]) -> ProbeOutcome {
    let told = |key: &str| returned.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    match told(MARKER_REMOVAL) {
        Some(value) => ProbeOutcome::new(value == "true", format!("{MARKER_REMOVAL} = {value}")),
        None if told("transaction.partition.verification.enable").is_some() => {
            ProbeOutcome::new(true, "Apache Kafka removes them after delete.retention.ms")
        }
        None => ProbeOutcome::unknown(format!(
            "the broker doesn't tell: look whether {MARKER_REMOVAL} is true where this is Redpanda"
        )),
    }
}
