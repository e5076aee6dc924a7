//! A real broker, a Customer.io on loopback, and the sink between them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use customerio::Region;
use customerio_sink::{Settings, Summary};
use devkit::customerio::population::Shape;
use devkit::customerio::track::{self, Identifier, Profile, Track};
use devkit::customerio::{self as simulator, CustomerIo};
use devkit::kafka::Broker;
use kafka::consumer::{Assignment, BatchLimits, Group, Revocation};
use kafka::{Cluster, Connection, Consumer, NextOffset, Outgoing, Publisher, TopicRequest};
use lifecycle::{Health, Stop};
use schemas::codec;
use schemas::record::{CustomerTraits, DeadLetter, Record, Suppression, SuppressionEntry};
use schemas::topic::{Topic, Topics};
use settings::{Reader, Secret};
use tokio::runtime::Runtime;

/// Longest wait for anything, on a machine that is busy compiling.
const PATIENCE: Duration = Duration::from_secs(60);
const PARTITIONS: u32 = 2;

/// One test's world: topics under a prefix of its own, a vendor of its own.
pub(crate) struct World {
    pub(crate) connection: Connection,
    pub(crate) topics: Topics,
    pub(crate) vendor: CustomerIo,
    pub(crate) health: Health,
    publisher: Publisher,
    runtime: Runtime,
    _broker: Arc<SharedBroker>,
}

/// The broker that all tests of this process share; it ends with the last of them.
struct SharedBroker {
    broker: Broker,
    _dir: tempfile::TempDir,
}

fn broker() -> Arc<SharedBroker> {
    static SHARED: Mutex<Weak<SharedBroker>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let dir = tempfile::tempdir().expect("a folder");
        let existing = std::env::var("AFTERSEND_KAFKA").ok();
        let broker = Broker::obtain(existing.as_deref(), dir.path(), &|_| {}).expect("a broker");
        let fresh = Arc::new(SharedBroker { broker, _dir: dir });
        *shared = Arc::downgrade(&fresh);
        fresh
    })
}

impl World {
    pub(crate) fn new() -> Self {
        static WORLDS: AtomicU32 = AtomicU32::new(0);
        let broker = broker();
        let connection = Connection::plain(broker.broker.bootstrap());
        let world = WORLDS.fetch_add(1, Ordering::Relaxed);
        let topics = Topics::new(&format!("sink-{}-{world}-{}.", std::process::id(), now_ms()));
        let cluster = Cluster::connect(&connection).expect("a cluster");
        for topic in [Topic::Trait, Topic::Suppression, Topic::DeadLetter] {
            let mut settings = topic.settings(Duration::from_secs(30 * 86_400));
            for (setting, value) in &mut settings {
                // A broker deletes no records on request where a topic is compacted only.
                if *setting == "cleanup.policy" && value == "compact" {
                    "compact,delete".clone_into(value);
                }
            }
            let name = topics.name(topic);
            let request = TopicRequest { name, partitions: PARTITIONS, replication: 1, settings: &settings };
            cluster.create(&request).expect("a topic");
        }
        let runtime = Runtime::new().expect("a runtime");
        let people = simulator::Settings {
            seed: 7,
            people: 200,
            listen: "127.0.0.1:0".parse().expect("an address"),
            track: track::Settings::new("site", "key"),
        };
        let vendor = runtime.block_on(CustomerIo::start(people)).expect("a vendor");
        let publisher =
            Publisher::new(&connection, &kafka::publisher::Limits::default()).expect("a publisher");
        Self { connection, topics, vendor, health: Health::new(), publisher, runtime, _broker: broker }
    }

    /// Ids of people whom the vendor has.
    pub(crate) fn people(&self, count: usize) -> Vec<String> {
        let people = self.vendor.population().people().iter();
        let ids = people.filter(|person| person.shape == Shape::Full).filter_map(|person| person.id.clone());
        ids.take(count).collect()
    }

    pub(crate) fn track(&self) -> &Track {
        self.vendor.track()
    }

    pub(crate) fn profile(&self, id: &str) -> Profile {
        self.track().profile(&Identifier::id(id)).expect("a profile")
    }

    /// Settings with short waits.
    pub(crate) fn settings(&self) -> Settings {
        self.settings_with_key("key")
    }

    pub(crate) fn settings_with_key(&self, key: &str) -> Settings {
        let track = customerio::Settings {
            site_id: Secret::new("site"),
            api_key: Secret::new(key),
            region: Region::Us,
            url: Some(self.vendor.track_url()),
            connect_timeout: Duration::from_millis(500),
            request_timeout: Duration::from_secs(2),
        };
        let keys = ["CUSTOMERIO_SITE_ID", "CUSTOMERIO_API_KEY"].map(|name| (name.to_owned(), key.to_owned()));
        let mut reader = Reader::new(Settings::FIELDS, None, keys);
        let defaults = Settings::read(&mut reader).expect("the keys are all it needs");
        Settings {
            group: format!("{}sink", self.topics.name(Topic::Trait)),
            retry_min: Duration::from_millis(20),
            retry_max: Duration::from_millis(200),
            recheck_after: Duration::from_millis(300),
            drain_timeout: Duration::from_millis(500),
            session_timeout: Duration::from_secs(6),
            track,
            ..defaults
        }
    }

    /// Writes a record to its partition and returns that and its offset.
    pub(crate) fn publish(&self, topic: Topic, key: &str, value: Option<&[u8]>) -> (i32, i64) {
        let partition = schemas::partition::of(key.as_bytes(), PARTITIONS);
        let name = self.topics.name(topic);
        let record = Outgoing {
            topic: name,
            partition: Some(partition),
            key: Some(key.as_bytes()),
            value,
            headers: &[],
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.publisher.publish(&record).and_then(kafka::publisher::Delivery::wait) {
                Ok(kept) => return (kept.partition, kept.offset.0),
                Err(err) => assert!(Instant::now() < deadline, "not published: {err}"),
            }
        }
    }

    pub(crate) fn publish_record<R: Record>(&self, topic: Topic, key: &str, record: &R) -> (i32, i64) {
        self.publish(topic, key, Some(&codec::encode(record).expect("encodes")))
    }

    /// A revision of a customer's traits, which changes two of them.
    pub(crate) fn publish_traits(&self, key: &str, revision: i64) -> (i32, i64) {
        self.publish_record(Topic::Trait, key, &traits(key, revision))
    }

    pub(crate) fn publish_everybody(&self, people: &[String], revision: i64) {
        for id in people {
            self.publish_traits(id, revision);
        }
    }

    pub(crate) fn publish_suppression(&self, key: &str, reason: &str, state: &str) -> (i32, i64) {
        let entry = SuppressionEntry {
            scope: "person".to_owned(),
            channel: "email".to_owned(),
            reason: reason.to_owned(),
            since: now_ms() - 5_000,
            state: state.to_owned(),
            ..SuppressionEntry::default()
        };
        let record = Suppression { customer_id: key.to_owned(), as_of: now_ms(), entries: vec![entry] };
        self.publish_record(Topic::Suppression, key, &record)
    }

    pub(crate) fn start(&self, settings: Settings) -> Sink {
        let (connection, topics, health) =
            (self.connection.clone(), self.topics.clone(), self.health.clone());
        let stop = Stop::new();
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            customerio_sink::run(&settings, &connection, &topics, &health, &stopped)
                .expect("the sink ends well")
        });
        Sink { stop, thread }
    }

    /// What readiness says of the sink, once it says anything.
    pub(crate) fn cause(&self) -> Option<String> {
        self.health.ready().components.first().and_then(|component| component.cause.clone())
    }

    /// The dead letters, once there are so many.
    pub(crate) fn dead_letters(&self, count: usize) -> Vec<DeadLetter> {
        let group = Group {
            id: format!("reader-{}", now_ms()),
            instance: None,
            session_timeout: Duration::from_secs(6),
        };
        let topic = self.topics.name(Topic::DeadLetter).to_owned();
        let consumer = Consumer::subscribe(&self.connection, &group, &[topic], Arc::new(Everything))
            .expect("a consumer");
        let limits =
            BatchLimits { records_max: 1000, bytes_max: 1 << 20, wait_max: Duration::from_millis(200) };
        let mut letters = Vec::new();
        until("dead letters", || {
            for record in consumer.poll_batch(&limits).expect("a batch") {
                letters.push(codec::decode(&record.value.expect("a value")).expect("a dead letter"));
            }
            letters.len() >= count
        });
        letters
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // The vendor's server lives on the runtime, which must not be dropped on a thread of another.
        let _entered = self.runtime.enter();
    }
}

/// A running sink.
pub(crate) struct Sink {
    stop: Stop,
    thread: JoinHandle<Summary>,
}

impl Sink {
    /// Stops it and tells what it did, and how long the stop took.
    pub(crate) fn stop(self) -> (Summary, Duration) {
        let began = Instant::now();
        self.stop.request("test");
        let summary = self.thread.join().expect("no panic");
        (summary, began.elapsed())
    }
}

struct Everything;

impl Assignment for Everything {
    fn assigned(&self, partitions: &[(String, i32)]) -> Vec<Option<NextOffset>> {
        vec![None; partitions.len()]
    }

    fn revoked(&self, _: &[(String, i32)], _: Revocation) {}
}

pub(crate) fn traits(key: &str, revision: i64) -> CustomerTraits {
    CustomerTraits {
        customer_id: key.to_owned(),
        revision,
        as_of: now_ms(),
        changed: vec!["complaint_count".to_owned(), "email_bounced".to_owned()],
        complaint_count: Some(revision),
        email_bounced: Some(revision % 2 == 1),
        ..CustomerTraits::default()
    }
}

/// Waits for `holds`, and fails by name when it never does.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("in range")
}
