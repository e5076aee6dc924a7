//! Reading records for a sink: a group member that commits offsets only when the sink asks for it (S3).

mod assignment;
pub(crate) mod departure;
mod ends;
mod log;
mod progress;
mod rebalance;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tracing::warn;

use crate::error::{leaves_records_out, refuse_if_fatal};
use crate::transaction::{Committed, positions};
use crate::{Connection, Error, Incoming, NextOffset, ffi};
pub use assignment::{Assignment, Revocation};
use departure::MemberClient;
pub use ends::Ends;
pub use log::{LogBounds, LogId};
pub use progress::FetchProgress;
use rebalance::Owner;

/// A consumer group and this member's place in it.
#[derive(Debug, Clone)]
pub struct Group {
    /// The group's id.
    pub id: String,
    /// A lasting name of this member (KIP-345). With it, a restart within the session timeout moves no
    /// partition.
    pub instance: Option<String>,
    /// After this long without a heartbeat, the broker considers the member dead.
    pub session_timeout: Duration,
}

/// Bounds of one batch (E3).
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    /// Records at most.
    pub records_max: usize,
    /// Bytes of keys and values at most; one record may pass it.
    pub bytes_max: usize,
    /// How long to wait for the batch to fill, from its first poll.
    pub wait_max: Duration,
}

/// After this long without a batch, fetching is paused, so that polling keeps the membership alive without
/// records piling up. Not sooner: each pause discards what was fetched.
const PAUSE_AFTER: Duration = Duration::from_secs(5);

/// How long an answer to a commit is waited for. Meanwhile nothing is polled.
const COMMIT_MAX: Duration = Duration::from_secs(5);

/// How old [`Consumer::progress`] may be.
const STATISTICS_EVERY_MS: &str = "5000";

/// How long a poll lasts before the consumer looks whether partitions wait for their start.
const POLL_MAX: Duration = Duration::from_millis(100);

/// A group member that reads only committed records. Poll it from one thread.
pub struct Consumer {
    consumer: MemberClient<Owner>,
    topics: Vec<Arc<str>>,
    last_batch: Mutex<Instant>,
    paused: Mutex<bool>,
    /// Records that arrived while a batch was being delivered. A partition that was assigned meanwhile is not
    /// paused at once.
    held: Mutex<Vec<Incoming>>,
    /// Whether a log lacked the next offset.
    loss: AtomicBool,
}

impl Consumer {
    /// Joins `group` for `topics`. A partition without a committed offset starts at its beginning.
    ///
    /// # Errors
    /// If the client refuses its settings.
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
            // Where a log has no such offset, the sink decides. The client never jumps by itself.
            .set("auto.offset.reset", if hooks.starts_later() { "error" } else { "earliest" })
            .set("statistics.interval.ms", STATISTICS_EVERY_MS)
            .set("fetch.wait.max.ms", "100")
            .set("fetch.queue.backoff.ms", "10")
            .set("queued.max.messages.kbytes", "32768");
        if let Some(instance) = &group.instance {
            config.set("group.instance.id", instance);
        }
        let consumer: BaseConsumer<Owner> =
            config.create_with_context(Owner::new(hooks)).map_err(Error::Settings)?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer.subscribe(&names).map_err(|source| Error::of("subscribe", source))?;
        Ok(Self {
            consumer: MemberClient::new(consumer, group.instance.is_none()),
            topics: topics.iter().map(|topic| Arc::from(topic.as_str())).collect(),
            last_batch: Mutex::new(Instant::now()),
            paused: Mutex::default(),
            held: Mutex::default(),
            loss: AtomicBool::new(false),
        })
    }

    /// Records of the owned partitions, each partition in order; empty if none arrived in time. Hooks run
    /// inside. Returns early if partitions wait for [`Self::start`].
    ///
    /// # Errors
    /// If the topics are missing, the broker refuses this client, or the client is unusable. A lost
    /// connection is not an error.
    pub fn poll_batch(&self, limits: &BatchLimits) -> Result<Vec<Incoming>, Error> {
        self.resume()?;
        *locked(&self.last_batch) = Instant::now();
        let deadline = Instant::now() + limits.wait_max;
        let mut batch = std::mem::take(&mut *locked(&self.held));
        let mut bytes: usize = batch.iter().map(Incoming::bytes).sum();
        while batch.len() < limits.records_max && bytes < limits.bytes_max {
            let left = deadline.saturating_duration_since(Instant::now());
            let record = self.poll(left.min(POLL_MAX))?;
            self.drop_revoked(&mut batch);
            match record {
                Some(record) => {
                    bytes += record.bytes();
                    batch.push(record);
                }
                None if left.is_zero() || self.any_waits() => break,
                None => {}
            }
        }
        *locked(&self.last_batch) = Instant::now();
        Ok(batch)
    }

    /// Keeps the membership alive for `wait` while a batch is being delivered. Hooks may run inside.
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
            let record = self.poll(left)?;
            let mut held = locked(&self.held);
            self.drop_revoked(&mut held);
            held.extend(record);
        }
    }

    /// Makes the records of an assigned partition arrive, from `next`, if its assignment [starts
    /// later](Assignment::starts_later).
    ///
    /// # Errors
    /// If the client refuses. The partition still waits, and the call can be repeated.
    pub fn start(&self, topic: &str, partition: i32, next: NextOffset) -> Result<(), Error> {
        let failed = |source| Error::of("start a partition", source);
        self.consumer
            .seek(topic, partition, Offset::Offset(next.0), Connection::METADATA_TIMEOUT)
            .map_err(failed)?;
        locked(&self.consumer.context().floors).insert((topic.to_owned(), partition), next);
        let mut started = TopicPartitionList::with_capacity(1);
        started.add_partition(topic, partition);
        self.consumer.resume(&started).map_err(failed)?;
        locked(&self.consumer.context().waiting).remove(&(topic.to_owned(), partition));
        Ok(())
    }

    /// What the group has committed for `partitions`, in their order.
    ///
    /// # Errors
    /// If no broker answers.
    pub fn committed(&self, partitions: &[(Arc<str>, i32)]) -> Result<Vec<Committed>, Error> {
        let partitions: Vec<_> = partitions.iter().map(|(topic, number)| (&**topic, *number)).collect();
        positions::committed(&self.consumer, &partitions, Connection::METADATA_TIMEOUT)
    }

    /// Whether a log lacked the offset that was to be read next, since this was last asked. Nothing of that
    /// partition comes any more.
    #[must_use]
    pub fn took_loss(&self) -> bool {
        self.loss.swap(false, Ordering::Relaxed)
    }

    /// Commits the positions that are still owned, each with the text that `metadata` makes for it, and waits
    /// for the answer. A member that has lost its place commits nothing: its successor reads the records
    /// again.
    ///
    /// # Errors
    /// If the broker refuses this client, or doesn't answer.
    pub fn commit(
        &self,
        next: &[(Arc<str>, i32, NextOffset)],
        metadata: impl Fn(&(Arc<str>, i32)) -> String,
    ) -> Result<(), Error> {
        let mut offsets = TopicPartitionList::with_capacity(next.len());
        for (topic, partition, next) in
            next.iter().filter(|(topic, partition, _)| self.owns(topic, *partition))
        {
            offsets
                .add_partition_offset(topic, *partition, Offset::Offset(next.0))
                .map_err(|source| Error::of("commit", source))?;
            if let Some(mut element) = offsets.find_partition(topic, *partition) {
                element.set_metadata(metadata(&(topic.clone(), *partition)));
            }
        }
        if offsets.count() == 0 {
            return Ok(());
        }
        match ffi::commit(self.consumer.client(), &offsets, COMMIT_MAX) {
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

    /// How far each owned partition has been read, in order. A few seconds old. A partition is left out that
    /// was assigned since.
    #[must_use]
    pub fn progress(&self) -> Vec<FetchProgress> {
        let context = self.consumer.context();
        let statistics = locked(&context.statistics);
        let owned = locked(&context.owned);
        let topic = |name: &str| self.topics.iter().find(|topic| ***topic == *name);
        owned.iter().filter_map(|(name, partition)| statistics.progress(topic(name)?, *partition)).collect()
    }

    /// Leaves the group. A static member's partitions wait for its return.
    pub fn close(self) {
        drop(self);
    }

    fn poll(&self, wait: Duration) -> Result<Option<Incoming>, Error> {
        match self.consumer.poll(wait) {
            Some(Ok(message)) => {
                let record = Incoming::copy_of(&message, &self.topics);
                Ok(Some(record).filter(|record| self.is_due(record)))
            }
            Some(Err(error)) => self.tolerate(error).map(|()| None),
            None => Ok(None),
        }
    }

    /// Whether the record lies behind its partition's start. While a partition waits for its start, none
    /// does.
    fn is_due(&self, record: &Incoming) -> bool {
        if self.waits(&record.topic, record.partition) {
            return false;
        }
        let mut floors = locked(&self.consumer.context().floors);
        if floors.is_empty() {
            return true;
        }
        let partition = (record.topic.to_string(), record.partition);
        match floors.get(&partition) {
            Some(start) if start.is_past(record.offset) => false,
            _ => {
                floors.remove(&partition);
                true
            }
        }
    }

    fn waits(&self, topic: &str, partition: i32) -> bool {
        let waiting = locked(&self.consumer.context().waiting);
        !waiting.is_empty() && waiting.contains(&(topic.to_owned(), partition))
    }

    fn any_waits(&self) -> bool {
        !locked(&self.consumer.context().waiting).is_empty()
    }

    /// Drops the records of partitions that went since the last call. A partition may have come back
    /// meanwhile, and is then read again from its committed position: its earlier records would pass for the
    /// new assignment's.
    fn drop_revoked(&self, records: &mut Vec<Incoming>) {
        let revoked = std::mem::take(&mut *locked(&self.consumer.context().revoked));
        if !revoked.is_empty() {
            records.retain(|record| !revoked.contains(&(record.topic.to_string(), record.partition)));
        }
    }

    fn tolerate(&self, error: KafkaError) -> Result<(), Error> {
        refuse_if_fatal(self.consumer.client())?;
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                Err(Error::UnknownTopic { topic: self.topics.join(", ") })
            }
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                warn!(%error, "a log lacks the offset that was to be read next");
                self.loss.store(true, Ordering::Relaxed);
                Ok(())
            }
            Some(code) if leaves_records_out(code) => Err(Error::of("read records", error)),
            _ => match Error::of("poll", error) {
                fatal @ (Error::Unauthorized { .. } | Error::Fatal { .. }) => Err(fatal),
                passing => {
                    if let Some(held_back) =
                        telemetry::seldom("consumer poll", passing.code().unwrap_or_default())
                    {
                        warn!(error = %passing, held_back, "poll disturbed");
                    }
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
            let mut started = TopicPartitionList::with_capacity(assigned.count());
            for (topic, partition) in named(&assigned) {
                if !self.waits(&topic, partition) {
                    started.add_partition(&topic, partition);
                }
            }
            self.consumer.resume(&started).map_err(|source| Error::of("resume", source))?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer").field("topics", &self.topics).finish_non_exhaustive()
    }
}

/// Whether the group has gone on without this member, so that its offsets no longer count.
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

pub(crate) fn named(partitions: &TopicPartitionList) -> Vec<(String, i32)> {
    // An empty list is legal in a cooperative rebalance, and its elements were once undefined behaviour in
    // the wrapper.
    if partitions.count() == 0 {
        return Vec::new();
    }
    partitions.elements().iter().map(|element| (element.topic().to_owned(), element.partition())).collect()
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
