//! The client under fault, and the reader who judges.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) type Producer = ThreadedProducer<DefaultProducerContext>;

/// A name that no other test has.
pub(crate) fn unique(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{what}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("reconnect.backoff.ms", "20")
        .set("reconnect.backoff.max.ms", "200")
        // A broker that stands still is noticed by this alone.
        .set("socket.timeout.ms", "5000")
        .set("retry.backoff.ms", "20");
    config
}

/// A producer of transactions.
pub(crate) fn transactional(bootstrap: &str, id: &str) -> Producer {
    let producer: Producer = config(bootstrap)
        .set("transactional.id", id)
        .set("transaction.timeout.ms", "60000")
        .set("message.timeout.ms", "30000")
        .set("request.timeout.ms", "5000")
        .create()
        .expect("sound settings");
    producer.init_transactions(PATIENCE).expect("a coordinator");
    producer
}

/// Opens a transaction with one record, which the broker has when this returns.
pub(crate) fn begin_with(producer: &Producer, topic: &str, value: &str) {
    producer.begin_transaction().expect("no open transaction");
    producer
        .send(BaseRecord::<(), str>::to(topic).payload(value))
        .map_err(|(error, _)| error)
        .expect("room in the queue");
    producer.flush(PATIENCE).expect("a leader");
}

/// Writes one record outside of any transaction, to all in-sync replicas.
pub(crate) fn write(bootstrap: &str, topic: &str, value: &str, patience: Duration) -> Result<(), KafkaError> {
    let mut config = config(bootstrap);
    config.set("acks", "all").set("message.timeout.ms", patience.as_millis().to_string());
    let producer: ThreadedProducer<Deliveries> =
        config.create_with_context(Deliveries::default()).expect("sound settings");
    producer.send(BaseRecord::<(), str>::to(topic).payload(value)).map_err(|(error, _)| error)?;
    producer.flush(patience * 2)?;
    match producer.context().0.load(Ordering::Relaxed) {
        0 => Ok(()),
        _ => Err(KafkaError::MessageProduction(rdkafka::types::RDKafkaErrorCode::MessageTimedOut)),
    }
}

/// Counts failed deliveries.
#[derive(Default)]
struct Deliveries(AtomicU32);

impl rdkafka::ClientContext for Deliveries {}

impl rdkafka::producer::ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &rdkafka::producer::DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Makes a topic with one partition and the cluster's own number of copies.
pub(crate) fn create_topic(bootstrap: &str, topic: &str) {
    let admin: AdminClient<DefaultClientContext> = config(bootstrap).create().expect("sound settings");
    let new = NewTopic::new(topic, 1, TopicReplication::Fixed(-1));
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let created = runtime.block_on(admin.create_topics(&[new], &options)).expect("a controller");
    created.into_iter().for_each(|topic| assert!(topic.is_ok(), "{topic:?}"));
    let reader = Reader::new(bootstrap, topic);
    await_until(|| !reader.replicas().is_empty());
}

/// Who looks at a topic from outside.
pub(crate) struct Reader {
    committed: BaseConsumer,
    topic: String,
}

impl Reader {
    pub(crate) fn new(bootstrap: &str, topic: &str) -> Self {
        let committed = config(bootstrap)
            .set("group.id", "reader")
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest")
            .create()
            .expect("sound settings");
        Self { committed, topic: topic.to_owned() }
    }

    /// Every committed record up to the last stable offset.
    pub(crate) fn values(&self) -> Vec<String> {
        let mut all = TopicPartitionList::new();
        all.add_partition_offset(&self.topic, 0, Offset::Beginning).expect("a sound offset");
        self.committed.assign(&all).expect("a live client");
        let (mut values, began) = (Vec::new(), Instant::now());
        loop {
            assert!(began.elapsed() < PATIENCE, "the log doesn't end");
            match self.committed.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    values.push(String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned());
                }
                Some(Err(KafkaError::PartitionEOF(_))) => return values,
                Some(Err(_)) | None => {}
            }
        }
    }

    /// The brokers that have a copy.
    pub(crate) fn replicas(&self) -> Vec<i32> {
        let Ok(metadata) = self.committed.fetch_metadata(Some(&self.topic), PATIENCE) else {
            return Vec::new();
        };
        let partition = metadata.topics().first().and_then(|topic| topic.partitions().first());
        partition.map(|partition| partition.replicas().to_vec()).unwrap_or_default()
    }
}

/// Waits for a condition.
pub(crate) fn await_until(mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
