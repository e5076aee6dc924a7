//! A broker, two topics under a prefix of their own, a file, and a sink on them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bigquery_sink::{Error, Location, Settings, Summary, run};
use delivery::intake::OnGap;
use devkit::kafka::Node;
use kafka::consumer::{Assignment, BatchLimits, Group, Revocation};
use kafka::publisher::{Delivery, Limits};
use kafka::{Cluster, Connection, Consumer, Incoming, NextOffset, Outgoing, Publisher, TopicRequest};
use lifecycle::{Health, Stop};
use rusqlite::OpenFlags;
use schemas::codec;
use schemas::record::MessageOutcome;
use schemas::topic::{Topic, Topics};
use settings::ByteSize;
use tempfile::TempDir;

pub(crate) const PARTITIONS: i32 = 3;

pub(crate) struct Bench {
    /// Held for its drop: the last test stops the broker.
    _node: Arc<(TempDir, Node)>,
    pub(crate) connection: Connection,
    pub(crate) topics: Topics,
    pub(crate) prefix: &'static str,
    pub(crate) dir: TempDir,
    publisher: Publisher,
}

/// A sink on a thread of this process.
pub(crate) struct Running {
    pub(crate) health: Health,
    stop: Stop,
    thread: JoinHandle<Result<Summary, Error>>,
}

impl Bench {
    pub(crate) fn new(prefix: &'static str) -> Self {
        let node = node();
        let connection = Connection::plain(node.1.bootstrap());
        let topics = Topics::new(prefix);
        let cluster = Cluster::connect(&connection).expect("connects");
        for topic in [Topic::Warehouse, Topic::DeadLetter] {
            let settings = topic.settings(Duration::from_secs(30 * 86_400));
            let request = TopicRequest {
                name: topics.name(topic),
                partitions: PARTITIONS.unsigned_abs(),
                replication: 1,
                settings: &settings,
            };
            cluster.create(&request).expect("creates");
        }
        let publisher = Publisher::new(
            &connection,
            &Limits { message_timeout: Duration::from_secs(30), ..Limits::default() },
        )
        .expect("makes a publisher");
        Self {
            _node: node,
            connection,
            topics,
            prefix,
            dir: tempfile::tempdir().expect("a folder"),
            publisher,
        }
    }

    /// Deletes the topic and makes it again, empty.
    pub(crate) fn make_anew(&self, topic: Topic) {
        let cluster = Cluster::connect(&self.connection).expect("connects");
        let name = self.topics.name(topic);
        cluster.delete_topics(&[name]).expect("deletes");
        assert!(until(|| cluster.topic(name).expect("answers").is_none()));
        let settings = topic.settings(Duration::from_secs(30 * 86_400));
        let partitions = PARTITIONS.unsigned_abs();
        let request = TopicRequest { name, partitions, replication: 1, settings: &settings };
        assert!(until(|| cluster.create(&request).is_ok_and(|created| created)));
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn publish(&self, partition: i32, value: &[u8]) -> Delivery {
        let topic = self.topics.name(Topic::Warehouse);
        let record = Outgoing {
            topic,
            partition: Some(partition),
            key: Some(b"u-1"),
            value: Some(value),
            headers: &[],
        };
        self.publisher.publish(&record).expect("queues")
    }

    /// Publishes one outcome for each number, spread over the partitions, and waits for the acknowledgements.
    pub(crate) fn publish_events(&self, numbers: std::ops::Range<i32>) {
        let queued = |number| self.publish(number % PARTITIONS, &outcome(&format!("event-{number}")));
        for delivery in numbers.map(queued).collect::<Vec<_>>() {
            delivery.wait().expect("acknowledged");
        }
    }

    pub(crate) fn sink(&self, file: &Path) -> Running {
        self.sink_with(settings(file))
    }

    pub(crate) fn sink_with(&self, settings: Settings) -> Running {
        let (health, stop) = (Health::new(), Stop::new());
        let (connection, topics) = (self.connection.clone(), self.topics.clone());
        let thread = std::thread::spawn({
            let (health, stop) = (health.clone(), stop.clone());
            move || run(&settings, &connection, &topics, &health, &stop)
        });
        Running { health, stop, thread }
    }

    /// Every record of `topic`, read by somebody else.
    pub(crate) fn read_all(&self, topic: Topic, records: usize) -> Vec<Incoming> {
        let group = Group {
            id: format!("{}reader", self.prefix),
            instance: None,
            session_timeout: Duration::from_secs(6),
        };
        let names = [self.topics.name(topic).to_owned()];
        let consumer = Consumer::subscribe(&self.connection, &group, &names, Arc::new(FromTheStart))
            .expect("subscribes");
        let limits =
            BatchLimits { records_max: 1_000, bytes_max: 1 << 20, wait_max: Duration::from_millis(200) };
        let mut found = Vec::new();
        let read = until(|| {
            found.extend(consumer.poll_batch(&limits).expect("polls"));
            found.len() >= records
        });
        assert!(read, "{} of {records} records", found.len());
        found
    }
}

impl Running {
    pub(crate) fn stopped(self) -> Summary {
        self.stop.request("test");
        self.thread.join().expect("no panic").expect("no error")
    }
}

struct FromTheStart;

impl Assignment for FromTheStart {
    fn assigned(&self, partitions: &[(String, i32)]) -> Vec<Option<NextOffset>> {
        vec![Some(NextOffset(0)); partitions.len()]
    }

    fn revoked(&self, _partitions: &[(String, i32)], _how: Revocation) {}
}

/// Small batches, and a lasting instance name, so that a successor needn't wait for the dead one's session.
pub(crate) fn settings(file: &Path) -> Settings {
    Settings {
        target: Location::Sqlite(file.to_owned()),
        group: Some("sink".to_owned()),
        instance: Some("only".to_owned()),
        session_timeout: Duration::from_secs(10),
        batch_records: 100,
        batch_bytes: ByteSize(1 << 20),
        batch_wait: Duration::from_millis(100),
        keep: None,
        on_gap: OnGap::Refuse,
        lock_wait: Duration::from_secs(10),
        stall_after: Duration::from_secs(30),
    }
}

pub(crate) fn outcome(event_id: &str) -> Vec<u8> {
    let outcome = MessageOutcome {
        event_id: event_id.into(),
        event_type: "email_sent".into(),
        metadata: "{}".into(),
        ..MessageOutcome::default()
    };
    codec::encode(&outcome).expect("encodes")
}

/// One number out of the file, as any other program would read it; `None` while the file isn't ready.
pub(crate) fn number(file: &Path, sql: &str) -> Option<i64> {
    let reader = rusqlite::Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    reader.query_row(sql, (), |row| row.get(0)).ok()
}

pub(crate) fn rows(file: &Path) -> i64 {
    number(file, "SELECT count(*) FROM message_outcomes").unwrap_or_default()
}

pub(crate) fn until(mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// One broker for all tests that run at the same time; the last one to end stops it.
fn node() -> Arc<(TempDir, Node)> {
    static NODE: Mutex<Weak<(TempDir, Node)>> = Mutex::new(Weak::new());
    let mut shared = NODE.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let dir = tempfile::tempdir().expect("a folder");
        let node = Node::start(dir.path(), &|_| ()).expect("kafka starts");
        let started = Arc::new((dir, node));
        *shared = Arc::downgrade(&started);
        started
    })
}
