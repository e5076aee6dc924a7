use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use crate::{Connection, Error, NextOffset};

/// A partition's committed offset, read with every earlier transaction decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The position; `None` if none was ever committed, or it expired.
    pub next: Option<NextOffset>,
    /// The text that was committed with it; empty if there was none.
    pub metadata: String,
}

/// What the group of `consumer`, which reads only committed records, has committed for `partitions` of any
/// topics, in their order.
pub(crate) fn committed<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    partitions: &[(&str, i32)],
    timeout: Duration,
) -> Result<Vec<Committed>, Error> {
    let failed = |source| Error::of("read committed offsets", source);
    let mut asked = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        asked.add_partition(topic, *partition);
    }
    let answer = consumer.committed_offsets(asked, timeout).map_err(failed)?;
    let read = |element: rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
        // An undecided transaction comes back as this partition's error beside an invalid offset, which looks
        // like "none".
        element.error().map_err(failed)?;
        let next = match element.offset() {
            Offset::Offset(next) => Some(NextOffset(next)),
            _ => None,
        };
        Ok(Committed { next, metadata: element.metadata().to_owned() })
    };
    answer.elements().into_iter().map(read).collect()
}

/// The last stable offsets of `partitions` of any topics, in their order: everything committed below can be
/// read. All partitions of a leader share one request. On the connection that also fetches, each request
/// would wait until the broker has answered a fetch.
pub(super) fn stable_ends<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    partitions: &[(&str, i32)],
) -> Result<Vec<NextOffset>, Error> {
    let failed = |source| Error::of("read the ends of decided records", source);
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let mut asked = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        // `End` in the place of a time asks for the end of the log. With read_committed, that is the last
        // stable offset.
        asked.add_partition_offset(topic, *partition, Offset::End).map_err(failed)?;
    }
    let answer = consumer.offsets_for_times(asked, Connection::METADATA_TIMEOUT).map_err(failed)?;
    let read = |element: rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
        element.error().map_err(failed)?;
        match element.offset() {
            Offset::Offset(end) => Ok(NextOffset(end)),
            _ => Err(failed(KafkaError::OffsetFetch(RDKafkaErrorCode::NoOffset))),
        }
    };
    answer.elements().into_iter().map(read).collect()
}
