//! What a processor refuses rather than lose or double events, each with its mend.

use processor::state::store::StoreError;
use processor::{Error, RestoreError, SessionError};
use schemas::topic::Topic;

use crate::bench::view::partitions;
use crate::bench::{Bench, PARTITIONS, until, wipe};

mod alone;
mod anew;
mod reset;
mod upgrade;

impl Bench {
    /// 200 events, worked off in more than one transaction, and a processor that has ended.
    pub(crate) fn used(prefix: &'static str) -> Self {
        let bench = Self::new(prefix);
        let processor = bench.start("disk").ready();
        for from in [0, 100] {
            bench.publish_events(from..from + 100);
            bench.worked_off();
        }
        processor.stopped();
        bench
    }

    /// What readiness says of the partitions that are refused. The processor itself keeps running.
    pub(crate) fn refusal(&self) -> String {
        let processor = self.start("disk");
        until("a partition is refused", || processor.cause().contains("is refused"));
        let cause = processor.cause();
        processor.stopped();
        cause
    }

    pub(crate) fn still_starts(&self) {
        self.publish_events((0..200).step_by(3).chain(200..260));
        let processor = self.start("disk").ready();
        self.worked_off();
        processor.stopped();
        self.assert_each_once(0..260);
    }
}

#[test]
fn p1_a_group_that_was_set_back_is_refused_until_it_is_set_right_again() {
    let bench = Bench::used("set-back.");
    let stood = bench.committed(1).next.expect("a position").0;
    bench.set_group_to(1, stood - 10);
    let why = bench.refusal();
    assert!(why.contains(&format!("--to-offset {stood}")), "{why}");

    // The mend that it names is one: the operator's tool leaves no text beside the position.
    bench.set_group_to(1, stood);
    assert_eq!(bench.committed(1).metadata, "");
    bench.still_starts();
}

#[test]
fn p1_a_group_that_was_set_forward_is_refused() {
    let bench = Bench::used("set-forward.");
    let stood = bench.committed(0).next.expect("a position").0;
    bench.set_group_to(0, stood + 1);
    let why = bench.refusal();
    assert!(why.contains("set forward"), "{why}");
}

/// KAFKA-20416 and offsets.retention: positions may go; the changelogs know them too.
#[test]
fn p1_a_group_that_was_forgotten_goes_on_where_its_state_stands() {
    let bench = Bench::used("forgotten.");
    bench.forget_group();
    assert_eq!(bench.committed(0).next, None);
    bench.still_starts();
}

/// R0: a store made for another partition count holds other customers.
#[test]
fn a_disk_of_another_partition_count_is_refused() {
    let bench = Bench::used("count.");
    for topic in [Topic::Raw, Topic::State, Topic::Dedupe, Topic::Warehouse] {
        bench.delete(topic);
        bench.create(topic, PARTITIONS + 1);
    }
    let refused = bench.start("disk").failure();
    assert!(matches!(refused, Error::Partitions { wanted: 4, found: 3, .. }), "{refused}");

    for topic in [Topic::Trait, Topic::Suppression, Topic::DeadLetter] {
        bench.delete(topic);
        bench.create(topic, PARTITIONS + 1);
    }
    let refused = bench.start("disk").failure();
    let Error::Session(SessionError::Restore(RestoreError::Store(refused))) = refused else {
        panic!("{refused}")
    };
    assert!(matches!(refused, StoreError::Foreign { .. }), "{refused}");
}

/// R3, P1: a dedupe changelog whose beginning is gone while the window still asks for it.
#[test]
fn p1_an_empty_disk_is_refused_where_the_window_is_not_in_the_changelog() {
    let bench = Bench::used("gap.");
    for partition in partitions() {
        bench.cut(Topic::Dedupe, partition, 1);
    }
    wipe(&bench.disk("disk"));
    let why = bench.refusal();
    assert!(why.contains("inside the window"), "{why}");
}

/// R0: the same where nothing is left of it at all. The disk that knows the ids is kept: it is the only copy.
#[test]
fn p1_a_changelog_of_ids_that_was_made_anew_is_refused_with_the_disk_and_without() {
    let bench = Bench::used("anew.");
    bench.make_anew(Topic::Dedupe);
    let why = bench.refusal();
    assert!(why.contains("dedupe.v1/") && why.contains("made anew since this disk was filled"), "{why}");
    let kept =
        partitions().filter_map(|partition| bench.store("disk", partition).meta().expect("reads")).count();
    assert_eq!(kept, 3, "the disks are kept");
    wipe(&bench.disk("disk"));
    let why = bench.refusal();
    assert!(why.contains("inside the window"), "{why}");
}

/// R0, R6: the state changelog has lost what the group knows.
#[test]
fn p2_a_state_changelog_that_was_made_anew_is_refused() {
    let bench = Bench::used("no-state.");
    bench.make_anew(Topic::State);
    let why = bench.refusal();
    assert!(why.contains("state.v1/") && why.contains("made anew since this disk was filled"), "{why}");
    wipe(&bench.disk("disk"));
    let why = bench.refusal();
    assert!(why.contains("one of them has lost records"), "{why}");
}

/// R0: an input of the same name, and as long as the one that was read: what it holds was never read.
#[test]
fn p1_an_input_that_was_made_anew_is_refused_with_the_disk_and_without() {
    let bench = Bench::used("input-anew.");
    bench.make_anew(Topic::Raw);
    bench.publish_events(200..600);
    let why = bench.refusal();
    assert!(why.contains("raw.v1/") && why.contains("made anew"), "{why}");
    // Without the disk nobody knows the old topic's id. The times of its records tell.
    wipe(&bench.disk("disk"));
    let why = bench.refusal();
    assert!(why.contains("raw.v1/") && why.contains("made anew"), "{why}");
    assert!(why.contains("accept-loss"), "{why}");
}

/// R3: customers that were deleted from the compacted changelog are known to nobody; its newest meta would
/// look whole.
#[test]
fn p2_a_state_changelog_that_was_cut_is_refused_where_the_disk_has_not_read_it() {
    let bench = Bench::new("state-cut.");
    // Kafka deletes records only where the policy has `delete`.
    bench.delete(Topic::State);
    bench.create_with(Topic::State, &[("cleanup.policy", "compact,delete"), ("retention.ms", "-1")]);
    let processor = bench.start("disk").ready();
    bench.publish_events(0..200);
    bench.worked_off();
    processor.stopped();
    for partition in partitions() {
        bench.cut(Topic::State, partition, 1);
    }
    let processor = bench.start("disk").ready();
    bench.publish_events(0..260);
    bench.worked_off();
    processor.stopped();
    bench.assert_each_once(0..260);
    wipe(&bench.disk("disk"));
    let why = bench.refusal();
    assert!(why.contains("begins at offset 1") && why.contains("start-over"), "{why}");
}

/// Raw outlives nothing that was not read: what its retention took unread would be lost without a word.
#[test]
fn p1_an_input_that_was_cut_before_it_was_read_is_refused() {
    let bench = Bench::used("cut.");
    bench.publish_events(200..300);
    let stood = bench.committed(2).next.expect("a position").0;
    bench.cut(Topic::Raw, 2, stood + 1);
    let why = bench.refusal();
    assert!(why.contains(&format!("stands at {stood}")), "{why}");
}

/// What was read may go.
#[test]
fn an_input_that_was_cut_behind_its_reader_is_fine() {
    let bench = Bench::used("cut-behind.");
    for partition in partitions() {
        let stood = bench.committed(partition).next.expect("a position").0;
        bench.cut(Topic::Raw, partition, stood);
    }
    bench.still_starts();
}

#[test]
fn a_missing_topic_is_named_with_its_mend() {
    let bench = Bench::new("missing.");
    bench.delete(Topic::Suppression);
    let refused = bench.start("disk").failure().to_string();
    assert!(refused.contains("missing.outcomes.suppression.v1"), "{refused}");
    assert!(refused.contains("aftersend bootstrap"), "{refused}");
}

/// P5: without append times nobody tells what time it is.
#[test]
fn p5_a_topic_that_keeps_its_senders_times_is_refused() {
    let bench = Bench::new("senders-time.");
    bench.delete(Topic::DeadLetter);
    bench.create_with(Topic::DeadLetter, &[("message.timestamp.type", "CreateTime")]);
    let refused = bench.start("disk").failure();
    assert!(
        matches!(&refused, Error::AppendTime { topic } if topic == bench.topics.name(Topic::DeadLetter)),
        "{refused}"
    );
}
