//! What a role checks before it starts: that the topics are the ones that it is configured for.

pub(crate) mod acl;
pub(crate) mod limit;
pub(crate) mod meta;
pub(crate) mod topic;

use std::time::Duration;

use anyhow::{Context as _, bail};
use kafka::Cluster;
use kafka::transaction::TailError;
use processor::FormatLevel;
use schemas::topic::{Partitioning, Topic, Topics};
use thiserror::Error;
use tracing::{info, warn};

use crate::configuration::Common;
use crate::process::Process;
use acl::Principal;

/// How long a broker has to answer.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How long until a check that failed is repeated.
pub(crate) const ASK_AGAIN: Duration = Duration::from_secs(2);
/// The component under which readiness shows what a start waits for.
pub(crate) const COMPONENT: &str = "preflight";
/// How long one check may take. It asks the brokers several times.
pub(crate) const STALL_AFTER: Duration = Duration::from_secs(120);
/// Milliseconds of a day.
pub(crate) const DAY_MS: u64 = 86_400_000;

/// The meta topic has no record: `bootstrap` has not ended yet.
#[derive(Debug, Error)]
#[error("the meta topic is empty: run `aftersend bootstrap`")]
pub(crate) struct MetaEmpty;

/// Repeats `check` until it succeeds. What time or `bootstrap` can mend is waited for: the role is not ready,
/// and readiness names the cause. Returns false if the process was asked to stop meanwhile.
///
/// # Errors
/// What `check` found, if waiting does not mend it.
pub(crate) fn await_success(
    process: &Process,
    check: impl Fn() -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    let vital = process.health.component(COMPONENT, STALL_AFTER);
    let outcome = loop {
        match check() {
            Ok(()) => break Ok(true),
            Err(error) if is_passing(&error) => {
                let cause = format!("{error:#}");
                warn!(cause, "the role waits to start");
                vital.not_ready(cause);
            }
            Err(error) => break Err(error),
        }
        if process.stop.wait_timeout(ASK_AGAIN) {
            break Ok(false);
        }
    };
    vital.finished();
    outcome
}

/// Whether a check failed for a reason that passes: no broker answers, or the topics are not there yet.
pub(crate) fn is_passing(error: &anyhow::Error) -> bool {
    use kafka::Error as Kafka;
    let passes = |error: &Kafka| {
        matches!(error, Kafka::Unreachable { .. } | Kafka::Failed { .. } | Kafka::UnknownTopic { .. })
    };
    error.is::<MetaEmpty>() || kafka_cause(error).is_some_and(passes)
}

/// Whether the brokers refuse this client, which only an operator can mend.
pub(crate) fn is_refusal(error: &anyhow::Error) -> bool {
    use kafka::Error as Kafka;
    let refuses = |error: &Kafka| matches!(error, Kafka::Handshake { .. } | Kafka::Unauthorized { .. });
    kafka_cause(error).is_some_and(refuses)
}

fn kafka_cause(error: &anyhow::Error) -> Option<&kafka::Error> {
    error.chain().find_map(|cause| match cause.downcast_ref::<TailError>() {
        Some(TailError::Kafka(error)) => Some(error),
        _ => cause.downcast_ref(),
    })
}

/// Checks that every topic of `role` exists among `topics`, that each has the partition count with which it
/// was made, and that they were made for `application_id`, which is empty for the processor's default
/// application.
///
/// # Errors
/// If no broker answers, a topic is missing, or the topics were made for other settings.
pub(crate) fn check(
    common: &Common,
    role: Principal,
    topics: &Topics,
    application_id: &str,
) -> anyhow::Result<()> {
    let cluster = Cluster::connect(&common.connection)?;
    cluster.brokers(ANSWER_MAX)?;
    let mut counts = Vec::new();
    for topic in role.topics() {
        let name = topics.name(topic);
        let missing = || kafka::Error::UnknownTopic { topic: name.to_owned() };
        counts.push((topic, cluster.topic(name)?.ok_or_else(missing)?.partitions));
    }
    let stored = meta::read(common, topics)?.context(MetaEmpty)?;
    refuse_other_counts(topics, &counts, stored.partitions)?;
    meta::refuse_differences(&stored, &common.expected(&stored, application_id))
}

/// Refuses topics with another partition count than the one with which they were made.
fn refuse_other_counts(topics: &Topics, counts: &[(Topic, u32)], made_with: u32) -> anyhow::Result<()> {
    let is_other = |topic: Topic, found| match topic.partitioning() {
        Partitioning::LikeRaw => found != made_with,
        Partitioning::Single => found != 1,
    };
    let others = counts.iter().filter(|(topic, found)| is_other(*topic, *found));
    let told: Vec<String> =
        others.map(|(topic, found)| format!("{} has {found} partitions", topics.name(*topic))).collect();
    if told.is_empty() {
        return Ok(());
    }
    bail!(
        "{}, and the topics were made with {made_with}: everything about a customer has one partition number on all topics. \
         Make that topic anew with `aftersend bootstrap`; where it is raw, make new topics under another prefix and replay",
        told.join(", ")
    )
}

/// How new the formats may be that are written.
///
/// # Errors
/// If no broker answers, or the meta topic is empty.
pub(crate) fn format_level(common: &Common, topics: &Topics) -> anyhow::Result<FormatLevel> {
    let stored = meta::read(common, topics)?.context(MetaEmpty)?.formats;
    let newest = FormatLevel::NEWEST.number();
    if stored > newest {
        warn!(
            stored,
            newest,
            "a newer version may have written formats that this version can't read: where it meets one, it stops the \
             partition; upgrade this process"
        );
    }
    if stored < newest {
        info!(stored, newest, "newer formats stay unwritten until `aftersend finalize-upgrade`");
    }
    Ok(FormatLevel::allowed(stored))
}
