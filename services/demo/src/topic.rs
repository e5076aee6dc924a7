//! Reads the demo's topics.

use std::time::Duration;

use kafka::transaction::{Tail, TailError};
use schemas::codec;
use schemas::record::MessageOutcome;
use schemas::topic::{Topic, Topics};

use crate::count::Ids;

/// How long open transactions may take to be decided.
const DECIDED_WITHIN: Duration = Duration::from_secs(30);

/// A reader of topics that all have the same number of partitions.
pub(crate) struct TopicReader {
    tail: Tail,
    names: Topics,
    partitions: i32,
}

impl TopicReader {
    /// A reader of the topics under `names`.
    pub(crate) fn new(tail: Tail, names: Topics, partitions: i32) -> Self {
        Self { tail, names, partitions }
    }

    /// Records of a topic to which nobody writes in transactions: the extent of its logs.
    pub(crate) fn count_plain(&self, topic: Topic) -> anyhow::Result<u64> {
        let mut records = 0;
        for partition in 0..self.partitions {
            let (low, high) = self.tail.extent(self.names.name(topic), partition)?;
            records += u64::try_from(high.0 - low.0)?;
        }
        Ok(records)
    }

    /// Committed records of a topic.
    pub(crate) fn count_committed(&self, topic: Topic) -> anyhow::Result<u64> {
        let mut records = 0;
        self.read_committed(topic, |_| records += 1)?;
        Ok(records)
    }

    /// Ids of all committed outcomes in the warehouse topic.
    pub(crate) fn published_ids(&self) -> anyhow::Result<Vec<Ids>> {
        let mut values = Vec::new();
        self.read_committed(Topic::Warehouse, |value| values.extend(value))?;
        let ids = values.iter().map(|value| {
            codec::decode::<MessageOutcome<'_>>(value).map(|outcome| Ids {
                outcome_id: outcome.outcome_id.into_owned(),
                event_id: outcome.event_id.into_owned(),
            })
        });
        Ok(ids.collect::<Result<_, _>>()?)
    }

    fn read_committed(&self, topic: Topic, mut each: impl FnMut(Option<Vec<u8>>)) -> anyhow::Result<()> {
        let name = self.names.name(topic);
        for partition in 0..self.partitions {
            let (low, high) = self.tail.extent(name, partition)?;
            self.tail.await_decided(name, partition, high, DECIDED_WITHIN, &|| false)?;
            self.tail.replay::<TailError>(name, partition, low, &|| false, |record| {
                each(record.value);
                Ok(())
            })?;
        }
        Ok(())
    }
}
