//! What a role checks before it starts: that the topics are the ones that it is configured for.

pub(crate) mod limit;
pub(crate) mod meta;
pub(crate) mod topic;

use std::time::Duration;

use anyhow::{Context as _, bail};
use kafka::Cluster;
use schemas::topic::{Topic, Topics};

use crate::configuration::Common;

/// How long a broker has to answer.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Milliseconds of a day.
pub(crate) const DAY_MS: u64 = 86_400_000;

/// Checks that every one of `topics` exists, that raw has the partition count with which it was made, and that
/// the topics were made for `application_id`, which is empty for the processor's default application.
///
/// # Errors
/// If no broker answers, a topic is missing, or the topics were made for other settings.
pub(crate) fn check(common: &Common, topics: &Topics, application_id: &str) -> anyhow::Result<()> {
    let cluster = Cluster::connect(&common.connection)?;
    cluster.brokers(ANSWER_MAX)?;
    for topic in Topic::ALL {
        let name = topics.name(topic);
        if cluster.topic(name)?.is_none() {
            return Err(kafka::Error::UnknownTopic { topic: name.to_owned() }.into());
        }
    }
    let stored = meta::read(common, topics)?.context("the meta topic is empty: run `aftersend bootstrap`")?;
    let raw = cluster.topic(topics.name(Topic::Raw))?.map(|state| state.partitions);
    if raw != Some(stored.partitions) {
        bail!(
            "{} has {} partitions and was made with {}: customers would be sent to other partitions than their state; make \
             new topics under another prefix and replay",
            topics.name(Topic::Raw),
            raw.unwrap_or_default(),
            stored.partitions
        );
    }
    meta::refuse_differences(&stored, &common.topology(Some(stored.partitions), application_id))
}
