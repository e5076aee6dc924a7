//! The brokers' time. No answer of Kafka's protocol tells it, but a topic with `LogAppendTime` stamps what is appended, and the
//! producer hears the stamp.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::error::KafkaError;
use rdkafka::message::{Message as _, Timestamp};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};

use crate::client::{Observer, observed};
use crate::{Connection, Error};

/// How long the transaction may be open, should its process die in it.
const OPEN_MAX: Duration = Duration::from_secs(5);

/// The time at which the leader of partition 0 of `topic` appended a record of ours, Unix milliseconds: its clock's, a round trip
/// ago at most. `None` where the topic keeps its senders' times.
///
/// The record is written in a transaction of `id`, and aborted: nobody who reads what is committed sees it.
///
/// # Errors
/// Where a broker refuses, does not take the record, or leaves a step unanswered for `timeout`.
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
        .create_with_context(Stamp { observer: Observer::new("clock"), told: Mutex::new(Ok(None)) })
        .map_err(Error::Settings)?;
    producer.init_transactions(timeout).map_err(of("init transactions"))?;
    producer.begin_transaction().map_err(of("begin a transaction"))?;
    let record: BaseRecord<'_, (), str> = BaseRecord::to(topic).partition(0).payload("what time is it?");
    producer.send(record).map_err(|(error, _)| of("ask a broker for its time")(error))?;
    producer.flush(timeout).map_err(of("ask a broker for its time"))?;
    // Read before the abort, which takes its time.
    let told = producer.context().told();
    producer.abort_transaction(timeout).map_err(of("abort a transaction"))?;
    told.map_err(of("ask a broker for its time"))
}

/// What became of the record: a flush is done where all records have been told of, the lost ones too.
type Told = Result<Option<i64>, KafkaError>;

/// Keeps the time at which the broker has appended a record.
struct Stamp {
    observer: Observer,
    told: Mutex<Told>,
}

impl Stamp {
    fn told(&self) -> Told {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

observed!(Stamp);

impl ProducerContext for Stamp {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let told = match result {
            Ok(record) => match record.timestamp() {
                Timestamp::LogAppendTime(ms) => Ok(Some(ms)),
                _ => Ok(None),
            },
            Err((error, _)) => Err(error.clone()),
        };
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = told;
    }
}

#[cfg(test)]
mod tests {
    use devkit::kafka::proxy::{Action, Api, Rule};

    use super::*;
    use crate::{Cluster, TopicRequest};

    const PATIENCE: Duration = Duration::from_secs(30);

    /// It would be taken for a topic that keeps its senders' times, and end the process with a mend that mends nothing.
    #[test]
    fn a_question_that_no_broker_has_taken_is_a_failure() {
        let dir = tempfile::tempdir().unwrap();
        let kafka = devkit::kafka::Cluster::start(dir.path(), 1, &|_| ()).unwrap();
        let connection = Connection::plain(kafka.proxy().bootstrap());
        let settings = &[("message.timestamp.type", "LogAppendTime".to_owned())];
        let request = TopicRequest { name: "time", partitions: 1, replication: 1, settings };
        assert!(Cluster::connect(&connection).unwrap().create(&request).unwrap());
        let ask = || append_time(&connection, "clock", "time", PATIENCE);
        assert!(matches!(ask(), Ok(Some(at_ms)) if at_ms > 0));
        let _lost = kafka.proxy().arm(Rule::new(Api::PRODUCE, Action::Drop).times(u32::MAX));
        let told = ask();
        assert!(matches!(told, Err(Error::Failed { .. })), "{told:?}");
    }
}
