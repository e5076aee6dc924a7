//! The ends of partitions, asked of the brokers.

use std::sync::Arc;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use tracing::warn;

use crate::client::Observer;
use crate::{Connection, Error, NextOffset};

/// Asks for the ends of partitions, on connections of its own: a fetch that hangs on a consumer's connection
/// holds up no question here.
pub struct Ends {
    consumer: BaseConsumer<Observer>,
}

impl Ends {
    /// A client without a group.
    ///
    /// # Errors
    /// Where the client refuses its settings.
    pub fn new(connection: &Connection) -> Result<Self, Error> {
        let consumer = connection
            .client_config("aftersend-ends")
            .set("isolation.level", "read_committed")
            .create_with_context(Observer::new("ends"))
            .map_err(Error::Settings)?;
        Ok(Self { consumer })
    }

    /// The end of what can be read of each of `partitions`, in their order; `None` where no broker said it.
    /// Blocks for at most ten seconds.
    #[must_use]
    pub fn ask(&self, partitions: &[(Arc<str>, i32)]) -> Vec<Option<NextOffset>> {
        let mut asked = TopicPartitionList::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            // In the place of a time, the end stands for itself. With read_committed, that is the last stable
            // offset.
            let added = asked.add_partition_offset(topic, *partition, Offset::End);
            debug_assert!(added.is_ok(), "the end is a legal offset");
        }
        match self.consumer.offsets_for_times(asked, Connection::METADATA_TIMEOUT) {
            Ok(answer) => partitions.iter().map(|(topic, number)| end(&answer, topic, *number)).collect(),
            Err(error) => {
                warn!(%error, "no broker said where partitions end");
                vec![None; partitions.len()]
            }
        }
    }
}

fn end(answer: &TopicPartitionList, topic: &str, partition: i32) -> Option<NextOffset> {
    let element = answer.find_partition(topic, partition)?;
    match (element.error(), element.offset()) {
        (Ok(()), Offset::Offset(end)) => Some(NextOffset(end)),
        _ => None,
    }
}

impl std::fmt::Debug for Ends {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ends").finish_non_exhaustive()
    }
}
