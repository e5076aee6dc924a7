//! What an operator's tools do to the group and to the logs.

use std::path::PathBuf;
use std::time::Duration;

use futures::executor::block_on;
use processor::state::identity::{Origin, StoreIdentity};
use processor::state::memory::{Budget, StoreMemory};
use processor::state::store::PartitionStore;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use schemas::topic::Topic;

use crate::bench::{Bench, PARTITIONS, until};

impl Bench {
    /// `kafka-consumer-groups.sh --reset-offsets --to-offset`. It works only while the group is empty: when
    /// the session of a member that stopped is over, since a static one doesn't leave.
    pub(crate) fn set_group_to(&self, partition: i32, next: i64) {
        let consumer: BaseConsumer =
            self.config().set("group.id", self.group()).create().expect("a consumer");
        let mut positions = TopicPartitionList::new();
        let topic = self.topics.name(Topic::Raw);
        positions.add_partition_offset(topic, partition, Offset::Offset(next)).expect("an offset");
        until("the group is empty", || consumer.commit(&positions, CommitMode::Sync).is_ok());
    }

    /// The same while the group has members. A transaction that names no member is not fenced.
    pub(crate) fn set_live_group_to(&self, partition: i32, next: i64) {
        let timeout = Duration::from_secs(30);
        let consumer: BaseConsumer =
            self.config().set("group.id", self.group()).create().expect("a consumer");
        let producer: BaseProducer =
            self.config().set("transactional.id", "an-operator").create().expect("a producer");
        let mut positions = TopicPartitionList::new();
        let topic = self.topics.name(Topic::Raw);
        positions.add_partition_offset(topic, partition, Offset::Offset(next)).expect("an offset");
        producer.init_transactions(timeout).expect("initialises");
        producer.begin_transaction().expect("begins");
        let group = consumer.group_metadata().expect("a group");
        producer.send_offsets_to_transaction(&positions, &group, timeout).expect("sends");
        producer.commit_transaction(timeout).expect("commits");
    }

    /// `kafka-consumer-groups.sh --delete`, or the group's positions expiring.
    pub(crate) fn forget_group(&self) {
        let (admin, group, options) = (self.admin(), self.group(), AdminOptions::new());
        until("the group is empty", || {
            let deleted = block_on(admin.delete_groups(&[&group], &options)).expect("asks");
            deleted.into_iter().all(|group| group.is_ok())
        });
    }

    /// `kafka-delete-records.sh`: `topic` begins at `first` from now on, as after its retention.
    pub(crate) fn cut(&self, topic: Topic, partition: i32, first: i64) {
        let mut before = TopicPartitionList::new();
        let name = self.topics.name(topic);
        before.add_partition_offset(name, partition, Offset::Offset(first)).expect("an offset");
        let deleted = block_on(self.admin().delete_records(&before, &AdminOptions::new())).expect("asks");
        deleted.elements().iter().for_each(|element| element.error().expect("deletes"));
    }

    /// `kafka-topics.sh --delete`.
    pub(crate) fn delete(&self, topic: Topic) {
        let name = self.topics.name(topic);
        let deleted = block_on(self.admin().delete_topics(&[name], &AdminOptions::new())).expect("asks");
        deleted.into_iter().for_each(|topic| drop(topic.expect("deletes")));
        let cluster = kafka::Cluster::connect(&self.connection).expect("connects");
        until("the topic is gone", || cluster.topic(name).expect("asks").is_none());
    }

    /// Makes a topic anew under the same name.
    pub(crate) fn make_anew(&self, topic: Topic) {
        self.delete(topic);
        self.create(topic, PARTITIONS);
    }

    /// The folder of a partition on the disk of a processor that has ended.
    pub(crate) fn folder(&self, disk: &str, partition: i32) -> PathBuf {
        self.disk(disk).join(self.topics.name(Topic::Raw)).join(partition.to_string())
    }

    /// What lies there, opened by hand.
    pub(crate) fn store(&self, disk: &str, partition: i32) -> PartitionStore {
        let topic = self.topics.name(Topic::Raw).to_owned();
        let folder = self.folder(disk, partition);
        std::fs::create_dir_all(folder.parent().expect("a folder of folders")).expect("makes");
        let (cluster, partitions, origin) = (None, PARTITIONS, Origin::default());
        let identity = StoreIdentity { cluster, topic, partition, partitions, origin };
        PartitionStore::open(&folder, &identity, &StoreMemory::new(&Budget::least(1))).expect("opens")
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().expect("an admin client")
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.connection.bootstrap());
        config
    }
}
