use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use tracing::warn;

use crate::client::Observer;
use crate::transaction::Tail;
use crate::{Cluster, Connection, Error, TopicRequest};

/// How long one answer may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// After this, a member that went is forgotten, and so its group can be removed. The shortest that brokers take by default
/// is 6 s.
const SESSION: Duration = Duration::from_secs(8);
/// How long the removal of the group is tried.
const REMOVAL_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// When the probe's records say they were made, Unix milliseconds: where it is read back, `LogAppendTime` is not honoured.
pub(super) const CREATED_MS: i64 = 1_000;

pub(super) type Producer = ThreadedProducer<DefaultProducerContext>;

/// What a probe calls its own.
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

/// Where the probe tries: a topic with two partitions, and a group on it. Dropping it removes both.
pub(super) struct Site<'a> {
    pub(super) connection: &'a Connection,
    pub(super) names: Names,
    pub(super) cluster: Cluster,
    /// Reads the topics, and asks for the group's offsets, as a restore does.
    pub(super) tail: Tail,
    pub(super) admin: AdminClient<Observer>,
}

impl<'a> Site<'a> {
    pub(super) fn make(connection: &'a Connection, names: Names, replication: u32) -> Result<Self, Error> {
        let admin = connection.client_config("aftersend-probe").create_with_context(Observer::new("probe"));
        let site = Self {
            connection,
            cluster: Cluster::connect(connection)?,
            tail: Tail::new(connection, &names.group)?,
            admin: admin.map_err(Error::Settings)?,
            names,
        };
        let settings = [("message.timestamp.type", "LogAppendTime".to_owned())];
        let request =
            TopicRequest { name: &site.names.topic, partitions: 2, replication, settings: &settings };
        site.cluster.create(&request)?;
        Ok(site)
    }

    /// A producer of transactions under `id`, which ends what another one of that id has open.
    pub(super) fn producer(&self, id: &str) -> Result<Producer, Error> {
        let producer: Producer = self
            .connection
            .client_config("aftersend-probe")
            .set("transactional.id", id)
            .set("transaction.timeout.ms", "60000")
            .set("message.timeout.ms", "20000")
            .set("request.timeout.ms", "15000")
            .create()
            .map_err(Error::Settings)?;
        let ready = producer.init_transactions(PATIENCE);
        ready.map(|()| producer).map_err(|source| Error::of("init transactions", source))
    }

    /// A member of the group, static where it has an instance id. It is in once it was polled often enough.
    pub(super) fn member(&self, instance: Option<&str>) -> Result<BaseConsumer, Error> {
        let mut config = self.connection.client_config("aftersend-probe");
        config
            .set("group.id", &self.names.group)
            .set("group.protocol", "classic")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", SESSION.as_millis().to_string())
            .set("heartbeat.interval.ms", "500")
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "latest");
        if let Some(instance) = instance {
            config.set("group.instance.id", format!("{}-{instance}", self.names.group));
        }
        let member: BaseConsumer = config.create().map_err(Error::Settings)?;
        member.subscribe(&[&self.names.topic]).map_err(|source| Error::of("subscribe", source))?;
        Ok(member)
    }

    /// Sends `value` to the first partition, in the producer's open transaction, and waits until the broker has it.
    pub(super) fn write(&self, producer: &Producer, value: &str) -> Result<(), Error> {
        let failed = |source| Error::of("write a record", source);
        let record: BaseRecord<'_, (), str> =
            BaseRecord::to(&self.names.topic).partition(0).payload(value).timestamp(CREATED_MS);
        producer.send(record).map_err(|(error, _)| failed(error))?;
        producer.flush(PATIENCE).map_err(failed)
    }

    fn remove(&self) -> Result<(), KafkaError> {
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let topics = [self.names.topic.as_str(), self.names.compacted.as_str()];
        for answer in block_on(self.admin.delete_topics(&topics, &options))? {
            match answer {
                // The second is made only where the broker takes its settings.
                Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => {}
                Err((_, code)) => return Err(KafkaError::AdminOp(code)),
            }
        }
        let began = Instant::now();
        loop {
            let answers = block_on(self.admin.delete_groups(&[&self.names.group], &options))?;
            match answers.into_iter().find_map(Result::err) {
                None | Some((_, RDKafkaErrorCode::GroupIdNotFound)) => return Ok(()),
                // Static members don't leave; they are forgotten when their session is over.
                Some((_, RDKafkaErrorCode::NonEmptyGroup)) if began.elapsed() < REMOVAL_MAX => {
                    std::thread::sleep(LOOK_EVERY);
                }
                Some((_, code)) => return Err(KafkaError::AdminOp(code)),
            }
        }
    }
}

impl Drop for Site<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            let Names { topic, compacted, group, .. } = &self.names;
            warn!(%error, topic, compacted, group, "probe not removed whole");
        }
    }
}
