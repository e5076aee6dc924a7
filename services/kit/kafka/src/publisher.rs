//! Writing records outside a transaction: the gateway's raw records, and the dead letters of gateway and
//! sinks.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use tokio::sync::oneshot;

use crate::client::{Observer, observed};
use crate::{Connection, Error, Outgoing, PublishError, RecordOffset, ffi};

/// Bounds of a publisher (E3).
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long after `publish` an unacknowledged record fails. librdkafka looks once a second, so the answer
    /// may come a second later (G2).
    pub message_timeout: Duration,
    /// How long to wait for more records before a batch is sent.
    pub linger: Duration,
    /// Bytes in the queue before `publish` refuses.
    pub queue_bytes: u64,
    /// Records in the queue before `publish` refuses.
    pub queue_records: u32,
    /// Largest record, in bytes.
    pub message_max_bytes: u32,
    /// `none`, `lz4`, `zstd` or another codec's Kafka name.
    pub compression: &'static str,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_timeout: Duration::from_millis(1_500),
            linger: Duration::from_millis(2),
            queue_bytes: 64 << 20,
            queue_records: 50_000,
            message_max_bytes: crate::RECORD_BYTES_MAX,
            compression: "lz4",
        }
    }
}

/// Where an acknowledged record is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledged {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: RecordOffset,
}

/// A producer that waits for all in-sync replicas (G1). Cheap to clone.
///
/// Not idempotent: raw is deduplicated and order-free (P1, P4), and idempotence would only add fatal states.
#[derive(Clone)]
pub struct Publisher {
    producer: Arc<ThreadedProducer<Acknowledgements>>,
    started: Instant,
}

impl Publisher {
    /// Makes a publisher. It connects in the background.
    ///
    /// # Errors
    /// [`Error::Settings`] if the client refuses its settings.
    pub fn new(connection: &Connection, limits: &Limits) -> Result<Self, Error> {
        let started = Instant::now();
        let context = Acknowledgements {
            observer: Observer::new("publisher"),
            started,
            last_ms: AtomicU64::new(u64::MAX),
        };
        let producer = connection
            .client_config("aftersend-publisher")
            .set("acks", "all")
            .set("enable.idempotence", "false")
            .set("partitioner", "murmur2_random")
            .set("message.timeout.ms", limits.message_timeout.as_millis().to_string())
            .set("request.timeout.ms", limits.message_timeout.as_millis().max(1).to_string())
            .set("linger.ms", limits.linger.as_millis().to_string())
            .set("queue.buffering.max.kbytes", (limits.queue_bytes / 1024).max(1).to_string())
            .set("queue.buffering.max.messages", limits.queue_records.to_string())
            .set("message.max.bytes", limits.message_max_bytes.to_string())
            .set("compression.type", limits.compression)
            .set("socket.timeout.ms", "5000")
            .set("retry.backoff.ms", "50")
            .create_with_context(context)
            .map_err(Error::Settings)?;
        Ok(Self { producer: Arc::new(producer), started })
    }

    /// Queues a copy of `record` now, in order; the returned future resolves when the brokers have answered.
    ///
    /// Dropping the future doesn't take the record back.
    ///
    /// # Errors
    /// [`PublishError::QueueFull`] or [`PublishError::TooLarge`] where the record isn't even queued.
    pub fn publish(&self, record: &Outgoing<'_>) -> Result<Delivery, PublishError> {
        let (answer, delivery) = oneshot::channel();
        let mut message = BaseRecord::with_opaque_to(record.topic, Box::new(answer));
        message.partition = record.partition;
        message.key = record.key;
        message.payload = record.value;
        message.headers = record.owned_headers();
        match self.producer.send(message) {
            Ok(()) => Ok(Delivery(delivery)),
            Err((error, _)) => Err(PublishError::from(&error)),
        }
    }

    /// Waits until everything queued is acknowledged or has failed. Blocks.
    ///
    /// # Errors
    /// If `timeout` passes first.
    pub fn flush(&self, timeout: Duration) -> Result<(), Error> {
        ffi::flush(self.producer.client(), timeout).map_err(|source| Error::of("flush", source))
    }

    /// Records queued or on the wire.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        usize::try_from(self.producer.in_flight_count()).unwrap_or_default()
    }

    /// When a broker last acknowledged a record: progress, which a mere connection doesn't show (E4).
    #[must_use]
    pub fn last_acknowledged(&self) -> Option<Instant> {
        let millis = self.producer.context().last_ms.load(Ordering::Relaxed);
        (millis != u64::MAX).then(|| self.started + Duration::from_millis(millis))
    }

    /// How many partitions `topic` has, `None` where it is missing. Blocks.
    ///
    /// # Errors
    /// If no broker answers within `timeout`.
    pub fn partition_count(&self, topic: &str, timeout: Duration) -> Result<Option<u32>, Error> {
        let metadata = self
            .producer
            .client()
            .fetch_metadata(Some(topic), timeout)
            .map_err(|source| Error::of("read metadata", source))?;
        let count = metadata
            .topics()
            .iter()
            .find(|found| found.name() == topic)
            .map(|found| found.partitions().len());
        Ok(count.and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0))
    }
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").field("in_flight", &self.in_flight()).finish_non_exhaustive()
    }
}

/// The brokers' answer about one record.
#[derive(Debug)]
#[must_use = "a record is not written before its delivery says so"]
pub struct Delivery(oneshot::Receiver<Result<Acknowledged, PublishError>>);

impl Delivery {
    /// Waits on this thread, which must not be one of a runtime.
    ///
    /// # Errors
    /// Why the record was not written.
    pub fn wait(self) -> Result<Acknowledged, PublishError> {
        self.0.blocking_recv().unwrap_or(Err(PublishError::Failed { code: "client" }))
    }
}

impl Future for Delivery {
    type Output = Result<Acknowledged, PublishError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // The sender lives in librdkafka's queue until the delivery report. Only the client's end drops it
        // unanswered.
        Pin::new(&mut self.0)
            .poll(context)
            .map(|answer| answer.unwrap_or(Err(PublishError::Failed { code: "client" })))
    }
}

type AnswerSender = oneshot::Sender<Result<Acknowledged, PublishError>>;

struct Acknowledgements {
    observer: Observer,
    started: Instant,
    last_ms: AtomicU64,
}

observed!(Acknowledgements);

impl ProducerContext for Acknowledgements {
    type DeliveryOpaque = Box<AnswerSender>;

    fn delivery(&self, result: &DeliveryResult<'_>, answer: Self::DeliveryOpaque) {
        let outcome = match result {
            Ok(message) => {
                let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
                self.last_ms.store(elapsed, Ordering::Relaxed);
                Ok(acknowledged(message))
            }
            Err((error, _)) => Err(PublishError::from(error)),
        };
        // If the request's deadline has passed, the receiver is gone.
        let _ = answer.send(outcome);
    }
}

fn acknowledged(message: &BorrowedMessage<'_>) -> Acknowledged {
    Acknowledged { partition: message.partition(), offset: RecordOffset(message.offset()) }
}
