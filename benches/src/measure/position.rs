//! Where a consumer group stands, asked from outside.

use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use crate::workload::Raw;

const TIMEOUT: Duration = Duration::from_secs(20);
/// How long a coordinator may be away, and how often it is asked meanwhile.
const SILENCE_MAX: Duration = Duration::from_secs(60);
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// A reader that belongs to no group.
pub(crate) fn reader(bootstrap: &str, group: &str, isolation: &str) -> anyhow::Result<BaseConsumer> {
    let consumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", group)
        .set("isolation.level", isolation)
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "false")
        .set("auto.offset.reset", "error")
        .set("fetch.wait.max.ms", "100")
        .create()?;
    Ok(consumer)
}

/// The positions of one group on one raw topic.
pub(crate) struct Positions {
    consumer: BaseConsumer,
    asked: TopicPartitionList,
}

impl Positions {
    /// Of `group`. It is asked for what is committed, without waiting for what is not: with `read_committed`
    /// the broker would hold its answer back while a transaction is open.
    pub(crate) fn of(raw: &Raw, group: &str) -> anyhow::Result<Self> {
        let consumer = reader(raw.connection.bootstrap(), group, "read_uncommitted")?;
        Ok(Self { consumer, asked: all(&raw.topic, raw.partitions) })
    }

    /// How many records the group is done with. Raw holds nothing but records, each at its own offset.
    pub(crate) fn done(&self) -> anyhow::Result<u64> {
        let answer = self.answer()?;
        let elements = answer.elements();
        let sum = elements.iter().map(|element| match element.offset() {
            Offset::Offset(next) => u64::try_from(next).unwrap_or_default(),
            _ => 0,
        });
        Ok(sum.sum())
    }

    /// A broker that is starved of its cores loses its session, and knows nothing for a moment.
    fn answer(&self) -> anyhow::Result<TopicPartitionList> {
        let begun = Instant::now();
        loop {
            match self.consumer.committed_offsets(self.asked.clone(), TIMEOUT) {
                Ok(answer) => return Ok(answer),
                Err(error) if begun.elapsed() > SILENCE_MAX => {
                    return Err(error).context("positions not told");
                }
                Err(_) => std::thread::sleep(ASK_AGAIN),
            }
        }
    }
}

/// Every partition of `topic`.
fn all(topic: &str, partitions: u32) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition_range(topic, 0, i32::try_from(partitions).unwrap_or(i32::MAX) - 1);
    list
}

/// Commits positions with their texts for a group that has no members.
pub(crate) fn commit(
    raw: &Raw,
    group: &str,
    positions: impl Iterator<Item = (i32, i64, String)>,
) -> anyhow::Result<()> {
    let consumer = reader(raw.connection.bootstrap(), group, "read_uncommitted")?;
    let mut list = TopicPartitionList::new();
    for (partition, next, metadata) in positions {
        let mut element = list.add_partition(&raw.topic, partition);
        element.set_offset(Offset::Offset(next))?;
        element.set_metadata(metadata);
    }
    consumer.commit(&list, CommitMode::Sync).context("positions not committed")
}

/// The end of each partition of `topic`, what is undecided included.
pub(super) fn ends(consumer: &BaseConsumer, topic: &str, partitions: u32) -> anyhow::Result<Vec<i64>> {
    let count = i32::try_from(partitions)?;
    (0..count).map(|partition| Ok(consumer.fetch_watermarks(topic, partition, TIMEOUT)?.1)).collect()
}

/// Lets `consumer` read every partition of `topic` from where it ends.
pub(super) fn assign(consumer: &BaseConsumer, topic: &str, from: &[i64]) -> anyhow::Result<()> {
    let mut list = TopicPartitionList::new();
    for (partition, next) in (0..).zip(from) {
        list.add_partition_offset(topic, partition, Offset::Offset(*next))?;
    }
    Ok(consumer.assign(&list)?)
}
