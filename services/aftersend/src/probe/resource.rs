//! What a probe creates on the cluster, and removes again.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use kafka::transaction::Tail;
use kafka::trial::{TrialMember, TrialProducer};
use kafka::{Cluster, Connection, Error, TopicRequest};
use tracing::warn;

/// How long one answer may take.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(45);
/// After this, a stopped member is forgotten, and its group can be removed. The log cleaner is awaited
/// meanwhile anyway.
const SESSION: Duration = Duration::from_secs(15);
/// How long the removal of the group is tried.
const REMOVAL_MAX: Duration = Duration::from_secs(45);
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// When the probe's records say they were made, Unix milliseconds. A reader that sees this time has found
/// that `LogAppendTime` is not honoured.
pub(super) const CREATED_MS: i64 = 1_000;

/// Names of the topics, the group and the producers of one probe.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) topic: String,
    pub(super) compacted: String,
    pub(super) group: String,
    pub(super) transactional: String,
}

impl Names {
    pub(super) fn random(prefix: &str) -> Self {
        let suffix = format!("{:016x}", RandomState::new().hash_one("probe"));
        Self {
            topic: format!("{prefix}outcomes.probe.{suffix}"),
            compacted: format!("{prefix}outcomes.probe.{suffix}.compacted"),
            group: format!("{prefix}aftersend.probe.{suffix}"),
            transactional: format!("{prefix}aftersend.probe.{suffix}"),
        }
    }
}

/// A topic with two partitions, and a group on it. Dropping it removes them, and the compacted topic if there
/// is one.
pub(super) struct Resources<'a> {
    pub(super) connection: &'a Connection,
    pub(super) names: Names,
    pub(super) cluster: Cluster,
    /// Reads the topics, and asks for the group's offsets, as a restore does.
    pub(super) tail: Tail,
}

impl<'a> Resources<'a> {
    /// Creates the topic with `replication` copies.
    pub(super) fn create(connection: &'a Connection, names: Names, replication: u32) -> Result<Self, Error> {
        let resources = Self {
            connection,
            cluster: Cluster::connect(connection)?,
            tail: Tail::new(connection, &names.group)?,
            names,
        };
        let settings = [("message.timestamp.type", "LogAppendTime".to_owned())];
        let request =
            TopicRequest { name: &resources.names.topic, partitions: 2, replication, settings: &settings };
        resources.cluster.create(&request)?;
        Ok(resources)
    }

    /// A transactional producer under `id`. It aborts the open transaction of an older producer of that id.
    pub(super) fn producer(&self, id: &str) -> Result<TrialProducer, Error> {
        TrialProducer::new(self.connection, id)
    }

    /// A member of the group; a static one if it has an instance id. It joins while it is polled.
    pub(super) fn member(&self, instance: Option<&str>) -> Result<TrialMember, Error> {
        let Names { group, topic, .. } = &self.names;
        let instance = instance.map(|instance| format!("{group}-{instance}"));
        TrialMember::new(self.connection, group, topic, instance.as_deref(), SESSION)
    }

    /// Writes `value` to the first partition, in the producer's open transaction, and waits until the broker
    /// has it.
    pub(super) fn write(&self, producer: &TrialProducer, value: &str) -> Result<(), Error> {
        producer.write(&self.names.topic, 0, value, CREATED_MS)
    }

    fn remove(&self) -> Result<(), Error> {
        let Names { topic, compacted, group, .. } = &self.names;
        self.cluster.delete_topics(&[topic, compacted])?;
        let began = Instant::now();
        // Static members do not leave the group; the broker forgets them when their session is over.
        while !self.cluster.delete_group(group)? {
            if began.elapsed() > REMOVAL_MAX {
                warn!(group, "probe's group still has members");
                break;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }
}

impl Drop for Resources<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            let Names { topic, compacted, group, .. } = &self.names;
            warn!(%error, topic, compacted, group, "probe not removed whole");
        }
    }
}
