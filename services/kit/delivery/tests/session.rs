//! The loop against a real broker, behind a proxy that loses what a test wants: a fetch that stops, and no
//! broker at all.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use delivery::intake::{Gap, OnGap, Partition, StoredPosition};
use delivery::sink::{Delivered, Ended, Ending, Metrics, Reading, Start, Work};
use delivery::{Context, Counts, LagLimits, Readiness, Sink};
use devkit::kafka::Cluster as Nodes;
use devkit::kafka::proxy::{Action, Api, Rule};
use kafka::{Cluster, Connection, Incoming, Outgoing, Publisher, TopicRequest, consumer};
use lifecycle::{Health, Stop};

const TOPIC: &str = "outcomes.trait.v1";
const DEAD_LETTERS: &str = "outcomes.dlq.v1";
/// Longest wait for anything, on a machine that is busy compiling.
const PATIENCE: Duration = Duration::from_secs(60);

/// Keeps what it is given.
struct Memory(Arc<Mutex<Vec<Vec<u8>>>>);

impl Sink for Memory {
    type Item = Vec<u8>;
    type Error = Infallible;

    const NAME: &'static str = "memory-sink";
    const START: Start = Start::AtCommitted;
    const METRICS: Metrics =
        Metrics { records: "memory_records_total", commit_failures: "memory_commit_failures_total" };

    fn read(&self, record: &Incoming, _now_ms: i64) -> Reading<Vec<u8>> {
        record.value.clone().map_or(Reading::Done("tombstone"), Reading::Deliver)
    }

    fn positions(&mut self, partitions: &[Partition]) -> Result<Vec<Option<StoredPosition>>, Infallible> {
        Ok(vec![None; partitions.len()])
    }

    fn record_gaps(&mut self, _gaps: &[Gap]) -> Result<(), Infallible> {
        Ok(())
    }

    fn deliver(
        &mut self,
        work: Work<Vec<u8>>,
        _readiness: &Readiness<'_>,
    ) -> Result<Delivered<Vec<u8>>, Infallible> {
        let mut kept = self.0.lock().expect("no panic");
        let keep = |pending: delivery::sink::Pending<Vec<u8>>| {
            kept.push(pending.item);
            Ended { place: pending.place, ending: Ending::Done("delivered") }
        };
        Ok(work.items.into_iter().map(keep).collect::<Vec<_>>().into())
    }
}

/// A broker behind a proxy, and a sink that reads through the proxy.
struct World {
    nodes: Nodes,
    _dir: tempfile::TempDir,
    publisher: Publisher,
    kept: Arc<Mutex<Vec<Vec<u8>>>>,
    health: Health,
    stop: Stop,
    sink: JoinHandle<Counts>,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let nodes = Nodes::start(dir.path(), 1, &|_| ()).expect("kafka starts");
        let direct = Connection::plain(nodes.bootstrap());
        let cluster = Cluster::connect(&direct).expect("connects");
        for name in [TOPIC, DEAD_LETTERS] {
            let request = TopicRequest { name, partitions: 1, replication: 1, settings: &[] };
            cluster.create(&request).expect("creates");
        }
        let publisher = Publisher::new(&direct, &kafka::publisher::Limits::default()).expect("a publisher");
        let (kept, health, stop) = (Arc::default(), Health::new(), Stop::new());
        let through_proxy = Connection::plain(nodes.proxy().bootstrap());
        let sink = start(through_proxy, Memory(Arc::clone(&kept)), health.clone(), stop.clone());
        Self { nodes, _dir: dir, publisher, kept, health, stop, sink }
    }

    fn publish(&self, value: &str) {
        let record = Outgoing {
            topic: TOPIC,
            partition: Some(0),
            key: None,
            value: Some(value.as_bytes()),
            headers: &[],
        };
        self.publisher.publish(&record).expect("queues").wait().expect("acknowledged");
    }

    fn kept(&self) -> usize {
        self.kept.lock().expect("no panic").len()
    }

    fn is_ready(&self) -> bool {
        self.health.ready().ready
    }

    fn cause(&self) -> String {
        self.health.ready().components.first().and_then(|sink| sink.cause.clone()).unwrap_or_default()
    }

    fn stop(self) -> Counts {
        self.stop.request("test");
        self.sink.join().expect("no panic")
    }
}

fn start(connection: Connection, mut sink: Memory, health: Health, stop: Stop) -> JoinHandle<Counts> {
    let settings = delivery::Settings {
        group: consumer::Group {
            id: "memory".to_owned(),
            instance: None,
            session_timeout: Duration::from_secs(10),
        },
        topics: vec![TOPIC.to_owned()],
        dead_letters: DEAD_LETTERS.to_owned(),
        batch: consumer::BatchLimits {
            records_max: 100,
            bytes_max: 1 << 20,
            wait_max: Duration::from_millis(100),
        },
        lag: LagLimits {
            ask_every: Duration::from_millis(500),
            not_ready_after: Duration::from_secs(8),
            renew_after: Duration::from_secs(12),
        },
        on_gap: OnGap::Refuse,
    };
    thread::spawn(move || {
        let context = Context::new(stop);
        let vital = health.component(Memory::NAME, Duration::from_secs(60));
        let counts = delivery::run(&mut sink, &settings, &connection, &context, &vital).expect("no error");
        vital.finished();
        counts
    })
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The broker sees no fetch of the sink any more. Polls stay empty and heartbeats go on, as on a quiet topic.
#[test]
fn e4_a_fetch_that_silently_stops_is_named_and_the_session_renewed() {
    let world = World::new();
    world.publish("before");
    until("the first record", || world.kept() == 1 && world.is_ready());
    let held = world.nodes.proxy().arm(Rule::new(Api::FETCH, Action::Hold));
    assert!(held.await_struck(PATIENCE).is_some());
    world.publish("behind");
    until("the cause", || world.cause().contains("wait, and none came for"));
    until("the record, in a new session", || world.kept() == 2);
    until("readiness", || world.is_ready());
    drop(held);
    assert_eq!(world.stop().of("delivered"), 2);
}

/// Without a broker nobody knows whether records wait. The sink isn't ready, doesn't exit, and comes back.
#[test]
fn e4_a_sink_without_a_broker_is_not_ready_and_comes_back() {
    let world = World::new();
    world.publish("before");
    until("the first record", || world.kept() == 1 && world.is_ready());
    world.nodes.proxy().part();
    until("the cause", || world.cause().contains("no broker answers"));
    assert!(!world.is_ready() && !world.sink.is_finished());
    world.nodes.proxy().join();
    world.publish("after");
    until("the next record", || world.kept() == 2);
    until("readiness", || world.is_ready());
    assert_eq!(world.stop().of("delivered"), 2);
}
