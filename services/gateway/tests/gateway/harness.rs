//! A real broker, a gateway in front of it over real TCP, and what lies on its topics afterwards.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use devkit::kafka::Node;
use gateway::{Error, Settings};
use hmac::{Hmac, KeyInit, Mac};
use kafka::consumer::{Assignment, BatchLimits, Group, Revocation};
use kafka::{Cluster, Connection, Consumer, Incoming, NextOffset, TopicRequest};
use lifecycle::{Health, Stop};
use reqwest::{Client, RequestBuilder};
use schemas::codec;
use schemas::record::{DeadLetter, RawRecord};
use schemas::token::TokenKey;
use schemas::topic::{Topic, Topics};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) const KEY: &str = "signing-secret";
pub(crate) const PARTITIONS: u32 = 3;
pub(crate) const PATH: &str = "/v1/webhooks/customerio/reporting";

const WINDOW: Duration = Duration::from_secs(30 * 86_400);
const PATIENCE: Duration = Duration::from_secs(30);

/// One broker for every test of a binary that doesn't harm it. The devkit's leash ends it with this process.
pub(crate) fn shared() -> &'static str {
    static NODE: OnceLock<(tempfile::TempDir, Node)> = OnceLock::new();
    NODE.get_or_init(node).1.bootstrap()
}

pub(crate) fn node() -> (tempfile::TempDir, Node) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let node = Node::start(folder.path(), &|_| {}).expect("kafka starts");
    (folder, node)
}

/// A gateway on a port of its own, with topics of its own.
pub(crate) struct Gateway {
    pub(crate) url: String,
    pub(crate) stop: Stop,
    pub(crate) health: Health,
    pub(crate) topics: Topics,
    pub(crate) connection: Connection,
    pub(crate) running: JoinHandle<Result<(), Error>>,
    pub(crate) client: Client,
}

/// A clock short enough for tests, else the defaults.
pub(crate) fn settings() -> Settings {
    let key = ("CUSTOMERIO_WEBHOOK_SIGNING_KEY".to_owned(), KEY.to_owned());
    let mut reader = settings::Reader::new(Settings::FIELDS, None, [key]);
    let mut settings = Settings::read(&mut reader).expect("defaults");
    settings.drain_delay = Duration::from_millis(300);
    settings.partition_check_interval = Duration::from_secs(1);
    settings
}

/// Creates the topics as bootstrap would, but for what `change` says of their settings.
pub(crate) fn create_topics(bootstrap: &str, prefix: &str, change: &[(&str, &str)]) {
    let topics = Topics::new(prefix);
    let cluster = Cluster::connect(&Connection::plain(bootstrap)).expect("a client");
    for topic in [Topic::Raw, Topic::DeadLetter] {
        let mut settings = topic.settings(WINDOW);
        for (name, value) in change.iter().filter(|_| topic == Topic::Raw) {
            settings.retain(|(known, _)| known != name);
            settings.push((name, (*value).to_owned()));
        }
        let request = TopicRequest {
            name: topics.name(topic),
            partitions: PARTITIONS,
            replication: 1,
            settings: &settings,
        };
        assert!(cluster.create(&request).expect("kafka creates a topic"));
    }
}

impl Gateway {
    /// On the shared broker, with topics under `prefix`; returns once it is ready.
    pub(crate) async fn start(prefix: &'static str, settings: Settings) -> Self {
        let bootstrap = tokio::task::spawn_blocking(move || {
            create_topics(shared(), prefix, &[]);
            shared()
        });
        let gateway = Self::start_at(bootstrap.await.expect("a broker"), prefix, settings).await;
        gateway.until_ready().await;
        gateway
    }

    /// At `bootstrap`, whatever is there.
    pub(crate) async fn start_at(bootstrap: &str, prefix: &str, settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let (stop, health, topics) = (Stop::new(), Health::new(), Topics::new(prefix));
        let connection = Connection::plain(bootstrap);
        let running = tokio::spawn(gateway::run(
            settings,
            connection.clone(),
            topics.clone(),
            TokenKey::development().into(),
            listener,
            health.clone(),
            stop.clone(),
        ));
        Self { url, stop, health, topics, connection, running, client: Client::new() }
    }

    pub(crate) async fn until_ready(&self) {
        until(|| self.health.ready().ready).await;
    }

    /// A POST, signed with `key` as of now.
    pub(crate) fn signed_by(&self, key: &str, path: &str, body: impl Into<Vec<u8>>) -> RequestBuilder {
        let body = body.into();
        let timestamp = unix_seconds().to_string();
        let signature = sign(key, &timestamp, &body);
        self.post(path, body).header("X-CIO-Timestamp", timestamp).header("X-CIO-Signature", signature)
    }

    pub(crate) fn signed(&self, body: impl Into<Vec<u8>>) -> RequestBuilder {
        self.signed_by(KEY, PATH, body)
    }

    pub(crate) fn post(&self, path: &str, body: impl Into<Vec<u8>>) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url)).body(body.into())
    }

    /// Everything in raw, in partition order: exactly `count` records, else it fails.
    pub(crate) async fn raw(&self, count: usize) -> Vec<(Incoming, RawRecord)> {
        let records = self.records(Topic::Raw, count).await;
        records.into_iter().map(|record| (record.clone(), decoded(&record))).collect()
    }

    /// Everything in the dead letters: exactly `count`.
    pub(crate) async fn dead(&self, count: usize) -> Vec<(Incoming, DeadLetter)> {
        let records = self.records(Topic::DeadLetter, count).await;
        records.into_iter().map(|record| (record.clone(), decoded(&record))).collect()
    }

    async fn records(&self, topic: Topic, count: usize) -> Vec<Incoming> {
        let (connection, topic) = (self.connection.clone(), self.topics.name(topic).to_owned());
        let records = tokio::task::spawn_blocking(move || read_all(&connection, &topic, count));
        let records = records.await.expect("kafka is read");
        assert_eq!(records.len(), count);
        records
    }
}

fn decoded<R: schemas::record::Record>(record: &Incoming) -> R {
    codec::decode(record.value.as_deref().expect("a value")).expect("decodes")
}

struct FromTheStart;

impl Assignment for FromTheStart {
    fn assigned(&self, partitions: &[(String, i32)]) -> Vec<Option<NextOffset>> {
        vec![Some(NextOffset(0)); partitions.len()]
    }

    fn revoked(&self, _: &[(String, i32)], _: Revocation) {}
}

/// Reads until there are more than `count` records, or until none came for a while after `count` were there.
fn read_all(connection: &Connection, topic: &str, count: usize) -> Vec<Incoming> {
    let id = format!("test-{topic}-{:?}", Instant::now());
    let group = Group { id, instance: None, session_timeout: Duration::from_secs(10) };
    let consumer = Consumer::subscribe(connection, &group, &[topic.to_owned()], Arc::new(FromTheStart));
    let consumer = consumer.expect("a consumer");
    let batch =
        BatchLimits { records_max: 10_000, bytes_max: 64 << 20, wait_max: Duration::from_millis(300) };
    let (began, mut records) = (Instant::now(), Vec::new());
    loop {
        let more = consumer.poll_batch(&batch).expect("records");
        let owned = (0..PARTITIONS.cast_signed()).all(|partition| consumer.owns(topic, partition));
        let nothing_more = more.is_empty() && owned;
        records.extend(more);
        if nothing_more && records.len() >= count || began.elapsed() > PATIENCE {
            consumer.close();
            return records;
        }
    }
}

pub(crate) fn sign(key: &str, timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).expect("any length");
    mac.update(format!("v0:{timestamp}:").as_bytes());
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "waited in vain");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
