//! Topics that are made anew where no offset tells.

use kafka::Outgoing;
use kafka::publisher::{Limits, Publisher};
use processor::Settings;
use processor::state::changelog;
use schemas::topic::Topic;

use crate::bench::view::partitions;
use crate::bench::{Bench, until, wipe};

impl Bench {
    /// Makes the state changelog as long as the old one: tombstones of customers that nobody knows.
    fn fill_state(&self) {
        let publisher = Publisher::new(&self.connection, &Limits::default()).expect("a publisher");
        for partition in partitions() {
            for _ in 0..500 {
                let record = Outgoing {
                    topic: self.topics.name(Topic::State),
                    partition: Some(partition),
                    key: Some(&changelog::customer_key(b"nobody")),
                    value: None,
                    headers: &[],
                };
                publisher.publish(&record).expect("queues").wait().expect("acknowledged");
            }
        }
    }
}

/// P2: a changelog is made anew while a processor runs that knows the old one's id. At the next assignment
/// the new id is seen: the state on disk has no changelog any more, and a lost disk would lose it.
#[test]
fn p2_a_changelog_made_anew_under_a_running_processor_is_refused_at_the_next_assignment() {
    let bench = Bench::new("anew-running.");
    let first = bench.start("disk").ready();
    bench.publish_events(0..200);
    bench.worked_off();
    bench.make_anew(Topic::State);
    bench.fill_state();
    // Another member takes partitions, can't restore them, and leaves.
    let other = Settings { instance: Some("other".to_owned()), ..bench.settings("other") };
    let other = bench.start_with(other);
    until("partitions have moved", || other.is_finished() || other.cause().contains("lost records"));
    other.dropped();
    until("the new topic is seen", || first.is_finished() || first.cause().contains("made anew"));
    if first.is_finished() {
        let why = first.failure().to_string();
        assert!(why.contains("state.v1/") && why.contains("made anew since this disk was filled"), "{why}");
    } else {
        first.dropped();
    }
}

/// P1: a broker may keep the group's offsets where the input was deleted, and may tell no topic ids. An
/// empty disk knows no id either. The record before the position tells.
#[test]
fn p1_an_input_made_anew_is_refused_though_the_group_kept_its_offsets() {
    let bench = Bench::used("anew-kept.");
    let stood: Vec<i64> =
        partitions().map(|partition| bench.committed(partition).next.expect("a position").0).collect();
    bench.make_anew(Topic::Raw);
    bench.publish_events(200..800);
    for (partition, next) in partitions().zip(stood) {
        bench.set_group_to(partition, next);
    }
    wipe(&bench.disk("disk"));
    let why = bench.refusal();
    assert!(why.contains("raw.v1/") && why.contains("made anew"), "{why}");
}
