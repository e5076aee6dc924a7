//! Reading records for a sink: a group member whose offsets are committed only when the sink says so (S3).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use rdkafka_sys::rd_kafka_resp_err_t as Response;
use tracing::{info, warn};

use crate::client::{Observer, observed};
use crate::error::{leaves_records_out, refuse_if_fatal};
use crate::{Connection, Error, Incoming, NextOffset};

/// A consumer group and this member's place in it.
#[derive(Debug, Clone)]
pub struct Group {
    /// The group's id.
    pub id: String,
    /// A lasting name of this member: with it, a restart within the session timeout moves no partition (KIP-345).
    pub instance: Option<String>,
    /// After this long without a heartbeat the member is taken for dead.
    pub session_timeout: Duration,
}

/// Bounds of one batch (E3).
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    /// Records at most.
    pub records_max: usize,
    /// Bytes of keys and values at most; one record may pass it.
    pub bytes_max: usize,
    /// How long to wait for the batch to fill, from its first poll.
    pub wait_max: Duration,
}

/// How a partition went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// In an orderly rebalance: nobody else has it before this call returns.
    Revoked,
    /// Taken away: somebody else may have it already.
    Lost,
}

/// What a sink does when partitions come and go. Called on the polling thread, inside a poll.
pub trait Assignment: Send + Sync {
    /// Where each of `partitions` starts; `None` is the committed offset, else the beginning of the log.
    fn assigned(&self, partitions: &[(String, i32)]) -> Vec<Option<NextOffset>>;

    /// Nothing more may be done for `partitions`.
    fn revoked(&self, partitions: &[(String, i32)], how: Revocation);
}

/// After this long without a batch, fetching is paused so that polling keeps the membership alive without records
/// piling up. Not sooner: each pause throws away what was fetched.
const PAUSE_AFTER: Duration = Duration::from_secs(5);

/// A group member that reads only committed records. Poll it from one thread.
pub struct Consumer {
    consumer: BaseConsumer<Owner>,
    topics: Vec<Arc<str>>,
    last_batch: Mutex<Instant>,
    paused: Mutex<bool>,
    /// Records that came while a batch was being delivered: a partition assigned meanwhile is not paused at once.
    held: Mutex<Vec<Incoming>>,
}

impl Consumer {
    /// Joins `group` for `topics`, from the beginning where nothing is committed.
    ///
    /// # Errors
    /// Where the client refuses its settings.
    pub fn subscribe(
        connection: &Connection,
        group: &Group,
        topics: &[String],
        hooks: Arc<dyn Assignment>,
    ) -> Result<Self, Error> {
        let mut config = connection.client_config(&group.id);
        config
            .set("group.id", &group.id)
            .set("session.timeout.ms", group.session_timeout.as_millis().to_string())
            .set(
                "heartbeat.interval.ms",
                (group.session_timeout.as_millis() / 4).clamp(100, 3_000).to_string(),
            )
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "100")
            .set("fetch.queue.backoff.ms", "10")
            .set("queued.max.messages.kbytes", "32768");
        if let Some(instance) = &group.instance {
            config.set("group.instance.id", instance);
        }
        let owner = Owner { observer: Observer::new("consumer"), hooks, owned: Mutex::default() };
        let consumer: BaseConsumer<Owner> = config.create_with_context(owner).map_err(Error::Settings)?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer.subscribe(&names).map_err(|source| Error::of("subscribe", source))?;
        Ok(Self {
            consumer,
            topics: topics.iter().map(|topic| Arc::from(topic.as_str())).collect(),
            last_batch: Mutex::new(Instant::now()),
            paused: Mutex::default(),
            held: Mutex::default(),
        })
    }

    /// Records of the partitions owned, in partition order; empty where nothing came in time. Hooks run inside.
    ///
    /// # Errors
    /// Where the topics are missing, the broker refuses this client, or the client is unusable. A lost broker is none: it
    /// is waited for.
    pub fn poll_batch(&self, limits: &Batch) -> Result<Vec<Incoming>, Error> {
        self.resume()?;
        *locked(&self.last_batch) = Instant::now();
        let deadline = Instant::now() + limits.wait_max;
        let mut batch = std::mem::take(&mut *locked(&self.held));
        let mut bytes: usize = batch.iter().map(Incoming::bytes).sum();
        while batch.len() < limits.records_max && bytes < limits.bytes_max {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.poll(left)? {
                Some(record) => {
                    bytes += record.bytes();
                    batch.push(record);
                }
                None if left.is_zero() => break,
                None => {}
            }
        }
        // A rebalance in the middle may have taken partitions whose records were read before it.
        batch.retain(|record| self.owns(&record.topic, record.partition));
        *locked(&self.last_batch) = Instant::now();
        Ok(batch)
    }

    /// Stays in the group while a batch is being delivered, waiting at most `wait`. Hooks may run inside.
    ///
    /// # Errors
    /// As [`Self::poll_batch`].
    pub fn keep_alive(&self, wait: Duration) -> Result<(), Error> {
        if locked(&self.last_batch).elapsed() < PAUSE_AFTER {
            std::thread::sleep(wait);
            return Ok(());
        }
        let deadline = Instant::now() + wait;
        loop {
            self.pause()?;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            if let Some(record) = self.poll(left)? {
                locked(&self.held).push(record);
            }
        }
    }

    /// Commits the positions that are still owned, and waits for the answer. A member that has lost its place commits
    /// nothing: its successor reads the records again.
    ///
    /// # Errors
    /// Where the broker refuses this client, or doesn't answer.
    pub fn commit(&self, next: &[(Arc<str>, i32, NextOffset)]) -> Result<(), Error> {
        let mut offsets = TopicPartitionList::with_capacity(next.len());
        for (topic, partition, next) in
            next.iter().filter(|(topic, partition, _)| self.owns(topic, *partition))
        {
            offsets
                .add_partition_offset(topic, *partition, Offset::Offset(next.0))
                .map_err(|source| Error::of("commit", source))?;
        }
        if offsets.count() == 0 {
            return Ok(());
        }
        match self.consumer.commit(&offsets, CommitMode::Sync) {
            Ok(()) => Ok(()),
            Err(error) if lost_its_place(&error) => {
                warn!(%error, "offsets not committed: the group has moved on");
                Ok(())
            }
            Err(source) => Err(Error::of("commit offsets", source)),
        }
    }

    /// Whether this member owns the partition now.
    #[must_use]
    pub fn owns(&self, topic: &str, partition: i32) -> bool {
        locked(&self.consumer.context().owned).contains(&(topic.to_owned(), partition))
    }

    /// Records between each owned partition's position and the end of its log, as last heard from the broker.
    #[must_use]
    pub fn lag(&self) -> Vec<(Arc<str>, i32, i64)> {
        let Ok(positions) = self.consumer.position() else { return Vec::new() };
        let lag_of = |topic: &str, partition: i32, position: i64| {
            let timeout = Duration::from_secs(1);
            let (_, high) = self.consumer.fetch_watermarks(topic, partition, timeout).ok()?;
            Some((Arc::from(topic), partition, (high - position).max(0)))
        };
        let elements = positions.elements();
        elements
            .iter()
            .filter_map(|at| lag_of(at.topic(), at.partition(), at.offset().to_raw()?.max(0)))
            .collect()
    }

    /// Leaves the group. A static member's partitions wait for its return.
    pub fn close(self) {
        drop(self);
    }

    fn poll(&self, wait: Duration) -> Result<Option<Incoming>, Error> {
        match self.consumer.poll(wait) {
            Some(Ok(message)) => Ok(Some(Incoming::copy_of(&message, &self.topics))),
            Some(Err(error)) => self.tolerate(error).map(|()| None),
            None => Ok(None),
        }
    }

    fn tolerate(&self, error: KafkaError) -> Result<(), Error> {
        refuse_if_fatal(self.consumer.client())?;
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                Err(Error::UnknownTopic { topic: self.topics.join(", ") })
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

    fn pause(&self) -> Result<(), Error> {
        let assigned = self.consumer.assignment().map_err(|source| Error::of("read assignment", source))?;
        // Again on each call: a partition may have been assigned since.
        self.consumer.pause(&assigned).map_err(|source| Error::of("pause", source))?;
        *locked(&self.paused) = true;
        Ok(())
    }

    fn resume(&self) -> Result<(), Error> {
        if std::mem::take(&mut *locked(&self.paused)) {
            let assigned =
                self.consumer.assignment().map_err(|source| Error::of("read assignment", source))?;
            self.consumer.resume(&assigned).map_err(|source| Error::of("resume", source))?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer").field("topics", &self.topics).finish_non_exhaustive()
    }
}

/// Whether the group has gone on without this member, so that what it says about offsets no longer counts.
fn lost_its_place(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::UnknownMemberId
                | Code::IllegalGeneration
                | Code::RebalanceInProgress
                | Code::FencedInstanceId
                | Code::AssignmentLost
        )
    )
}

struct Owner {
    observer: Observer,
    hooks: Arc<dyn Assignment>,
    owned: Mutex<BTreeSet<(String, i32)>>,
}

impl Owner {
    fn assign(&self, consumer: &BaseConsumer<Self>, partitions: &mut TopicPartitionList) {
        let named = named(partitions);
        let starts = if named.is_empty() { Vec::new() } else { self.hooks.assigned(&named) };
        for ((topic, partition), start) in named.iter().zip(starts) {
            let offset = start.map_or(Offset::Invalid, |next| Offset::Offset(next.0));
            if let Err(error) = partitions.set_partition_offset(topic, *partition, offset) {
                warn!(topic, partition, %error, "start offset not set");
            }
        }
        info!(partitions = named.len(), "partitions assigned");
        locked(&self.owned).extend(named);
        if let Err(error) = consumer.incremental_assign(partitions) {
            warn!(%error, "assignment failed");
        }
    }

    fn unassign(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) {
        let named = named(partitions);
        let how = if consumer.assignment_lost() { Revocation::Lost } else { Revocation::Revoked };
        info!(partitions = named.len(), ?how, "partitions revoked");
        {
            let mut owned = locked(&self.owned);
            for partition in &named {
                owned.remove(partition);
            }
        }
        if !named.is_empty() {
            self.hooks.revoked(&named, how);
        }
        if let Err(error) = consumer.incremental_unassign(partitions) {
            warn!(%error, "unassignment failed");
        }
    }
}

observed!(Owner);

impl ConsumerContext for Owner {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        response: Response,
        partitions: &mut TopicPartitionList,
    ) {
        match response {
            Response::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assign(consumer, partitions),
            _ => self.unassign(consumer, partitions),
        }
    }
}

pub(crate) fn named(partitions: &TopicPartitionList) -> Vec<(String, i32)> {
    // An empty list is legal in a cooperative rebalance, and its elements were once undefined behaviour in the wrapper.
    if partitions.count() == 0 {
        return Vec::new();
    }
    partitions.elements().iter().map(|element| (element.topic().to_owned(), element.partition())).collect()
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
