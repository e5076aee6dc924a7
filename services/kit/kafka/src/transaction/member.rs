use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use rdkafka_sys::rd_kafka_resp_err_t as Response;
use tracing::warn;

use crate::client::{Observer, observed};
use crate::consumer::{Group, Revocation, locked, named};
use crate::error::{leaves_records_out, refuse_if_fatal};
use crate::{Connection, Error, Incoming, NextOffset};

/// A group member of the input topic whose offsets are committed only inside transactions.
///
/// Poll it from the one thread that also runs the transactions: a rebalance then never meets an open one.
pub struct Member {
    consumer: BaseConsumer<Rebalances>,
    topic: Arc<str>,
}

/// What a poll brought.
#[derive(Debug)]
pub enum Polled {
    /// Nothing in time.
    Nothing,
    /// A record.
    Record(Incoming),
    /// Partitions came or went; records read before this may be of partitions that are gone.
    Rebalanced(Vec<Rebalanced>),
}

/// Partitions that came or went.
#[derive(Debug, PartialEq, Eq)]
pub enum Rebalanced {
    /// Came. They are paused until [`Member::start`].
    Assigned(Vec<i32>),
    /// Went.
    Revoked(Vec<i32>, Revocation),
}

impl Member {
    /// Joins `group` for `topic`.
    ///
    /// # Errors
    /// Where the client refuses its settings.
    pub fn join(connection: &Connection, group: &Group, topic: &str) -> Result<Self, Error> {
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
            // A lost position is a fault to be looked at, never a reason to jump.
            .set("auto.offset.reset", "error")
            .set("fetch.wait.max.ms", "50")
            .set("fetch.queue.backoff.ms", "5")
            .set("queued.max.messages.kbytes", "32768")
            .set("fetch.message.max.bytes", "2097152")
            .set("check.crcs", "true");
        if let Some(instance) = &group.instance {
            config.set("group.instance.id", instance);
        }
        let rebalances = Rebalances { observer: Observer::new("member"), events: Mutex::default() };
        let consumer: BaseConsumer<Rebalances> =
            config.create_with_context(rebalances).map_err(Error::Settings)?;
        consumer.subscribe(&[topic]).map_err(|source| Error::of("subscribe", source))?;
        Ok(Self { consumer, topic: Arc::from(topic) })
    }

    /// Waits at most `wait` for a record or a rebalance.
    ///
    /// # Errors
    /// Where the topic is missing, the broker refuses this client, the client is unusable, a position is gone from the
    /// log, or records can't be read. A lost broker is none: it is waited for.
    pub fn poll(&self, wait: Duration) -> Result<Polled, Error> {
        // The wrapper ends a poll right after a rebalance, so a record never comes with one.
        match self.consumer.poll(wait) {
            Some(Ok(message)) => {
                let topics = std::slice::from_ref(&self.topic);
                return Ok(Polled::Record(Incoming::copy_of(&message, topics)));
            }
            Some(Err(error)) => self.tolerate(error)?,
            None => {}
        }
        let events = std::mem::take(&mut *locked(&self.consumer.context().events));
        Ok(if events.is_empty() { Polled::Nothing } else { Polled::Rebalanced(events) })
    }

    /// Lets records of `partition` come, from `next`.
    ///
    /// # Errors
    /// Where the partition is no longer assigned.
    pub fn start(&self, partition: i32, next: NextOffset) -> Result<(), Error> {
        let failed = |source| Error::of("start a partition", source);
        self.consumer
            .seek(&self.topic, partition, Offset::Offset(next.0), Connection::METADATA_TIMEOUT)
            .map_err(failed)?;
        self.consumer.resume(&self.only(partition)).map_err(failed)
    }

    /// Lets no more records of `partition` come, though it stays assigned.
    ///
    /// # Errors
    /// Where the client refuses.
    pub fn pause(&self, partition: i32) -> Result<(), Error> {
        self.consumer.pause(&self.only(partition)).map_err(|source| Error::of("pause a partition", source))
    }

    /// The end of what is decided on a partition of any topic, such as a changelog: everything committed below it can be
    /// read.
    ///
    /// # Errors
    /// Where no broker answers.
    pub fn stable_end(&self, topic: &str, partition: i32) -> Result<NextOffset, Error> {
        // With read_committed, a watermark is the last stable offset.
        let watermarks = self.consumer.fetch_watermarks(topic, partition, Connection::METADATA_TIMEOUT);
        watermarks
            .map(|(_, stable)| NextOffset(stable))
            .map_err(|source| Error::of("read watermarks", source))
    }

    /// The input topic.
    #[must_use]
    pub fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    pub(super) fn client(&self) -> &rdkafka::client::Client<impl ClientContext + use<>> {
        self.consumer.client()
    }

    fn only(&self, partition: i32) -> TopicPartitionList {
        let mut one = TopicPartitionList::new();
        one.add_partition(&self.topic, partition);
        one
    }

    fn tolerate(&self, error: KafkaError) -> Result<(), Error> {
        refuse_if_fatal(self.consumer.client())?;
        use rdkafka::error::RDKafkaErrorCode as Code;
        match error.rdkafka_error_code() {
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => {
                Err(Error::UnknownTopic { topic: self.topic.to_string() })
            }
            Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => {
                Err(Error::of("find the committed position", error))
            }
            Some(code) if leaves_records_out(code) => Err(Error::of("read records", error)),
            _ => match Error::of("poll", error) {
                fatal @ (Error::Unauthorized { .. } | Error::Fatal { .. }) => Err(fatal),
                passing => {
                    warn!(error = %passing, "poll disturbed");
                    Ok(())
                }
            },
        }
    }
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("topic", &self.topic).finish_non_exhaustive()
    }
}

struct Rebalances {
    observer: Observer,
    events: Mutex<Vec<Rebalanced>>,
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
        let (event, outcome) = match response {
            Response::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                // From the beginning, but paused before the first fetch can answer: where to start is known only after the
                // restore, and `start` seeks there.
                let beginning = partitions.set_all_offsets(Offset::Beginning);
                let assigned = beginning.and_then(|()| consumer.incremental_assign(partitions));
                let paused = assigned.and_then(|()| consumer.pause(partitions));
                (Rebalanced::Assigned(numbers), paused)
            }
            _ => {
                let how = if consumer.assignment_lost() { Revocation::Lost } else { Revocation::Revoked };
                (Rebalanced::Revoked(numbers, how), consumer.incremental_unassign(partitions))
            }
        };
        if let Err(error) = outcome {
            warn!(%error, "rebalance call failed");
        }
        locked(&self.events).push(event);
    }
}
