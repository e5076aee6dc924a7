//! What a topic's settings are worth, and what the broker says of itself.

use std::time::{Duration, Instant};

use futures::executor::block_on;
use rdkafka::admin::{AdminOptions, ResourceSpecifier};

use super::claim::Tried;
use super::site::{Names, PATIENCE, Site};
use crate::publisher::Limits;
use crate::transaction::TailError;
use crate::{Connection, Error, Outgoing, PublishError, Publisher, TopicId, TopicRequest};

/// How long compaction is watched: Kafka's cleaner looks every 15 s, and a tombstone goes in its second round.
const CLEANING_MAX: Duration = Duration::from_secs(75);
const LOOK_EVERY: Duration = Duration::from_secs(1);
const GONE: &[u8] = b"gone";

/// The settings that the product's compacted topics lean on, so short that the cleaner has something to do.
const COMPACTED: &[(&str, &str)] = &[
    ("cleanup.policy", "compact"),
    ("delete.retention.ms", "1000"),
    ("min.compaction.lag.ms", "0"),
    ("max.compaction.lag.ms", "1000"),
    ("min.cleanable.dirty.ratio", "0.01"),
    ("segment.ms", "1000"),
    ("message.timestamp.type", "LogAppendTime"),
];

/// Makes the compacted topic; tried is whether its settings are told back as they were given.
pub(super) fn make_compacted(site: &Site<'_>, replication: u32) -> Result<Tried, Error> {
    let settings: Vec<(&str, String)> =
        COMPACTED.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
    let name = &site.names.compacted;
    site.cluster.create(&TopicRequest { name, partitions: 1, replication, settings: &settings })?;
    Ok(told_back(COMPACTED, &site.cluster.settings(name)?))
}

/// Whether `told` has every setting as it was given.
pub(super) fn told_back(given: &[(&str, &str)], told: &[(String, String)]) -> Tried {
    let is = |key: &str| told.iter().find(|(name, _)| name == key).map_or("nothing", |(_, value)| value);
    let differing: Vec<String> = given
        .iter()
        .filter(|(key, value)| is(key) != *value)
        .map(|(key, value)| format!("{key} = {} instead of {value}", is(key)))
        .collect();
    let seen = if differing.is_empty() { format!("{} settings", given.len()) } else { differing.join(", ") };
    Tried::new(differing.is_empty(), seen)
}

/// A key with a value and then none, written a while ago.
pub(super) struct Tombstone {
    publisher: Publisher,
    written: Result<Instant, PublishError>,
}

impl Tombstone {
    pub(super) fn write(site: &Site<'_>) -> Result<Self, Error> {
        let limits = Limits { message_timeout: PATIENCE, ..Limits::default() };
        let publisher = Publisher::new(site.connection, &limits)?;
        let value = publish(&publisher, site, GONE, Some(b"value"));
        let none = value.and_then(|()| publish(&publisher, site, GONE, None));
        Ok(Self { publisher, written: none.map(|()| Instant::now()) })
    }

    /// Waits until the log has no trace of the key.
    pub(super) fn await_gone(&self, site: &Site<'_>) -> Result<Tried, Error> {
        let written = match &self.written {
            Ok(written) => written,
            Err(error) => return Ok(Tried::unknown(format!("not written: {error}"))),
        };
        while written.elapsed() < CLEANING_MAX {
            // The cleaner leaves the newest segment alone, and a log without news as it is. Where they fail, nothing goes.
            let _ = publish(&self.publisher, site, b"news", Some(b"value"));
            if traces(site)? == 0 {
                return Ok(Tried::new(true, format!("gone within {} s", written.elapsed().as_secs())));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(Tried::unknown(format!("not seen within {} s", CLEANING_MAX.as_secs())))
    }
}

fn publish(
    publisher: &Publisher,
    site: &Site<'_>,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<(), PublishError> {
    let topic = &site.names.compacted;
    let record = Outgoing { topic, partition: Some(0), key: Some(key), value, headers: &[] };
    publisher.publish(&record)?.wait().map(drop)
}

/// Records, values and tombstones, that are left of the key.
pub(super) fn traces(site: &Site<'_>) -> Result<usize, Error> {
    let topic = &site.names.compacted;
    let (low, _) = site.tail.extent(topic, 0)?;
    let mut left = 0;
    let read = site.tail.replay::<TailError>(topic, 0, low, &|| false, |record| {
        left += usize::from(record.key.as_deref() == Some(GONE));
        Ok(())
    });
    match read {
        Err(TailError::Kafka(error)) => Err(error),
        // Not read to its end: nothing is shown to be gone.
        Err(_) => Ok(left.max(1)),
        Ok(_) => Ok(left),
    }
}

/// Asks for the ids of the probe's topics.
pub(super) fn have_ids(site: &Site<'_>) -> Result<Tried, Error> {
    let Names { topic, compacted, .. } = &site.names;
    Ok(judge_ids(&site.cluster.topic_ids(&[topic, compacted])?))
}

/// Whether each of two topics has an id, and not the other's.
pub(super) fn judge_ids(ids: &[Option<TopicId>]) -> Tried {
    match ids {
        [Some(one), Some(other)] if one == other => Tried::new(false, "one id for two topics"),
        [Some(_), Some(_)] => Tried::new(true, "two topics, two ids"),
        _ => Tried::new(false, "no ids (before Kafka 2.8, or not Kafka)"),
    }
}

/// What must be so at the broker, and what it is by default.
const BROKER: &[(&str, &str)] =
    &[("unclean.leader.election.enable", "false"), ("transaction.partition.verification.enable", "true")];

/// Asks one broker for its settings.
pub(super) fn broker_settings(site: &Site<'_>) -> Result<Tried, Error> {
    let failed = |source| Error::of("describe a broker", source);
    let metadata = site.admin.inner().fetch_metadata(None, Connection::METADATA_TIMEOUT).map_err(failed)?;
    let Some(broker) = metadata.brokers().first() else { return Ok(Tried::unknown("no broker is named")) };
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let asked = [ResourceSpecifier::Broker(broker.id())];
    let described = block_on(site.admin.describe_configs(&asked, &options)).map_err(failed)?;
    let entries = described.into_iter().flatten().flat_map(|resource| resource.entries);
    let told: Vec<(String, String)> = entries.filter_map(|entry| Some((entry.name, entry.value?))).collect();
    Ok(judge_broker(&told))
}

/// A broker that tells less may be an older one, or no Apache Kafka: it is asked about, not accused.
pub(super) fn judge_broker(told: &[(String, String)]) -> Tried {
    let untold: Vec<&str> =
        BROKER.iter().map(|(key, _)| *key).filter(|key| !told.iter().any(|(name, _)| name == key)).collect();
    if untold.is_empty() {
        told_back(BROKER, told)
    } else {
        Tried::unknown(format!("the broker doesn't tell {}", untold.join(", ")))
    }
}
