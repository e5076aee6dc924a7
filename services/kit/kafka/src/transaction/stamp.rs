//! The brokers' time. No answer of Kafka's protocol tells it, but a topic with `LogAppendTime` stamps what is appended, and the
//! producer hears the stamp.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rdkafka::message::{Message as _, Timestamp};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};
use tracing::warn;

use crate::client::{Observer, observed};
use crate::{Connection, Error};

/// How long the transaction may be open, should its process die in it.
const OPEN_MAX: Duration = Duration::from_secs(5);
/// No stamp.
const NONE: i64 = i64::MIN;

/// The time at which the leader of partition 0 of `topic` appended a record of ours, Unix milliseconds: its clock's, a round trip
/// ago at most. `None` where the topic keeps its senders' times.
///
/// The record is written in a transaction of `id`, and aborted: nobody who reads what is committed sees it.
///
/// # Errors
/// Where a broker refuses, or each step isn't answered within `timeout`.
pub fn append_time(
    connection: &Connection,
    id: &str,
    topic: &str,
    timeout: Duration,
) -> Result<Option<i64>, Error> {
    let of = |attempt| move |source| Error::of(attempt, source);
    let open_ms = OPEN_MAX.as_millis();
    let producer: ThreadedProducer<Stamp> = connection
        .client_config(id)
        .set("transactional.id", id)
        .set("transaction.timeout.ms", open_ms.to_string())
        .set("message.timeout.ms", (open_ms - 500).to_string())
        .set("request.timeout.ms", (open_ms - 1_000).to_string())
        .set("socket.timeout.ms", (open_ms - 1_000).to_string())
        .set("linger.ms", "0")
        .create_with_context(Stamp { observer: Observer::new("clock"), told_ms: AtomicI64::new(NONE) })
        .map_err(Error::Settings)?;
    producer.init_transactions(timeout).map_err(of("init transactions"))?;
    producer.begin_transaction().map_err(of("begin a transaction"))?;
    let record: BaseRecord<'_, (), str> = BaseRecord::to(topic).partition(0).payload("what time is it?");
    producer.send(record).map_err(|(error, _)| of("ask a broker for its time")(error))?;
    producer.flush(timeout).map_err(of("ask a broker for its time"))?;
    // Read before the abort, which takes its time.
    let told_ms = producer.context().told_ms.load(Ordering::Relaxed);
    producer.abort_transaction(timeout).map_err(of("abort a transaction"))?;
    Ok((told_ms != NONE).then_some(told_ms))
}

/// Keeps the time at which the broker has appended a record.
struct Stamp {
    observer: Observer,
    told_ms: AtomicI64,
}

observed!(Stamp);

impl ProducerContext for Stamp {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(record) => {
                if let Timestamp::LogAppendTime(ms) = record.timestamp() {
                    self.told_ms.store(ms, Ordering::Relaxed);
                }
            }
            Err((error, _)) => warn!(%error, "the question for the time was not written"),
        }
    }
}
