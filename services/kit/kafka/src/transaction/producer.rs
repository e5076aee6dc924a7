use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{Offset, TopicPartitionList};
use thiserror::Error;
use tracing::{debug, warn};

use crate::client::{Observer, observed};
use crate::consumer::locked;
use crate::error::code_name;
use crate::{Connection, Error, NextOffset, Outgoing, PublishError, ffi};

use super::Member;
use super::polled_producer::PolledProducer;

/// Bounds of a transactional producer (E3).
#[derive(Debug, Clone)]
pub struct TransactionLimits {
    /// The broker aborts a transaction that is open for longer. At most the group's session timeout, so that
    /// a dead member's transaction is over, or nearly over, when its successor starts.
    pub timeout: Duration,
    /// A record that is not acknowledged for this long fails its transaction. Below `timeout`.
    pub message_timeout: Duration,
    /// Bytes queued at most.
    pub queue_bytes: u64,
    /// Largest record, in bytes.
    pub message_max_bytes: u32,
}

impl TransactionLimits {
    /// Longest that a transaction may be open.
    const TIMEOUT_MAX: Duration = Duration::from_secs(20);

    /// Limits for a member of a group with this `session_timeout`, which may queue `queue_bytes`.
    #[must_use]
    pub fn within(session_timeout: Duration, queue_bytes: u64) -> Self {
        let timeout = session_timeout.min(Self::TIMEOUT_MAX);
        Self {
            timeout,
            message_timeout: timeout * 3 / 4,
            queue_bytes,
            message_max_bytes: crate::RECORD_BYTES_MAX,
        }
    }
}

/// Why a step of a transaction failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TransactionError {
    /// Certainly not committed: abort and start over.
    #[error("transaction must be aborted ({code})")]
    Abort {
        /// Kafka's name of the error.
        code: &'static str,
    },
    /// May be committed or not. Only the committed offsets show which.
    #[error("outcome of the transaction is not known ({code})")]
    InDoubt {
        /// Kafka's name of the error.
        code: &'static str,
    },
    /// Another process uses this transactional id.
    #[error("fenced by another process with this transactional id ({code})")]
    Fenced {
        /// Kafka's name of the error.
        code: &'static str,
    },
    /// The transaction was open for longer than its timeout, so the coordinator has aborted it. It fences the
    /// producer then, with the same error code as another process would.
    #[error(
        "transaction was open for {age:?}, and the brokers abort it after {timeout:?} ({code}): look at how fast the brokers and the \
         disk are"
    )]
    Expired {
        /// Kafka's name of the error.
        code: &'static str,
        /// How long it was open.
        age: Duration,
        /// How long it might be open.
        timeout: Duration,
    },
    /// The producer cannot go on and must be replaced.
    #[error("producer is unusable ({code})")]
    Unusable {
        /// Kafka's name of the error.
        code: &'static str,
    },
}

impl TransactionError {
    /// Kafka's name of the error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Abort { code }
            | Self::InDoubt { code }
            | Self::Fenced { code }
            | Self::Expired { code, .. }
            | Self::Unusable { code } => code,
        }
    }
}

/// A position to commit with a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Partition of the input topic.
    pub partition: i32,
    /// The next offset to read.
    pub next: NextOffset,
    /// Text kept with it, at most 4,096 bytes.
    pub metadata: String,
}

/// A request that took longer may have been sent twice: librdkafka silently closes a connection that does not
/// answer, and resends what was on it. It does so after [`TransactionLimits::message_timeout`], or when the
/// connection has been idle for 8 s.
const SLOW_MIN: Duration = Duration::from_secs(1);

/// A producer of transactions. Every call blocks: never use it from an async task.
pub struct Transactional {
    producer: PolledProducer<Deliveries>,
    disturbances_at_init: u64,
    /// Whether a request to a coordinator took longer than [`SLOW_MIN`].
    was_slow: AtomicBool,
    /// When the open transaction began.
    began: Mutex<Option<Instant>>,
    /// How long a transaction may be open.
    open_max: Duration,
}

impl Transactional {
    /// Makes the producer. It bumps the epoch of `id` (KIP-360), which aborts the open transaction of a
    /// predecessor.
    ///
    /// # Errors
    /// If the broker refuses, or does not answer within `timeout`.
    pub fn init(
        connection: &Connection,
        id: &str,
        limits: &TransactionLimits,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let message_timeout_ms = limits.message_timeout.as_millis();
        let producer: BaseProducer<Deliveries> = connection
            .client_config(id)
            .set("transactional.id", id)
            .set("transaction.timeout.ms", limits.timeout.as_millis().to_string())
            .set("message.timeout.ms", message_timeout_ms.to_string())
            // These three must be below the transaction's timeout, or librdkafka refuses them.
            .set("request.timeout.ms", message_timeout_ms.min(10_000).to_string())
            .set("socket.timeout.ms", message_timeout_ms.to_string())
            // When the group's coordinator leaves the cluster, librdkafka 2.12 waits for it until the
            // connection of any broker changes, without a timeout (its issues 5511 and 5456). Nothing is sent
            // while it waits, so this setting closes every connection, and that ends the wait.
            .set("connections.max.idle.ms", "10000")
            .set("linger.ms", "5")
            .set("batch.size", "1000000")
            .set("batch.num.messages", "10000")
            .set("queue.buffering.max.messages", "500000")
            .set("queue.buffering.max.kbytes", (limits.queue_bytes / 1024).max(1).to_string())
            .set("message.max.bytes", limits.message_max_bytes.to_string())
            .set("compression.type", "lz4")
            .set("delivery.report.only.error", "true")
            .set("retry.backoff.ms", "20")
            .set("retry.backoff.max.ms", "500")
            .create_with_context(Deliveries {
                observer: Observer::new("transactional"),
                unwritten: AtomicBool::new(false),
            })
            .map_err(Error::Settings)?;
        let producer = PolledProducer::new(producer);
        producer.init_transactions(timeout).map_err(|source| Error::of("init transactions", source))?;
        let disturbances_at_init = producer.context().observer.disturbances();
        Ok(Self {
            producer,
            disturbances_at_init,
            was_slow: AtomicBool::new(false),
            began: Mutex::default(),
            open_max: limits.timeout,
        })
    }

    /// Opens a transaction.
    ///
    /// # Errors
    /// If the producer is unusable.
    pub fn begin(&self) -> Result<(), TransactionError> {
        self.producer.context().unwritten.store(false, Ordering::Relaxed);
        self.producer.begin_transaction().map_err(|error| self.refusal(&error))?;
        *locked(&self.began) = Some(Instant::now());
        Ok(())
    }

    /// Queues a copy of `record` in the open transaction. Waits while the queue is full.
    ///
    /// # Errors
    /// [`PublishError`] if the record is not queued. Then the transaction can only be aborted.
    pub fn send(&self, record: &Outgoing<'_>) -> Result<(), PublishError> {
        let mut message: BaseRecord<'_, [u8], [u8], ()> = BaseRecord::to(record.topic);
        message.partition = record.partition;
        message.key = record.key;
        message.payload = record.value;
        message.headers = record.owned_headers();
        loop {
            match self.producer.send(message) {
                Ok(()) => return Ok(()),
                Err((error, back)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {
                    // This loop ends: a queued record that is older than its message timeout leaves the queue
                    // with an error.
                    std::thread::sleep(Duration::from_millis(2));
                    message = back;
                }
                Err((error, _)) => return Err(PublishError::from(&error)),
            }
        }
    }

    /// Waits until the brokers have every record of the open transaction.
    ///
    /// # Errors
    /// [`TransactionError::Abort`] if `timeout` passes first.
    pub fn flush(&self, timeout: Duration) -> Result<(), TransactionError> {
        ffi::flush(self.producer.client(), timeout)
            .map_err(|error| TransactionError::Abort { code: code(&error) })
    }

    /// Adds the group's positions, fenced by the member's generation. `positions` must not be empty: the
    /// offsets are what fences a zombie's transaction.
    ///
    /// # Errors
    /// [`TransactionError::Abort`] if the member has lost its place in the group, or the broker refuses.
    pub fn send_offsets(
        &self,
        positions: &[Position],
        member: &Member,
        timeout: Duration,
    ) -> Result<(), TransactionError> {
        if positions.is_empty() {
            return Err(TransactionError::Abort { code: "NoOffsets" });
        }
        let mut offsets = TopicPartitionList::with_capacity(positions.len());
        for position in positions {
            let mut element = offsets.add_partition(member.topic(), position.partition);
            let named = element
                .set_offset(Offset::Offset(position.next.0))
                .map(|()| element.set_metadata(position.metadata.as_str()));
            named.map_err(|error| TransactionError::Abort { code: code(&error) })?;
        }
        let mut tries = 3;
        let started = Instant::now();
        loop {
            let sent = self
                .watched(|producer| ffi::send_offsets(producer.client(), &offsets, member.client(), timeout));
            match sent {
                Ok(()) => return Ok(()),
                Err(refused) if refused.retriable && tries > 1 && started.elapsed() < timeout => tries -= 1,
                Err(refused) => return Err(TransactionError::Abort { code: refused.code }),
            }
        }
    }

    /// Commits the open transaction. Everything must be flushed.
    ///
    /// # Errors
    /// Any [`TransactionError`]. None of them proves that the transaction was not committed: EndTxn may have
    /// been sent, whatever the error is called.
    pub fn commit(&self, timeout: Duration) -> Result<(), TransactionError> {
        self.ends(self.watched(|producer| producer.commit_transaction(timeout)))
    }

    /// Aborts the open transaction.
    ///
    /// # Errors
    /// If the producer is unusable, or no broker answers within `timeout`. Then a new producer of the same id
    /// aborts it.
    pub fn abort(&self, timeout: Duration) -> Result<(), TransactionError> {
        self.ends(self.watched(|producer| producer.abort_transaction(timeout)))
    }

    fn ends(&self, outcome: Result<(), KafkaError>) -> Result<(), TransactionError> {
        outcome.map_err(|error| self.refusal(&error))?;
        *locked(&self.began) = None;
        Ok(())
    }

    /// What an error means. Kafka says the same of a producer that another process has fenced, and of one
    /// whose transaction has timed out. Only an old transaction can have timed out.
    fn refusal(&self, error: &KafkaError) -> TransactionError {
        match (refusal(error), *locked(&self.began)) {
            (TransactionError::Fenced { code }, Some(began)) if began.elapsed() >= self.open_max => {
                TransactionError::Expired { code, age: began.elapsed(), timeout: self.open_max }
            }
            (refusal, _) => refusal,
        }
    }

    /// Whether a connection to a broker was disturbed since [`Self::init`], or a coordinator was so slow that
    /// its connection may have been closed silently. If so, the next transaction needs a new producer.
    /// librdkafka lacks the second half of KIP-890, so a delayed request of an earlier transaction could end
    /// a later one of the same epoch.
    #[must_use]
    pub fn was_disturbed(&self) -> bool {
        self.producer.poll_events();
        self.was_slow.load(Ordering::Relaxed)
            || self.producer.context().observer.disturbances() != self.disturbances_at_init
    }

    /// Makes a request to a coordinator, and notes whether it was slow. Records need no such watch: the
    /// broker recognises a resent record by its sequence number.
    fn watched<T>(&self, request: impl FnOnce(&PolledProducer<Deliveries>) -> T) -> T {
        let started = Instant::now();
        let done = request(&self.producer);
        if started.elapsed() > SLOW_MIN {
            self.was_slow.store(true, Ordering::Relaxed);
        }
        done
    }
}

impl std::fmt::Debug for Transactional {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transactional").finish_non_exhaustive()
    }
}

fn refusal(error: &KafkaError) -> TransactionError {
    use RDKafkaErrorCode as Code;
    let code = code(error);
    match error {
        KafkaError::Transaction(inner) => match inner.code() {
            Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => {
                TransactionError::Fenced { code }
            }
            _ if inner.is_fatal() => TransactionError::Unusable { code },
            _ if inner.txn_requires_abort() => TransactionError::Abort { code },
            _ => TransactionError::InDoubt { code },
        },
        _ => TransactionError::InDoubt { code },
    }
}

fn code(error: &KafkaError) -> &'static str {
    match error {
        KafkaError::Transaction(inner) => code_name(inner.code()),
        other => other.rdkafka_error_code().map_or("client", code_name),
    }
}

struct Deliveries {
    observer: Observer,
    /// Whether a record of the open transaction was not written.
    unwritten: AtomicBool,
}

observed!(Deliveries);

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    /// Only failures are reported, and the commit fails with them. The first one of a transaction is a
    /// warning: thousands may follow.
    fn delivery(&self, result: &DeliveryResult<'_>, (): Self::DeliveryOpaque) {
        let Err((error, _)) = result else { return };
        if self.unwritten.swap(true, Ordering::Relaxed) {
            debug!(code = code(error), "another record of a transaction not written");
        } else {
            warn!(code = code(error), "record of a transaction not written");
        }
    }
}
