//! The broker goes away and comes back; nobody touches the processor.

use std::time::Duration;

use devkit::kafka::Node;

use crate::bench::{Bench, until};

impl Bench {
    fn with_node<T>(&self, act: impl FnOnce(&mut Node) -> T) -> T {
        act(&mut self.broker.lock().expect("no panic").1)
    }
}

#[test]
fn p1_a_processor_outlives_the_broker() {
    let bench = Bench::alone("outage.");
    let processor = bench.start("disk").ready();
    bench.publish_events(0..300);
    for round in 0..2 {
        let from = 300 + round * 300;
        // Some of these are in a transaction when the broker dies.
        bench.publish_events((0..from).step_by(5).chain(from..from + 300));
        bench.with_node(Node::kill);
        bench.with_node(|node| node.restart().expect("starts again"));
        bench.worked_off();
        assert!(!processor.is_finished());
    }
    bench.assert_each_once(0..900);
    until("the processor is ready again", || processor.health.ready().ready);
    processor.stopped();
}

/// Longer than any call of Kafka's client may last: 90 s, and the time until the brokers count as gone.
const LONG_OUTAGE: Duration = Duration::from_secs(130);

/// librdkafka lets some of a transaction's calls wait for brokers without end. That is no reason to exit.
#[test]
fn e4_a_processor_under_load_waits_through_a_long_outage_and_comes_back() {
    let bench = Bench::alone("long-outage.");
    let processor = bench.start("disk").ready();
    bench.publish_events(0..300);
    bench.worked_off();
    bench.publish_events(300..3_000);
    bench.with_node(Node::kill);
    let since = std::time::Instant::now();
    until("the outage is named", || processor.cause().contains("no broker answers"));
    until("the outage has lasted long", || {
        assert!(!processor.is_finished());
        since.elapsed() >= LONG_OUTAGE
    });
    bench.with_node(|node| node.restart().expect("starts again"));
    bench.worked_off();
    until("the processor is ready again", || processor.health.ready().ready);
    processor.stopped();
    bench.assert_each_once(0..3_000);
}

/// A processor must not need the broker to stop.
#[test]
fn a_stop_does_not_wait_for_a_broker_that_is_gone() {
    let bench = Bench::alone("stop.");
    let processor = bench.start("disk").ready();
    bench.publish_events(0..50);
    bench.worked_off();
    bench.with_node(Node::kill);
    let started = std::time::Instant::now();
    processor.stopped();
    assert!(started.elapsed() < Duration::from_secs(25), "{:?}", started.elapsed());
}
