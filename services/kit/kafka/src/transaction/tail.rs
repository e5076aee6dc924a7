use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use thiserror::Error;

use super::positions::{self, Committed};
use crate::client::Observer;
use crate::cluster;
use crate::{Connection, Error, Incoming, NextOffset, RecordOffset, TopicId};

/// How long one poll waits, and so how late a stop is noticed.
const POLL_WAIT: Duration = Duration::from_millis(100);
/// How long to sleep between two looks at a log whose end is still undecided.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// After this long without a record or the end of the log, reading fails.
const STALL_MAX: Duration = Duration::from_secs(60);

/// Reads a changelog partition from a position to its end, committed records only.
pub struct Tail {
    committed: BaseConsumer<Observer>,
    uncommitted: BaseConsumer<Observer>,
}

/// A changelog could not be read to its end.
#[derive(Debug, Error)]
pub enum TailError {
    /// Kafka failed.
    #[error(transparent)]
    Kafka(#[from] Error),
    /// A transaction on this partition is still undecided.
    #[error(
        "changelog {topic}/{partition} is undecided from offset {stable} to {high} after {waited:?}: a transaction hangs; \
         look for it with kafka-transactions.sh"
    )]
    Undecided {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Last stable offset.
        stable: NextOffset,
        /// High watermark at the start.
        high: NextOffset,
        /// How long was waited.
        waited: Duration,
    },
    /// Nothing came, not even the end of the log.
    #[error(
        "changelog {topic}/{partition} brings nothing behind offset {next} for {waited:?}: look at its leader's log"
    )]
    Stalled {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Where the reading stands.
        next: NextOffset,
        /// How long was waited.
        waited: Duration,
    },
    /// The caller asked to stop.
    #[error("reading was stopped")]
    Stopped,
}

impl Tail {
    /// A reader that never joins `group`, and only asks for its offsets.
    ///
    /// # Errors
    /// If the client refuses its settings.
    pub fn new(connection: &Connection, group: &str) -> Result<Self, Error> {
        let reader = |isolation: &str| {
            connection
                .client_config("aftersend-tail")
                .set("group.id", group)
                .set("isolation.level", isolation)
                .set("enable.auto.commit", "false")
                .set("enable.partition.eof", "true")
                .set("auto.offset.reset", "error")
                .set("check.crcs", "true")
                // The end of a log shows as an empty fetch, which the broker holds back for this long.
                .set("fetch.wait.max.ms", "10")
                .set("fetch.queue.backoff.ms", "5")
                .set("queued.max.messages.kbytes", "32768")
                .create_with_context(Observer::new("tail"))
                .map_err(Error::Settings)
        };
        Ok(Self { committed: reader("read_committed")?, uncommitted: reader("read_uncommitted")? })
    }

    /// The log's first offset and its high watermark, undecided records included. The last stable offset
    /// would silently leave out decided records above a hanging transaction (KAFKA-10167).
    ///
    /// # Errors
    /// If no broker answers.
    pub fn extent(&self, topic: &str, partition: i32) -> Result<(NextOffset, NextOffset), Error> {
        let (low, high) = self
            .uncommitted
            .fetch_watermarks(topic, partition, Connection::METADATA_TIMEOUT)
            .map_err(|source| Error::of("read watermarks", source))?;
        Ok((NextOffset(low), NextOffset(high)))
    }

    /// What the group has committed for `partition`, once every transaction on it is decided (KIP-447's
    /// stable offsets).
    ///
    /// # Errors
    /// If it is still undecided after `timeout`, or no broker answers.
    pub fn committed(&self, topic: &str, partition: i32, timeout: Duration) -> Result<Committed, Error> {
        let mut answers = positions::committed(&self.committed, &[(topic, partition)], timeout)?;
        Ok(answers.pop().expect("the answer has the one partition that was asked for"))
    }

    /// The last stable offset: every transaction below it is decided, so everything committed below it can be
    /// read.
    ///
    /// # Errors
    /// If no broker answers.
    pub fn stable_end(&self, topic: &str, partition: i32) -> Result<NextOffset, Error> {
        let mut ends = positions::stable_ends(&self.committed, &[(topic, partition)])?;
        Ok(ends.pop().expect("the answer has the one partition that was asked for"))
    }

    /// Waits until everything below `high` is decided.
    ///
    /// # Errors
    /// [`TailError::Undecided`] after `timeout`, [`TailError::Stopped`] if `stopped` returns true.
    pub fn await_decided(
        &self,
        topic: &str,
        partition: i32,
        high: NextOffset,
        timeout: Duration,
        stopped: &dyn Fn() -> bool,
    ) -> Result<(), TailError> {
        let started = Instant::now();
        loop {
            let stable = self.stable_end(topic, partition)?;
            if stable >= high {
                return Ok(());
            }
            if stopped() {
                return Err(TailError::Stopped);
            }
            let waited = started.elapsed();
            if waited > timeout {
                let topic = topic.to_owned();
                return Err(TailError::Undecided { topic, partition, stable, high, waited });
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Hands every committed record from `from` to `each`, in order, until the end of the log is reached.
    /// Returns the position after the last record.
    ///
    /// # Errors
    /// If Kafka fails or brings nothing for a minute, `each` fails, or `stopped` returns true.
    pub fn replay<E: From<TailError>>(
        &self,
        topic: &str,
        partition: i32,
        from: NextOffset,
        stopped: &dyn Fn() -> bool,
        mut each: impl FnMut(Incoming) -> Result<(), E>,
    ) -> Result<NextOffset, E> {
        self.read(topic, partition, from, stopped, |record| each(record).map(ControlFlow::Continue))
    }

    /// The first committed record at or after `from`; `None` if the log ends before one.
    ///
    /// # Errors
    /// If Kafka fails or brings nothing for a minute, or `stopped` returns true.
    pub fn first(
        &self,
        topic: &str,
        partition: i32,
        from: NextOffset,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Option<Incoming>, TailError> {
        let mut first = None;
        self.read::<TailError>(topic, partition, from, stopped, |record| {
            first = Some(record);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(first)
    }

    /// The committed record right before `next`; `None` if there is none: the log begins there, or what lies
    /// before is a marker of a transaction.
    ///
    /// A position is evidence of nothing where its topic was made anew. A reader that keeps positions asks at
    /// each assignment for this record and for [`Self::topic_ids`], and compares them with what it knew when
    /// the position was made.
    ///
    /// # Errors
    /// As [`Self::first`].
    pub fn before(
        &self,
        topic: &str,
        partition: i32,
        next: NextOffset,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Option<Incoming>, TailError> {
        let (first, end) = self.extent(topic, partition)?;
        let before = NextOffset(next.0 - 1);
        if before < first || before >= end {
            return Ok(None);
        }
        let record = self.first(topic, partition, before, stopped)?;
        Ok(record.filter(|record| record.offset.next() == next))
    }

    /// The ids that the cluster gave to `names`, in their order, as
    /// [`Cluster::topic_ids`](crate::Cluster::topic_ids) asks for them.
    ///
    /// # Errors
    /// If no broker answers, or it refuses.
    pub fn topic_ids(&self, names: &[&str]) -> Result<Vec<Option<TopicId>>, Error> {
        cluster::topic_ids(self.uncommitted.client(), names)
    }

    /// The record at `offset`, whether its transaction is decided or not; `None` if it does not come within
    /// `timeout`.
    pub(super) fn undecided(
        &self,
        topic: &str,
        partition: i32,
        offset: RecordOffset,
        timeout: Duration,
    ) -> Result<Option<Incoming>, Error> {
        let failed = |source| Error::of("read a record back", source);
        let mut assigned = TopicPartitionList::new();
        assigned.add_partition_offset(topic, partition, Offset::Offset(offset.0)).map_err(failed)?;
        self.uncommitted.assign(&assigned).map_err(failed)?;
        let topics = [Arc::from(topic)];
        let deadline = Instant::now() + timeout;
        let mut found = None;
        while found.is_none() && Instant::now() < deadline {
            match self.uncommitted.poll(POLL_WAIT) {
                Some(Ok(message)) => found = Some(Incoming::copy_of(&message, &topics)),
                Some(Err(error)) if !is_passing(&error) => return Err(failed(error)),
                Some(Err(_)) | None => {}
            }
        }
        self.uncommitted.unassign().map_err(failed)?;
        Ok(found.filter(|record| record.offset == offset))
    }

    /// Serves the events of the idle clients (logs, lost connections). Unserved, they would pile up.
    pub fn serve(&self) {
        for idle in [&self.committed, &self.uncommitted] {
            // No partition is assigned between two readings, so no record can arrive.
            let _ = idle.poll(Duration::from_millis(1));
        }
    }

    fn read<E: From<TailError>>(
        &self,
        topic: &str,
        partition: i32,
        from: NextOffset,
        stopped: &dyn Fn() -> bool,
        each: impl FnMut(Incoming) -> Result<ControlFlow<()>, E>,
    ) -> Result<NextOffset, E> {
        let failed = |source| E::from(TailError::Kafka(Error::of("read a changelog", source)));
        let mut assigned = TopicPartitionList::new();
        assigned.add_partition_offset(topic, partition, Offset::Offset(from.0)).map_err(failed)?;
        self.committed.assign(&assigned).map_err(failed)?;
        let outcome = self.read_assigned(topic, partition, from, stopped, each);
        self.committed.unassign().map_err(failed)?;
        outcome
    }

    fn read_assigned<E: From<TailError>>(
        &self,
        topic: &str,
        partition: i32,
        from: NextOffset,
        stopped: &dyn Fn() -> bool,
        mut each: impl FnMut(Incoming) -> Result<ControlFlow<()>, E>,
    ) -> Result<NextOffset, E> {
        let topics = [Arc::from(topic)];
        let mut next = from;
        let mut heard = Instant::now();
        loop {
            if stopped() {
                return Err(TailError::Stopped.into());
            }
            match self.committed.poll(POLL_WAIT) {
                Some(Ok(message)) => {
                    heard = Instant::now();
                    let record = Incoming::copy_of(&message, &topics);
                    next = record.offset.next();
                    if each(record)?.is_break() {
                        return Ok(next);
                    }
                }
                // The client drops end-of-partition events of an earlier assignment.
                Some(Err(KafkaError::PartitionEOF(ended))) if ended == partition => return Ok(next),
                Some(Err(error)) if !is_passing(&error) => {
                    return Err(TailError::Kafka(Error::of("read a changelog", error)).into());
                }
                Some(Err(_)) | None if heard.elapsed() > STALL_MAX => {
                    let (topic, waited) = (topic.to_owned(), heard.elapsed());
                    return Err(TailError::Stalled { topic, partition, next, waited }.into());
                }
                Some(Err(_)) | None => {}
            }
        }
    }
}

impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail").finish_non_exhaustive()
    }
}

/// Whether the client recovers from it by itself.
fn is_passing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let passing = |code| {
        matches!(
            code,
            Code::BrokerTransportFailure | Code::AllBrokersDown | Code::OperationTimedOut | Code::Resolve
        )
    };
    matches!(error, KafkaError::PartitionEOF(_)) || error.rdkafka_error_code().is_some_and(passing)
}
