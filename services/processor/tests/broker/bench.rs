//! A broker, the topics under a prefix of their own, and processors on them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use devkit::kafka::Node;
use kafka::publisher::{Delivery, Limits};
use kafka::{Cluster, Connection, Outgoing, Publisher, TopicRequest};
use lifecycle::{Health, Stop};
use processor::domain::redact::LinkQueries;
use processor::domain::time::window::Window;
use processor::state::memory::Budget;
use processor::{Error, FormatLevel, Settings, run};
use schemas::codec;
use schemas::id::EventId;
use schemas::record::RawRecord;
use schemas::token::TokenKey;
use schemas::topic::{Topic, Topics};
use tempfile::TempDir;

mod child;
mod operator;
pub(crate) mod view;

pub(crate) const PARTITIONS: u32 = 3;
pub(crate) const GROUP: &str = "aftersend.processor";

const WINDOW_DAYS: u16 = 30;
const TOPICS: [Topic; 7] = [
    Topic::Raw,
    Topic::Warehouse,
    Topic::Trait,
    Topic::Suppression,
    Topic::DeadLetter,
    Topic::State,
    Topic::Dedupe,
];

/// A folder and the node that keeps its data there.
type Broker = Arc<Mutex<(TempDir, Node)>>;

pub(crate) struct Bench {
    pub(crate) broker: Broker,
    pub(crate) connection: Connection,
    pub(crate) topics: Topics,
    pub(crate) prefix: &'static str,
    pub(crate) dir: TempDir,
    publisher: Publisher,
}

/// A processor on a thread of this process.
pub(crate) struct Running {
    pub(crate) health: Health,
    stop: Stop,
    thread: JoinHandle<Result<(), Error>>,
}

impl Bench {
    /// On the broker that the tests of this binary share.
    pub(crate) fn new(prefix: &'static str) -> Self {
        Self::on(shared(), prefix)
    }

    /// On a broker of its own, to be killed.
    pub(crate) fn alone(prefix: &'static str) -> Self {
        Self::on(started(), prefix)
    }

    fn on(broker: Broker, prefix: &'static str) -> Self {
        // AFTERSEND_TEST_LOG=info shows what the processors say.
        if let Ok(level) = std::env::var("AFTERSEND_TEST_LOG") {
            let format = telemetry::Format::Text;
            telemetry::init(&telemetry::Settings { format, level }).expect("logs");
        }
        let connection = Connection::plain(broker.lock().expect("no panic").1.bootstrap());
        let limits = Limits { message_timeout: Duration::from_secs(60), ..Limits::default() };
        let publisher = Publisher::new(&connection, &limits).expect("makes a publisher");
        let (topics, dir) = (Topics::new(prefix), tempfile::tempdir().expect("a folder"));
        let bench = Self { broker, connection, topics, prefix, dir, publisher };
        TOPICS.into_iter().for_each(|topic| bench.create(topic, PARTITIONS));
        bench
    }

    pub(crate) fn create(&self, topic: Topic, partitions: u32) {
        self.create_as(topic, partitions, &[]);
    }

    /// With these settings in place of the topic's own.
    pub(crate) fn create_with(&self, topic: Topic, others: &[(&'static str, &str)]) {
        self.create_as(topic, PARTITIONS, others);
    }

    fn create_as(&self, topic: Topic, partitions: u32, others: &[(&'static str, &str)]) {
        let mut settings = topic.settings(Duration::from_hours(u64::from(WINDOW_DAYS) * 24));
        settings.retain(|(name, _)| others.iter().all(|(other, _)| other != name));
        settings.extend(others.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let request =
            TopicRequest { name: self.topics.name(topic), partitions, replication: 1, settings: &settings };
        let cluster = Cluster::connect(&self.connection).expect("connects");
        cluster.create(&request).expect("creates");
    }

    pub(crate) fn group(&self) -> String {
        format!("{}{GROUP}", self.prefix)
    }

    /// The folder of a disk by this name.
    pub(crate) fn disk(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn settings(&self, disk: &str) -> Settings {
        Settings { state: self.disk(disk), ..settings() }
    }

    pub(crate) fn start(&self, disk: &str) -> Running {
        self.start_with(self.settings(disk))
    }

    pub(crate) fn start_with(&self, settings: Settings) -> Running {
        let (health, stop) = (Health::new(), Stop::new());
        let (connection, prefix) = (self.connection.clone(), self.prefix);
        let thread = std::thread::spawn({
            let (health, stop) = (health.clone(), stop.clone());
            move || {
                run(
                    &settings,
                    &connection,
                    prefix,
                    TokenKey::development(),
                    FormatLevel::NEWEST,
                    &health,
                    &stop,
                )
            }
        });
        Running { health, stop, thread }
    }

    /// Puts a record on raw, as the gateway would.
    pub(crate) fn publish(&self, partition: i32, key: &str, value: &[u8]) -> Delivery {
        let record = Outgoing {
            topic: self.topics.name(Topic::Raw),
            partition: Some(partition),
            key: Some(key.as_bytes()),
            value: Some(value),
            headers: &[],
        };
        self.publisher.publish(&record).expect("queues")
    }

    /// Puts a record on any topic, outside a transaction.
    pub(crate) fn append(&self, topic: Topic, partition: i32, key: &[u8], value: &[u8]) {
        let (topic, partition) = (self.topics.name(topic), Some(partition));
        let record = Outgoing { topic, partition, key: Some(key), value: Some(value), headers: &[] };
        self.publisher.publish(&record).expect("queues").wait().expect("acknowledged");
    }

    /// Puts events on raw, each by its number, and waits for the acknowledgements.
    pub(crate) fn publish_events(&self, numbers: impl IntoIterator<Item = u32>) {
        self.publish_as(numbers, "spammed");
    }

    /// As [`Self::publish_events`], with this metric.
    pub(crate) fn publish_as(&self, numbers: impl IntoIterator<Item = u32>, metric: &str) {
        let queued = |number| {
            let key = customer(number);
            self.publish(partition(&key), &key, &event(number, metric))
        };
        for delivery in numbers.into_iter().map(queued).collect::<Vec<_>>() {
            delivery.wait().expect("acknowledged");
        }
    }
}

impl Running {
    /// Waits until it is ready: joined, and everything restored.
    pub(crate) fn ready(self) -> Self {
        until("the processor is ready", || self.thread.is_finished() || self.health.ready().ready);
        assert!(!self.thread.is_finished(), "{:?}", self.thread.join());
        self
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Why it isn't ready, in words.
    pub(crate) fn cause(&self) -> String {
        self.health.ready().components.into_iter().filter_map(|component| component.cause).collect()
    }

    pub(crate) fn stopped(self) {
        self.stop.request("test");
        self.thread.join().expect("no panic").expect("no error");
    }

    /// Stops it, whatever it makes of that.
    pub(crate) fn dropped(self) {
        self.stop.request("test");
        let _ = self.thread.join().expect("no panic");
    }

    /// What it ended with by itself.
    pub(crate) fn failure(self) -> Error {
        until("the processor gives up", || self.thread.is_finished());
        self.thread.join().expect("no panic").expect_err("a refusal")
    }
}

/// A lasting name, so that a wiped disk comes back as the same member and need not wait for the dead one's
/// session.
pub(crate) fn settings() -> Settings {
    Settings {
        state: PathBuf::new(),
        instance: Some("only".to_owned()),
        application_id: None,
        group: None,
        session_timeout: Duration::from_secs(10),
        leave_on_stop: false,
        window: Window::new(WINDOW_DAYS).expect("within bounds"),
        commit_interval: Duration::from_millis(20),
        batch_records: 200,
        budget: Budget::least(PARTITIONS + 1),
        workers: 2,
        restorers: None,
        timers_max: 2_000,
        checkpoint_interval: Duration::ZERO,
        restarts_max: 10,
        retry_pause_max: Duration::from_secs(2),
        link_queries: LinkQueries::Tokens,
        drill: None,
    }
}

/// One of 40 customers: a third of them on each partition, more or less.
pub(crate) fn customer(number: u32) -> String {
    format!("u{}", number % 40)
}

pub(crate) fn partition(key: &str) -> i32 {
    schemas::partition::of(key.as_bytes(), PARTITIONS)
}

pub(crate) fn event_id(number: u32) -> String {
    format!("event-{number}")
}

/// Nearly every event is a complaint: how many took effect shows in its customer's count.
fn event(number: u32, metric: &str) -> Vec<u8> {
    let (id, key) = (event_id(number), customer(number));
    let json = format!(
        r#"{{"event_id":"{id}","object_type":"email","metric":"{metric}","timestamp":1767225600,
            "data":{{"identifiers":{{"id":"{key}"}},"delivery_id":"d","recipient":"ada@example.com"}}}}"#
    );
    let bytes = json.into_bytes();
    let raw = RawRecord {
        kind: "webhook".to_owned(),
        id: EventId::of("default", Some(&id), &bytes).dedupe.0.to_vec(),
        event_id: id,
        source: "default".to_owned(),
        received_at: 1_767_225_600_000,
        bytes,
        ..RawRecord::default()
    };
    codec::encode(&raw).expect("encodes")
}

/// Waits until it holds, at most two minutes: other tests may have the machine.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(2);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn wipe(disk: &Path) {
    std::fs::remove_dir_all(disk).expect("wipes");
}

/// One broker for all tests that run at the same time; the last one to end stops it.
fn shared() -> Broker {
    static SHARED: Mutex<Weak<Mutex<(TempDir, Node)>>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let broker = started();
        *shared = Arc::downgrade(&broker);
        broker
    })
}

fn started() -> Broker {
    let dir = tempfile::tempdir().expect("a folder");
    let node = Node::start(dir.path(), &|_| ()).expect("kafka starts");
    Arc::new(Mutex::new((dir, node)))
}
