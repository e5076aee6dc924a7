use std::time::{Duration, Instant};

use futures::executor::block_on;
use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::Client;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::Metadata;
use rdkafka::{Offset, TopicPartitionList};
use tracing::info;

use crate::client::Observer;
use crate::error::{code_name, no_answer};
use crate::{Connection, Error, NextOffset, ffi};

/// How long a new topic may take to be seen, and how often it is looked for.
const SEEN_MAX: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The cluster as an administrator sees it. Every call blocks.
pub struct Cluster {
    admin: AdminClient<Observer>,
    bootstrap: String,
}

/// A topic to be created.
#[derive(Debug, Clone)]
pub struct TopicRequest<'a> {
    /// Name.
    pub name: &'a str,
    /// Partitions.
    pub partitions: u32,
    /// Replicas of each.
    pub replication: u32,
    /// Settings, by Kafka's names.
    pub settings: &'a [(&'a str, String)],
}

/// A topic as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicState {
    /// Partitions.
    pub partitions: u32,
    /// Replicas of the first partition.
    pub replication: u32,
}

/// Kafka's id of a topic. It distinguishes the topic from an earlier one of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TopicId(pub [u8; 16]);

impl Cluster {
    /// Connects to the cluster.
    ///
    /// # Errors
    /// [`Error::Settings`] if the client refuses its settings.
    pub fn connect(connection: &Connection) -> Result<Self, Error> {
        let admin = connection
            .client_config("aftersend-admin")
            .create_with_context(Observer::new("admin"))
            .map_err(Error::Settings)?;
        Ok(Self { admin, bootstrap: connection.bootstrap().to_owned() })
    }

    /// How many brokers there are.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if none answers within `timeout`, and [`Error::Handshake`] if one is reached
    /// and TLS or authentication fails.
    pub fn brokers(&self, timeout: Duration) -> Result<u32, Error> {
        let metadata = self.metadata(timeout)?;
        Ok(u32::try_from(metadata.brokers().len()).unwrap_or(u32::MAX))
    }

    /// The cluster's id; `None` if no broker returns one in time.
    #[must_use]
    pub fn id(&self, timeout: Duration) -> Option<String> {
        self.admin.inner().fetch_cluster_id(timeout)
    }

    /// A topic as it is; `None` where it is missing.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if no broker answers.
    pub fn topic(&self, name: &str) -> Result<Option<TopicState>, Error> {
        let metadata = self.metadata(Connection::METADATA_TIMEOUT)?;
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let found =
            metadata.topics().iter().find(|topic| topic.name() == name && !topic.partitions().is_empty());
        Ok(found.map(|topic| TopicState {
            partitions: count(topic.partitions().len()),
            replication: topic.partitions().first().map_or(0, |partition| count(partition.replicas().len())),
        }))
    }

    /// The ids that the cluster gave to `names`, in their order: a topic deleted and made anew has another
    /// one. `None` where the broker tells none (before Kafka 2.8), or the topic is missing.
    ///
    /// # Errors
    /// If no broker answers, or it refuses.
    pub fn topic_ids(&self, names: &[&str]) -> Result<Vec<Option<TopicId>>, Error> {
        topic_ids(self.admin.inner(), names)
    }

    /// How many members `group` has. A static member that went without leaving counts until its session is
    /// over.
    ///
    /// # Errors
    /// If no broker answers.
    pub fn group_members(&self, group: &str) -> Result<usize, Error> {
        let answer = self.admin.inner().fetch_group_list(Some(group), Connection::METADATA_TIMEOUT);
        let groups = answer.map_err(|source| Error::of("list the group's members", source))?;
        Ok(groups
            .groups()
            .iter()
            .filter(|found| found.name() == group)
            .map(|found| found.members().len())
            .sum())
    }

    /// The instance ids of the static members of `group`. One that went without leaving counts until its
    /// session is over.
    ///
    /// # Errors
    /// If no broker answers, or it refuses.
    pub fn static_members(&self, group: &str) -> Result<Vec<String>, Error> {
        ffi::static_members(self.admin.inner(), group, Connection::METADATA_TIMEOUT)
            .map_err(|code| refused("list the group's members", code))
    }

    /// The values of a topic's settings.
    ///
    /// # Errors
    /// If the broker refuses.
    pub fn settings(&self, name: &str) -> Result<Vec<(String, String)>, Error> {
        let described = block_on(self.admin.describe_configs(&[ResourceSpecifier::Topic(name)], &options()))
            .map_err(|source| Error::of("describe a topic", source))?;
        let mut settings = Vec::new();
        for resource in described {
            let resource = resource.map_err(|code| refused("describe a topic", code))?;
            settings
                .extend(resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))));
        }
        Ok(settings)
    }

    /// The settings that one broker returns.
    ///
    /// # Errors
    /// If no broker answers, or it refuses.
    pub fn broker_settings(&self) -> Result<Vec<(String, String)>, Error> {
        let failed = |source| Error::of("describe a broker", source);
        let metadata = self.metadata(Connection::METADATA_TIMEOUT)?;
        let Some(broker) = metadata.brokers().first() else { return Ok(Vec::new()) };
        let asked = [ResourceSpecifier::Broker(broker.id())];
        let described = block_on(self.admin.describe_configs(&asked, &options())).map_err(failed)?;
        let entries = described.into_iter().flatten().flat_map(|resource| resource.entries);
        Ok(entries.filter_map(|entry| Some((entry.name, entry.value?))).collect())
    }

    /// Deletes the records of a partition before `first`, as retention does.
    ///
    /// # Errors
    /// If the broker refuses.
    pub fn delete_records_before(&self, topic: &str, partition: i32, first: NextOffset) -> Result<(), Error> {
        let failed = |source| Error::of("delete records", source);
        let mut before = TopicPartitionList::with_capacity(1);
        before.add_partition_offset(topic, partition, Offset::Offset(first.0)).map_err(failed)?;
        let answer = block_on(self.admin.delete_records(&before, &options())).map_err(failed)?;
        answer.elements().iter().try_for_each(|element| element.error()).map_err(failed)
    }

    /// Deletes topics; those that do not exist are skipped.
    ///
    /// # Errors
    /// If the broker refuses one of them. The others may be deleted.
    pub fn delete_topics(&self, names: &[&str]) -> Result<(), Error> {
        let answers = block_on(self.admin.delete_topics(names, &options()));
        for answer in answers.map_err(|source| Error::of("delete topics", source))? {
            match answer {
                Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => {}
                Err((_, code)) => return Err(refused("delete topics", code)),
            }
        }
        Ok(())
    }

    /// Deletes a consumer group and its offsets. Returns false if the group still has members: a static
    /// member that stopped counts until its session is over.
    ///
    /// # Errors
    /// If the broker refuses.
    pub fn delete_group(&self, group: &str) -> Result<bool, Error> {
        let answers = block_on(self.admin.delete_groups(&[group], &options()));
        let answers = answers.map_err(|source| Error::of("delete a group", source))?;
        match answers.into_iter().find_map(Result::err) {
            None | Some((_, RDKafkaErrorCode::GroupIdNotFound)) => Ok(true),
            Some((_, RDKafkaErrorCode::NonEmptyGroup)) => Ok(false),
            Some((_, code)) => Err(refused("delete a group", code)),
        }
    }

    /// Creates a topic and waits until it is seen: the controller answers before the brokers know. One that
    /// is there already is left as it is: `false`.
    ///
    /// # Errors
    /// If the broker refuses, or doesn't show the topic in time.
    pub fn create(&self, request: &TopicRequest<'_>) -> Result<bool, Error> {
        let as_i32 = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let replication = TopicReplication::Fixed(as_i32(request.replication));
        let mut topic = NewTopic::new(request.name, as_i32(request.partitions), replication);
        for (key, value) in request.settings {
            topic = topic.set(key, value);
        }
        let answers = block_on(self.admin.create_topics(&[topic], &options()))
            .map_err(|source| Error::of("create a topic", source))?;
        for answer in answers {
            match answer {
                Ok(name) => info!(topic = name, partitions = request.partitions, "topic created"),
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => return Ok(false),
                Err((_, code)) => return Err(refused("create a topic", code)),
            }
        }
        self.await_topic(request.name)?;
        Ok(true)
    }

    fn await_topic(&self, name: &str) -> Result<(), Error> {
        let deadline = Instant::now() + SEEN_MAX;
        while !self.is_served(name)? {
            if Instant::now() > deadline {
                return Err(Error::UnknownTopic { topic: name.to_owned() });
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Whether each partition of the topic has a leader.
    fn is_served(&self, name: &str) -> Result<bool, Error> {
        let metadata = self.metadata(Connection::METADATA_TIMEOUT)?;
        let found = metadata.topics().iter().find(|topic| topic.name() == name);
        Ok(found.is_some_and(|topic| {
            let mut partitions = topic.partitions().iter();
            !topic.partitions().is_empty() && partitions.all(|partition| partition.leader() >= 0)
        }))
    }

    fn metadata(&self, timeout: Duration) -> Result<Metadata, Error> {
        let client = self.admin.inner();
        client.fetch_metadata(None, timeout).map_err(|source| {
            let errors = ffi::take_errors(client);
            for (code, reason) in &errors {
                client.context().connection_failed(code_name(*code), reason);
            }
            no_answer(&self.bootstrap, source, errors)
        })
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("bootstrap", &self.bootstrap).finish_non_exhaustive()
    }
}

/// See [`Cluster::topic_ids`].
pub(crate) fn topic_ids<C: ClientContext>(
    client: &Client<C>,
    names: &[&str],
) -> Result<Vec<Option<TopicId>>, Error> {
    let ids = ffi::topic_ids(client, names, Connection::METADATA_TIMEOUT)
        .map_err(|code| refused("describe topics", code))?;
    Ok(ids.into_iter().map(|id| id.map(TopicId)).collect())
}

fn options() -> AdminOptions {
    let timeout = Some(Duration::from_secs(20));
    AdminOptions::new().request_timeout(timeout).operation_timeout(timeout)
}

fn refused(attempt: &'static str, code: RDKafkaErrorCode) -> Error {
    tracing::debug!(attempt, code = code_name(code), "broker refused");
    Error::of(attempt, rdkafka::error::KafkaError::AdminOp(code))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;

    use settings::Reader;

    use super::*;

    const WAIT: Duration = Duration::from_secs(3);

    /// What asking the server at `address` over `protocol` fails with.
    fn failure(address: &str, protocol: &str) -> Error {
        let env = [("AFTERSEND_KAFKA", address), ("AFTERSEND_KAFKA_SECURITY_PROTOCOL", protocol)];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let connection = Connection::read(&mut Reader::new(Connection::FIELDS, None, env)).unwrap();
        Cluster::connect(&connection).unwrap().brokers(WAIT).unwrap_err()
    }

    #[test]
    fn a_server_without_tls_is_a_failed_handshake_with_its_setting() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            }
        });
        let failure = failure(&address, "ssl");
        assert!(matches!(failure, Error::Handshake { .. }), "{failure:?}");
        assert!(failure.to_string().contains("AFTERSEND_KAFKA_SECURITY_PROTOCOL"), "{failure}");
    }

    #[test]
    fn a_port_without_a_server_is_unreachable_with_the_reason() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let failure = failure(&address, "plaintext");
        assert!(matches!(failure, Error::Unreachable { .. }), "{failure:?}");
        assert!(failure.to_string().contains("Connection refused"), "{failure}");
    }
}
