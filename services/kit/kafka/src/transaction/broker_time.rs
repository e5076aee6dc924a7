//! The brokers' time. No response of Kafka's protocol contains it. But a topic with `LogAppendTime` gives
//! each record the broker's time, and the acknowledgement returns that time to the producer.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::error::KafkaError;
use rdkafka::message::{Message as _, Timestamp};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};

use crate::client::{Observer, observed};
use crate::{Connection, Error};

/// How long the transaction stays open if its process dies.
const OPEN_MAX: Duration = Duration::from_secs(5);

/// The clock of the leader of partition 0 of `topic`, Unix milliseconds, at most one round trip old. `None`
/// if the topic keeps the senders' times.
///
/// To learn it, a record is written to the topic in a transaction of `id`, and the transaction is aborted. A
/// reader of committed records never sees it.
///
/// # Errors
/// If a broker refuses, does not accept the record, or does not answer a step within `timeout`.
pub fn broker_time(
    connection: &Connection,
    id: &str,
    topic: &str,
    timeout: Duration,
) -> Result<Option<i64>, Error> {
    let failed_to = |attempt| move |source| Error::of(attempt, source);
    let open_ms = OPEN_MAX.as_millis();
    let producer: ThreadedProducer<AppendTime> = connection
        .client_config(id)
        .set("transactional.id", id)
        .set("transaction.timeout.ms", open_ms.to_string())
        .set("message.timeout.ms", (open_ms - 500).to_string())
        .set("request.timeout.ms", (open_ms - 1_000).to_string())
        .set("socket.timeout.ms", (open_ms - 1_000).to_string())
        .set("linger.ms", "0")
        .create_with_context(AppendTime { observer: Observer::new("clock"), result: Mutex::new(Ok(None)) })
        .map_err(Error::Settings)?;
    producer.init_transactions(timeout).map_err(failed_to("init transactions"))?;
    producer.begin_transaction().map_err(failed_to("begin a transaction"))?;
    let record: BaseRecord<'_, (), str> = BaseRecord::to(topic).partition(0).payload("what time is it?");
    producer.send(record).map_err(|(error, _)| failed_to("ask a broker for its time")(error))?;
    producer.flush(timeout).map_err(failed_to("ask a broker for its time"))?;
    // Read before the abort: the abort takes time.
    let appended = producer.context().result();
    producer.abort_transaction(timeout).map_err(failed_to("abort a transaction"))?;
    appended.map_err(failed_to("ask a broker for its time"))
}

/// The record's time if it was written, else why not. A flush succeeds also when records were lost.
type AppendResult = Result<Option<i64>, KafkaError>;

/// Keeps the time at which the broker appended the record.
struct AppendTime {
    observer: Observer,
    result: Mutex<AppendResult>,
}

impl AppendTime {
    fn result(&self) -> AppendResult {
        self.result.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

observed!(AppendTime);

impl ProducerContext for AppendTime {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let appended = match result {
            Ok(record) => match record.timestamp() {
                Timestamp::LogAppendTime(ms) => Ok(Some(ms)),
                _ => Ok(None),
            },
            Err((error, _)) => Err(error.clone()),
        };
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = appended;
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
        let ask = || broker_time(&connection, "clock", "time", PATIENCE);
        assert!(matches!(ask(), Ok(Some(at_ms)) if at_ms > 0));
        let _lost = kafka.proxy().arm(Rule::new(Api::PRODUCE, Action::Drop).times(u32::MAX));
        let answer = ask();
        assert!(matches!(answer, Err(Error::Failed { .. })), "{answer:?}");
    }
}
