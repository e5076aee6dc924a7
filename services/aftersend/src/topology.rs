//! The topics: made by `bootstrap`, held against what a role expects before it starts.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use kafka::publisher::Limits;
use kafka::transaction::{Tail, TailError};
use kafka::{Cluster, Outgoing, Publisher, TopicRequest};
use processor::domain::time::window::Window;
use schemas::topic::meta::{KEY, Topology};
use schemas::topic::{Partitioning, Topic};

use crate::configuration::{self, Common};
use crate::probe;

/// How long a broker has to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Replicas where there are brokers enough.
const REPLICATION: u32 = 3;
const DAY_MS: u64 = 86_400_000;

/// `aftersend bootstrap`
pub(crate) fn bootstrap_command(file: Option<&Path>, probe: bool) -> anyhow::Result<ExitCode> {
    let (common, processor) = configuration::read(file, processor::Settings::read)?;
    telemetry::init(&common.telemetry)?;
    if probe {
        let brokers = Cluster::connect(&common.connection)?.brokers(TIMEOUT)?;
        if !probe::run(&common, replication(&common, brokers))? {
            return Ok(ExitCode::FAILURE);
        }
    }
    let report = bootstrap(&common, processor.window)?;
    for line in report {
        println!("{line}");
    }
    Ok(ExitCode::SUCCESS)
}

/// How many copies a topic gets: as configured, else three where there are brokers enough.
fn replication(common: &Common, brokers: u32) -> u32 {
    common.replication.unwrap_or(REPLICATION.min(brokers))
}

/// Makes what is missing and checks what is there; answers what was done, a line each.
pub(crate) fn bootstrap(common: &Common, window: Window) -> anyhow::Result<Vec<String>> {
    let cluster = Cluster::connect(&common.connection)?;
    let brokers = cluster.brokers(TIMEOUT)?;
    let replication = replication(common, brokers);
    let mut report = vec![format!("{} brokers at {}", brokers, common.connection.bootstrap())];
    if replication < REPLICATION {
        report.push(format!(
            "replication is {replication}: fit for development, where losing a broker may lose data"
        ));
    }
    let found = cluster.topic(common.topics.name(Topic::Raw))?.map(|state| state.partitions);
    let topology = common.topology(found);
    let window = window_duration(window);
    let mut faults = Vec::new();
    for topic in Topic::ALL {
        let name = common.topics.name(topic);
        let partitions = if topic.partitioning() == Partitioning::Single { 1 } else { topology.partitions };
        let mut settings = topic.settings(window);
        if replication >= REPLICATION {
            settings.push(("min.insync.replicas", "2".to_owned()));
        }
        let request = TopicRequest { name, partitions, replication, settings: &settings };
        if cluster.create(&request).with_context(|| format!("topic {name}"))? {
            report.push(format!("created {name} ({partitions} partitions): {}", topic.purpose()));
        } else {
            faults.extend(differences(&cluster, &request)?);
        }
    }
    if !faults.is_empty() {
        bail!("the topics are not as they must be:\n{}", faults.join("\n"));
    }
    match read_meta(common)? {
        None => write_meta(common, &topology)?,
        Some(stored) => refuse_differences(&stored, &topology)?,
    }
    report.push(format!(
        "topics are ready: {} partitions, framed as {}",
        topology.partitions, topology.framing
    ));
    Ok(report)
}

/// What every role asks before it starts: are the topics those that it is configured for?
pub(crate) fn check(common: &Common) -> anyhow::Result<()> {
    let cluster = Cluster::connect(&common.connection)?;
    cluster.brokers(TIMEOUT)?;
    for topic in Topic::ALL {
        let name = common.topics.name(topic);
        if cluster.topic(name)?.is_none() {
            return Err(kafka::Error::UnknownTopic { topic: name.to_owned() }.into());
        }
    }
    let stored = read_meta(common)?.context("the meta topic is empty: run `aftersend bootstrap`")?;
    let raw = cluster.topic(common.topics.name(Topic::Raw))?.map(|state| state.partitions);
    if raw != Some(stored.partitions) {
        bail!(
            "{} has {} partitions and was made with {}: customers would be sent to other partitions than their state; make \
             new topics under another prefix and replay",
            common.topics.name(Topic::Raw),
            raw.unwrap_or_default(),
            stored.partitions
        );
    }
    refuse_differences(&stored, &common.topology(Some(stored.partitions)))
}

/// Refuses topics that can't hold what the gateway's producer may send: it would dead-letter what raw could have held (G7).
pub(crate) fn check_record_limit(common: &Common, message_max_bytes: u32) -> anyhow::Result<()> {
    let cluster = Cluster::connect(&common.connection)?;
    for topic in [Topic::Raw, Topic::DeadLetter] {
        let name = common.topics.name(topic);
        let settings = cluster.settings(name)?;
        let limit =
            settings.iter().find(|(key, _)| key == "max.message.bytes").map_or(0, |(_, value)| number(value));
        if limit < u64::from(message_max_bytes) {
            bail!(
                "{name} holds records of at most {limit} bytes and gateway.message_max is {message_max_bytes}: lower \
                 AFTERSEND_GATEWAY_MESSAGE_MAX, or raise the topic's max.message.bytes"
            );
        }
    }
    Ok(())
}

/// Refuses a dedupe window that raw outlives: a redrive of its oldest records would count twice (P1).
pub(crate) fn check_window(common: &Common, window: Window) -> anyhow::Result<()> {
    let cluster = Cluster::connect(&common.connection)?;
    let name = common.topics.name(Topic::Raw);
    let settings = cluster.settings(name)?;
    let millis = |key: &str| {
        let found = settings.iter().find(|(name, _)| name == key);
        // Kafka's -1 keeps for ever.
        found.and_then(|(_, value)| value.parse::<u64>().ok()).unwrap_or(u64::MAX / 4)
    };
    let outlives = millis("retention.ms") + millis("segment.ms") + 8 * DAY_MS;
    if outlives > u64::from(window.days()) * DAY_MS {
        bail!(
            "{name} keeps records for {} days (retention, one segment, and 8 days of retries), longer than the dedupe window \
             of {}: raise AFTERSEND_PROCESSOR_DEDUPE_WINDOW_DAYS, or lower the topic's retention.ms",
            outlives / DAY_MS,
            window.days()
        );
    }
    Ok(())
}

fn refuse_differences(stored: &Topology, configured: &Topology) -> anyhow::Result<()> {
    let differences = stored.differences(configured);
    if differences.is_empty() { Ok(()) } else { bail!("{}", differences.join("\n")) }
}

fn differences(cluster: &Cluster, wanted: &TopicRequest<'_>) -> anyhow::Result<Vec<String>> {
    let name = wanted.name;
    let Some(state) = cluster.topic(name)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    if state.partitions != wanted.partitions {
        found.push(format!(
            "{name} has {} partitions, wanted {}: the count can't be changed while there is data; use another prefix, or set \
             AFTERSEND_PARTITIONS to what is there",
            state.partitions, wanted.partitions
        ));
    }
    let actual = cluster.settings(name)?;
    for (key, value) in wanted.settings {
        let is = actual.iter().find(|(name, _)| name == key).map_or("unset", |(_, value)| value.as_str());
        if !suffices(key, is, value) {
            found.push(format!(
                "{name} has {key} = {is}, wanted {value}: kafka-configs.sh --alter --topic {name} --add-config {key}={value}"
            ));
        }
    }
    Ok(found)
}

/// Whether a topic's setting does for what is wanted. Where data would be lost or misread it must be equal, or at least as
/// large; everything else is the operator's.
fn suffices(key: &str, is: &str, wanted: &str) -> bool {
    match key {
        "cleanup.policy" | "message.timestamp.type" => is == wanted,
        "max.message.bytes" => number(is) >= number(wanted),
        _ => true,
    }
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_default()
}

fn read_meta(common: &Common) -> anyhow::Result<Option<Topology>> {
    let name = common.topics.name(Topic::Meta);
    let tail = Tail::new(&common.connection, "aftersend.meta")?;
    let (low, high) = tail.extent(name, 0)?;
    tail.await_decided(name, 0, high, TIMEOUT, &|| false)?;
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

fn write_meta(common: &Common, topology: &Topology) -> anyhow::Result<()> {
    let limits = Limits { message_timeout: TIMEOUT, ..Limits::default() };
    let publisher = Publisher::new(&common.connection, &limits)?;
    let value = serde_json::to_vec(topology)?;
    let topic = common.topics.name(Topic::Meta);
    let record =
        Outgoing { topic, partition: Some(0), key: Some(KEY.as_bytes()), value: Some(&value), headers: &[] };
    publisher.publish(&record)?.wait()?;
    Ok(())
}

fn window_duration(window: Window) -> Duration {
    Duration::from_millis(u64::from(window.days()) * DAY_MS)
}
