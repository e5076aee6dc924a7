//! The brokers' time. No response of Kafka's protocol contains it. But a topic with `LogAppendTime` gives
//! each record the broker's time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};

use super::Tail;
use crate::client::{Observer, observed};
use crate::{Connection, Error, RecordOffset};

/// How long the transaction stays open if its process dies.
const OPEN_MAX: Duration = Duration::from_secs(5);
/// When the record says it was made, Unix milliseconds. A reader that sees this time has found that
/// `LogAppendTime` is not honoured. The probe of `bootstrap` judges in the same way.
const CREATED_MS: i64 = 1_000;

/// The clock of the leader of partition 0 of `topic`, Unix milliseconds, at most a few round trips old.
/// `None` if the topic keeps the senders' times.
///
/// To learn it, a record is written to the topic in a transaction of `id`, read back, and the transaction is
/// aborted. A reader of committed records never sees it. The acknowledgement could tell the time too, and on
/// older Redpanda it does not: it says -1 (redpanda issue 29189).
///
/// The record is read by a client of `group`, which it never joins.
///
/// # Errors
/// If a broker refuses, does not accept the record, or does not answer a step within `timeout`.
pub fn broker_time(
    connection: &Connection,
    group: &str,
    id: &str,
    topic: &str,
    timeout: Duration,
) -> Result<Option<i64>, Error> {
    let failed_to = |attempt| move |source| Error::of(attempt, source);
    let open_ms = OPEN_MAX.as_millis();
    let producer: ThreadedProducer<Question> = connection
        .client_config(id)
        .set("transactional.id", id)
        .set("transaction.timeout.ms", open_ms.to_string())
        .set("message.timeout.ms", (open_ms - 500).to_string())
        .set("request.timeout.ms", (open_ms - 1_000).to_string())
        .set("socket.timeout.ms", (open_ms - 1_000).to_string())
        .set("linger.ms", "0")
        .create_with_context(Question { observer: Observer::new("clock"), place: Mutex::new(unanswered()) })
        .map_err(Error::Settings)?;
    let tail = Tail::new(connection, group)?;
    producer.init_transactions(timeout).map_err(failed_to("init transactions"))?;
    producer.begin_transaction().map_err(failed_to("begin a transaction"))?;
    let record: BaseRecord<'_, (), str> =
        BaseRecord::to(topic).partition(0).payload("what time is it?").timestamp(CREATED_MS);
    producer.send(record).map_err(|(error, _)| failed_to("ask a broker for its time")(error))?;
    producer.flush(timeout).map_err(failed_to("ask a broker for its time"))?;
    // Read before the abort: the abort takes time.
    let place = producer.context().place().map_err(failed_to("ask a broker for its time"));
    let record = place.and_then(|offset| tail.undecided(topic, 0, offset, OPEN_MAX));
    producer.abort_transaction(timeout).map_err(failed_to("abort a transaction"))?;
    let late = || failed_to("read a record back")(KafkaError::Global(RDKafkaErrorCode::OperationTimedOut));
    let appended_ms = record?.ok_or_else(late)?.timestamp_ms;
    Ok((appended_ms > CREATED_MS).then_some(appended_ms))
}

/// The record's offset if it was written, else why not. A flush succeeds also when records were lost.
type Place = Result<RecordOffset, KafkaError>;

fn unanswered() -> Place {
    Err(KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut))
}

/// Keeps where the broker appended the record.
struct Question {
    observer: Observer,
    place: Mutex<Place>,
}

impl Question {
    fn place(&self) -> Place {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

observed!(Question);

impl ProducerContext for Question {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let place = match result {
            Ok(record) => Ok(RecordOffset(record.offset())),
            Err((error, _)) => Err(error.clone()),
        };
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }
}

#[cfg(test)]
mod tests {
    use devkit::kafka::proxy::{Action, Api, Rule};

    use super::*;
    use crate::{Cluster, TopicRequest};

    const PATIENCE: Duration = Duration::from_secs(30);

    /// Taken for a topic that keeps the senders' times, it would end the process with advice that does not
    /// help.
    #[test]
    fn a_question_that_no_broker_has_taken_is_a_failure() {
        let dir = tempfile::tempdir().unwrap();
        let kafka = devkit::kafka::Cluster::start(dir.path(), 1, &|_| ()).unwrap();
        let connection = Connection::plain(kafka.proxy().bootstrap());
        let settings = &[("message.timestamp.type", "LogAppendTime".to_owned())];
        let request = TopicRequest { name: "time", partitions: 1, replication: 1, settings };
        assert!(Cluster::connect(&connection).unwrap().create(&request).unwrap());
        let ask = || broker_time(&connection, "group", "clock", "time", PATIENCE);
        assert!(matches!(ask(), Ok(Some(at_ms)) if at_ms > 0));
        let _lost = kafka.proxy().arm(Rule::new(Api::PRODUCE, Action::Drop).times(u32::MAX));
        let answer = ask();
        assert!(matches!(answer, Err(Error::Failed { .. })), "{answer:?}");
    }

    /// Redpanda before the fix of its issue 29189 answers a produce request with -1 in the place of the
    /// append time, and stamps the record nevertheless.
    #[test]
    fn the_time_is_the_record_s_and_not_that_of_the_acknowledgement() {
        let dir = tempfile::tempdir().unwrap();
        let kafka = devkit::kafka::Cluster::start(dir.path(), 1, &|_| ()).unwrap();
        let connection = Connection::plain(kafka.proxy().bootstrap());
        let cluster = Cluster::connect(&connection).unwrap();
        for (topic, kind) in [("stamped", "LogAppendTime"), ("kept", "CreateTime")] {
            let settings = &[("message.timestamp.type", kind.to_owned())];
            let request = TopicRequest { name: topic, partitions: 1, replication: 1, settings };
            assert!(cluster.create(&request).unwrap());
        }
        let strike = kafka.proxy().arm(Rule::new(Api::PRODUCE, Action::ForgetTimes).times(u32::MAX));
        let ask = |topic| broker_time(&connection, "group", "clock", topic, PATIENCE);
        assert!(matches!(ask("stamped"), Ok(Some(at_ms)) if at_ms > CREATED_MS));
        assert!(strike.await_answered(PATIENCE));
        assert!(matches!(ask("kept"), Ok(None)));
    }
}
