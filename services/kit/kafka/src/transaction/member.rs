use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use rdkafka_sys::rd_kafka_resp_err_t as Response;
use tracing::warn;

use crate::client::{Observer, observed};
use crate::consumer::departure::{Closing, MemberClient, MemberContext};
use crate::consumer::{Group, Revocation, locked, named};
use crate::error::{leaves_records_out, refuse_if_fatal};
use crate::ffi::Queue;
use crate::{Connection, Error, NextOffset};

use super::partition_queue::PartitionQueue;
use super::positions::{self, Committed};

/// A group member of the input topic whose offsets are committed only inside transactions.
///
/// One thread polls the member, which keeps the membership alive. Records arrive in [`PartitionQueue`]s, each
/// polled by another thread, so that a rebalance can be reported and answered while transactions go on.
pub struct Member {
    consumer: MemberClient<Rebalances>,
    topic: Arc<str>,
}

/// Partitions that were assigned or revoked.
#[derive(Debug, PartialEq, Eq)]
pub enum Rebalanced {
    /// Assigned. No record of them comes before [`Member::start`].
    Assigned(Vec<i32>),
    /// Revoked. No other member gets them before [`Member::release`], unless they are lost already.
    Revoked(Vec<i32>, Revocation),
}

impl Member {
    /// Joins `group` for `topic`. At most `prefetch_bytes` are fetched ahead.
    ///
    /// # Errors
    /// If the client refuses its settings.
    pub fn join(
        connection: &Connection,
        group: &Group,
        topic: &str,
        prefetch_bytes: u64,
    ) -> Result<Self, Error> {
        let mut config = connection.client_config(&group.id);
        config
            .set("group.id", &group.id)
            .set("group.protocol", "classic")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", group.session_timeout.as_millis().to_string())
            .set(
                "heartbeat.interval.ms",
                (group.session_timeout.as_millis() / 4).clamp(100, 3_000).to_string(),
            )
            .set("max.poll.interval.ms", group.session_timeout.as_millis().max(300_000).to_string())
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // A lost position is an error for the operator. Never jump to another offset.
            .set("auto.offset.reset", "error")
            // The processor needs to know the end of a partition: from there on, time passes without records.
            .set("enable.partition.eof", "true")
            // A fetch names every partition. Without a minimum, each new record would end a fetch at once.
            .set("fetch.min.bytes", "65536")
            .set("fetch.wait.max.ms", "25")
            .set("fetch.queue.backoff.ms", "5")
            .set("queued.max.messages.kbytes", (prefetch_bytes / 1024).clamp(1024, 2_097_151).to_string())
            .set("fetch.message.max.bytes", "2097152")
            .set("check.crcs", "true");
        if let Some(instance) = &group.instance {
            config.set("group.instance.id", instance);
        }
        let consumer: BaseConsumer<Rebalances> =
            config.create_with_context(Rebalances::default()).map_err(Error::Settings)?;
        consumer.subscribe(&[topic]).map_err(|source| Error::of("subscribe", source))?;
        let consumer = MemberClient::new(consumer, group.instance.is_none());
        Ok(Self { consumer, topic: Arc::from(topic) })
    }

    /// Waits at most `wait` for partitions to be assigned or revoked.
    ///
    /// # Errors
    /// If the topic is missing, the broker refuses this client, or the client is unusable. A lost connection
    /// is not an error.
    pub fn poll(&self, wait: Duration) -> Result<Vec<Rebalanced>, Error> {
        match self.consumer.poll(wait) {
            // Records and ends come in the queues.
            Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) | None => {}
            Some(Err(error)) => {
                refuse_if_fatal(self.consumer.client())?;
                tolerate(&self.topic, error)?;
            }
        }
        Ok(std::mem::take(&mut *locked(&self.consumer.context().events)))
    }

    /// Gives back partitions that [`Rebalanced::Revoked`] named. From here on, another member may have them.
    ///
    /// # Errors
    /// If the client refuses.
    pub fn release(&self, partitions: &[i32]) -> Result<(), Error> {
        let failed = |source| Error::of("give partitions back", source);
        let rebalances = self.consumer.context();
        locked(&rebalances.unreleased).retain(|partition| !partitions.contains(partition));
        let started = rebalances.forget(partitions);
        self.consumer.incremental_unassign(&list(&self.topic, &started)).map_err(failed)
    }

    /// Leaves the group for good. Other members get the partitions now, and not when the session times out.
    pub fn leave(self) {
        self.consumer.will_leave();
    }

    /// A queue, empty until partitions are started into it. It must be dropped before this member is.
    #[must_use]
    pub fn partition_queue(&self) -> PartitionQueue {
        PartitionQueue::new(Queue::new(Arc::clone(&self.consumer)), Arc::clone(&self.topic))
    }

    /// Makes the records of `partition`, from `next`, arrive in `queue`, also where they arrived in another
    /// one.
    ///
    /// # Errors
    /// If the partition is no longer assigned.
    pub fn start(&self, partition: i32, next: NextOffset, queue: &PartitionQueue) -> Result<(), Error> {
        let failed = |source| Error::of("start a partition", source);
        // First, or its first records would arrive elsewhere. librdkafka remembers it for as long as the
        // client lives.
        queue.forward_from(partition);
        let mut position = TopicPartitionList::with_capacity(1);
        position.add_partition_offset(&self.topic, partition, Offset::Offset(next.0)).map_err(failed)?;
        if locked(&self.consumer.context().started).insert(partition) {
            return self.consumer.incremental_assign(&position).map_err(failed);
        }
        // It moves from another queue, or it had stopped. What was read for that queue is dropped.
        let next = Offset::Offset(next.0);
        self.consumer.seek(&self.topic, partition, next, Connection::METADATA_TIMEOUT).map_err(failed)?;
        // A partition that stopped is paused.
        self.consumer.resume(&list(&self.topic, &[partition])).map_err(failed)
    }

    /// What the group has committed for `partitions`, in their order, once every transaction on them is
    /// decided (KIP-447's stable offsets).
    ///
    /// # Errors
    /// If one of them is still undecided after `timeout`, or no broker answers.
    pub fn committed(&self, partitions: &[i32], timeout: Duration) -> Result<Vec<Committed>, Error> {
        let partitions: Vec<_> = partitions.iter().map(|partition| (&*self.topic, *partition)).collect();
        positions::committed(&self.consumer, &partitions, timeout)
    }

    /// Stops the records of `partition`. The partition stays assigned.
    ///
    /// # Errors
    /// If the client refuses.
    pub fn pause(&self, partition: i32) -> Result<(), Error> {
        let paused = self.consumer.pause(&list(&self.topic, &[partition]));
        paused.map_err(|source| Error::of("pause a partition", source))
    }

    /// The ends of what is decided on partitions of any topics, such as changelogs, in their order:
    /// everything committed below can be read.
    ///
    /// # Errors
    /// If no broker answers, or one of them has no leader.
    pub fn stable_ends(&self, partitions: &[(&str, i32)]) -> Result<Vec<NextOffset>, Error> {
        positions::stable_ends(&self.consumer, partitions)
    }

    /// The input topic.
    #[must_use]
    pub fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    pub(super) fn client(&self) -> &rdkafka::client::Client<impl ClientContext + use<>> {
        self.consumer.client()
    }
}

fn list(topic: &str, partitions: &[i32]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition(topic, *partition);
    }
    list
}

impl Drop for Member {
    /// Releases what was revoked: the client would wait for it without a limit.
    fn drop(&mut self) {
        let rebalances = self.consumer.context();
        rebalances.leaving.store(true, Ordering::Relaxed);
        let unreleased = locked(&rebalances.unreleased).clone();
        if !unreleased.is_empty()
            && let Err(error) = self.release(&unreleased)
        {
            warn!(%error, "partitions not given back");
        }
    }
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("topic", &self.topic).finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(super) struct Rebalances {
    observer: Observer,
    events: Mutex<Vec<Rebalanced>>,
    /// Revoked, and not released yet.
    unreleased: Mutex<Vec<i32>>,
    /// Started: what the client itself has assigned.
    started: Mutex<BTreeSet<i32>>,
    /// Whether the member is being dropped, so that no caller would release partitions.
    leaving: AtomicBool,
    closing: Closing,
}

impl Rebalances {
    /// Those of `partitions` that were started. From now on they aren't.
    fn forget(&self, partitions: &[i32]) -> Vec<i32> {
        let mut started = locked(&self.started);
        partitions.iter().copied().filter(|partition| started.remove(partition)).collect()
    }
}

impl MemberContext for Rebalances {
    fn closing(&self) -> &Closing {
        &self.closing
    }
}

impl Default for Rebalances {
    fn default() -> Self {
        Self {
            observer: Observer::new("member"),
            events: Mutex::default(),
            unreleased: Mutex::default(),
            started: Mutex::default(),
            closing: Closing::default(),
            leaving: AtomicBool::new(false),
        }
    }
}

observed!(Rebalances);

impl ConsumerContext for Rebalances {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        response: Response,
        partitions: &mut TopicPartitionList,
    ) {
        let numbers: Vec<i32> = named(partitions).into_iter().map(|(_, partition)| partition).collect();
        if self.closing.answers(consumer, partitions) {
            return;
        }
        let event = match response {
            Response::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                // The rebalance is answered now, and the partitions are assigned in the client by `start`, at
                // their positions: these are known only after the restore. A seek could be undone by a late
                // answer to the question where a first position is.
                if let Err(error) = consumer.incremental_assign(&TopicPartitionList::new()) {
                    warn!(%error, "partitions not taken");
                }
                Rebalanced::Assigned(numbers)
            }
            _ if self.leaving.load(Ordering::Relaxed) => {
                let topic = named(partitions).pop().map(|(topic, _)| topic).unwrap_or_default();
                let started = list(&topic, &self.forget(&numbers));
                if let Err(error) = consumer.incremental_unassign(&started) {
                    warn!(%error, "partitions not given back");
                }
                return;
            }
            // The caller gives them back once it has stopped working on them: see `Member::release`.
            _ => {
                locked(&self.unreleased).extend(&numbers);
                let how = if consumer.assignment_lost() { Revocation::Lost } else { Revocation::Revoked };
                Rebalanced::Revoked(numbers, how)
            }
        };
        locked(&self.events).push(event);
    }
}

/// Succeeds if the client recovers from `error` by itself.
pub(super) fn tolerate(topic: &str, error: KafkaError) -> Result<(), Error> {
    use rdkafka::error::RDKafkaErrorCode as Code;
    match error.rdkafka_error_code() {
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => {
            Err(Error::UnknownTopic { topic: topic.to_owned() })
        }
        Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => {
            Err(Error::of("find the committed position", error))
        }
        Some(code) if leaves_records_out(code) => Err(Error::of("read records", error)),
        _ => match Error::of("poll", error) {
            fatal @ (Error::Unauthorized { .. } | Error::Fatal { .. }) => Err(fatal),
            passing => {
                if let Some(held_back) = telemetry::seldom("member poll", passing.code().unwrap_or_default())
                {
                    warn!(error = %passing, held_back, "poll disturbed");
                }
                Ok(())
            }
        },
    }
}
