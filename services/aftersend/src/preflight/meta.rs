//! The meta topic: with which settings the topics were made. `bootstrap` writes it, and every role reads it.

use anyhow::{Context as _, bail};
use kafka::publisher::Limits;
use kafka::transaction::{Tail, TailError};
use kafka::{Outgoing, Publisher};
use schemas::topic::meta::{KEY, Topology};
use schemas::topic::{Topic, Topics};

use super::ANSWER_MAX;
use crate::configuration::Common;

/// The group under which the meta topic is read. No member ever joins it: a reader only needs a name.
pub(crate) fn group(prefix: &str) -> String {
    format!("{prefix}aftersend.meta")
}

/// The latest record of the meta topic among `topics`; `None` if the topic is empty.
///
/// # Errors
/// If no broker answers, or the record cannot be parsed.
pub(crate) fn read(common: &Common, topics: &Topics) -> anyhow::Result<Option<Topology>> {
    let name = topics.name(Topic::Meta);
    let tail = Tail::new(&common.connection, &group(&common.prefix))?;
    let (low, high) = tail.extent(name, 0)?;
    tail.await_decided(name, 0, high, ANSWER_MAX, &|| false)?;
    let mut stored = None;
    tail.replay::<TailError>(name, 0, low, &|| false, |record| {
        if record.key.as_deref() == Some(KEY.as_bytes()) {
            stored = record.value;
        }
        Ok(())
    })?;
    stored
        .map(|bytes| serde_json::from_slice(&bytes).with_context(|| format!("{name} does not read")))
        .transpose()
}

/// Writes the record, and returns once all in-sync replicas have it.
///
/// # Errors
/// If Kafka does not take it.
pub(crate) fn write(common: &Common, topics: &Topics, topology: &Topology) -> anyhow::Result<()> {
    let limits = Limits { message_timeout: ANSWER_MAX, ..Limits::default() };
    let publisher = Publisher::new(&common.connection, &limits)?;
    let value = serde_json::to_vec(topology)?;
    let topic = topics.name(Topic::Meta);
    let record =
        Outgoing { topic, partition: Some(0), key: Some(KEY.as_bytes()), value: Some(&value), headers: &[] };
    publisher.publish(&record)?.wait()?;
    Ok(())
}

/// Refuses settings that differ from those with which the topics were made.
///
/// # Errors
/// One line per difference.
pub(crate) fn refuse_differences(stored: &Topology, configured: &Topology) -> anyhow::Result<()> {
    let differences = stored.differences(configured);
    if differences.is_empty() { Ok(()) } else { bail!("{}", differences.join("\n")) }
}
