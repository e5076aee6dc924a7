//! Whether a commit waits for nothing: the client's own way beside the wrapper crate's, which flushes by
//! polls of 100 ms.

use std::time::{Duration, Instant};

use kafka::transaction::{TransactionLimits, Transactional};
use kafka::{Cluster, Connection, Outgoing, TopicRequest};
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

const COMMITS: usize = 30;
const RECORDS: usize = 20;
const QUEUE_BYTES: u64 = 16 << 20;
const TIMEOUT: Duration = Duration::from_secs(30);

/// Medians of one small transaction, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Floor {
    /// As the processor commits.
    pub(crate) ours: f64,
    /// As the wrapper crate's `commit_transaction` does alone.
    pub(crate) wrapper: f64,
}

/// Commits small transactions in both ways.
pub(crate) fn commit_floor(connection: &Connection, prefix: &str) -> anyhow::Result<Floor> {
    let topic = format!("{prefix}floor");
    let request = TopicRequest { name: &topic, partitions: 1, replication: 1, settings: &[] };
    Cluster::connect(connection)?.create(&request)?;
    Ok(Floor { ours: ours(connection, &topic)?, wrapper: wrapper(connection, &topic)? })
}

fn ours(connection: &Connection, topic: &str) -> anyhow::Result<f64> {
    let producer =
        Transactional::init(connection, topic, &TransactionLimits::within(TIMEOUT, QUEUE_BYTES), TIMEOUT)?;
    median(|| {
        producer.begin()?;
        for _ in 0..RECORDS {
            producer.send(&Outgoing {
                topic,
                partition: Some(0),
                key: None,
                value: Some(b"x"),
                headers: &[],
            })?;
        }
        producer.flush(TIMEOUT)?;
        Ok(producer.commit(TIMEOUT)?)
    })
}

fn wrapper(connection: &Connection, topic: &str) -> anyhow::Result<f64> {
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", connection.bootstrap())
        .set("transactional.id", format!("{topic}-wrapper"))
        .set("linger.ms", "5")
        .create()?;
    producer.init_transactions(TIMEOUT)?;
    median(|| {
        producer.begin_transaction()?;
        for _ in 0..RECORDS {
            let record: BaseRecord<'_, (), str> = BaseRecord::to(topic).partition(0).payload("x");
            producer.send(record).map_err(|(error, _)| error)?;
        }
        Ok(producer.commit_transaction(TIMEOUT)?)
    })
}

fn median(mut commit: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let mut took = Vec::with_capacity(COMMITS);
    for _ in 0..COMMITS {
        let started = Instant::now();
        commit()?;
        took.push(started.elapsed().as_secs_f64() * 1_000.0);
    }
    took.sort_by(f64::total_cmp);
    Ok(took[COMMITS / 2])
}
