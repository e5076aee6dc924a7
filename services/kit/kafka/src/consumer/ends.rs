//! The ends of partitions, asked of the brokers.

use std::sync::Arc;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use tracing::warn;

use crate::client::Observer;
use crate::consumer::{LogBounds, LogId};
use crate::error::code_name;
use crate::{Connection, Error, NextOffset, TopicId, ffi};

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
        // With read_committed, the end is the last stable offset.
        self.offsets(partitions, Offset::End)
    }

    /// The logs of `partitions`, in their order; `None` where no broker said it. Blocks for at most 40
    /// seconds.
    #[must_use]
    pub fn logs(&self, partitions: &[(Arc<str>, i32)]) -> Vec<Option<LogBounds>> {
        let begins = self.offsets(partitions, Offset::Beginning);
        let ends = self.ask(partitions);
        let topics: Vec<Arc<str>> = partitions.iter().map(|(topic, _)| topic.clone()).collect();
        let ids = self.ids(&topics);
        let bounds = ids.into_iter().zip(begins).zip(ends);
        bounds.map(|((id, begin), end)| Some(LogBounds { id: id?, begin: begin?, end: end? })).collect()
    }

    /// The logs of `topics`, in their order; `None` where no broker said it. Blocks for at most 20 seconds.
    #[must_use]
    pub fn ids(&self, topics: &[Arc<str>]) -> Vec<Option<LogId>> {
        let nobody = || vec![None; topics.len()];
        let client = self.consumer.client();
        let Some(cluster) = client.fetch_cluster_id(Connection::METADATA_TIMEOUT) else { return nobody() };
        let cluster: Arc<str> = cluster.into();
        let mut names: Vec<&str> = topics.iter().map(|topic| &**topic).collect();
        names.sort_unstable();
        names.dedup();
        match ffi::topic_ids(client, &names, Connection::METADATA_TIMEOUT) {
            Ok(ids) => {
                let id = |topic: &Arc<str>| {
                    let place = names.binary_search(&&**topic).ok()?;
                    Some(LogId { cluster: Some(cluster.clone()), topic: ids[place].map(TopicId) })
                };
                topics.iter().map(id).collect()
            }
            Err(code) => {
                warn!(code = code_name(code), "no broker said the ids of topics");
                nobody()
            }
        }
    }

    fn offsets(&self, partitions: &[(Arc<str>, i32)], which: Offset) -> Vec<Option<NextOffset>> {
        let mut asked = TopicPartitionList::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            // In the place of a time, the beginning and the end stand for themselves.
            let added = asked.add_partition_offset(topic, *partition, which);
            debug_assert!(added.is_ok(), "the beginning and the end are legal offsets");
        }
        match self.consumer.offsets_for_times(asked, Connection::METADATA_TIMEOUT) {
            Ok(answer) => partitions.iter().map(|(topic, number)| offset(&answer, topic, *number)).collect(),
            Err(error) => {
                warn!(%error, "no broker said where partitions begin or end");
                vec![None; partitions.len()]
            }
        }
    }
}

fn offset(answer: &TopicPartitionList, topic: &str, partition: i32) -> Option<NextOffset> {
    let element = answer.find_partition(topic, partition)?;
    match (element.error(), element.offset()) {
        (Ok(()), Offset::Offset(offset)) => Some(NextOffset(offset)),
        _ => None,
    }
}

impl std::fmt::Debug for Ends {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ends").finish_non_exhaustive()
    }
}
