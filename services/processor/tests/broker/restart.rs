//! Stopped and started again: on the same disk, on an empty one, on another machine.

use std::time::Duration;

use kafka::NextOffset;
use processor::state::meta::ChangelogPositions;
use processor::{Error, Leaving, SessionError, Settings, leave};
use schemas::record::DeadLetter;
use schemas::topic::Topic;

use crate::bench::view::{decoded, partitions};
use crate::bench::{Bench, until, wipe};

mod damage;

impl Bench {
    /// How far the changelogs are on the disk of a processor that has ended.
    fn progress(&self, disk: &str, partition: i32) -> ChangelogPositions {
        self.store(disk, partition).progress().expect("reads").unwrap_or_default()
    }

    fn seqs(&self) -> Vec<u64> {
        partitions().map(|partition| self.seq(partition)).collect()
    }

    /// Works `numbers` off in several transactions, with copies in between.
    fn work_off(&self, numbers: std::ops::Range<u32>) {
        for from in numbers.clone().step_by(100) {
            self.publish_events((numbers.start..from).step_by(9).chain(from..from + 100));
            self.worked_off();
        }
    }
}

/// P1, P3: the last run knows what those before it did until they were killed, and reads only the changelogs'
/// tails. That it needs no more is shown by taking the rest away. What the last kill met was committed, and
/// not on disk.
#[test]
fn p3_the_same_disk_goes_on_without_the_whole_changelog() {
    let bench = Bench::new("same-disk.");
    let (tail, dedupe) = (bench.tail(), bench.topics.name(Topic::Dedupe));
    bench.publish_events(0..300);
    bench.kill_when("disk", || bench.is_worked_off(&tail));
    bench.publish_events((0..300).step_by(9).chain(300..400));
    bench.kill_at("disk", "committed", 2);
    let seqs = bench.seqs();

    let mut left = 0;
    for partition in partitions() {
        let progress = bench.progress("disk", partition);
        let noted = progress.dedupe_next();
        assert!(progress.state_next() > NextOffset(0) && noted > NextOffset(0), "partition {partition}");
        bench.cut(Topic::Dedupe, partition, noted.0);
        left += tail.stable_end(dedupe, partition).expect("an end").0 - noted.0;
    }
    assert!(left > 0, "a tail is to be replayed");
    let last = bench.start("disk").ready();
    bench.work_off(0..500);
    last.stopped();
    bench.assert_each_once(0..500);
    for (before, after) in seqs.into_iter().zip(bench.seqs()) {
        assert!(after > before, "the numbers go on");
    }
}

/// P3: a lost disk costs a rebuild, and nothing else.
#[test]
fn p3_an_empty_disk_is_filled_from_the_changelogs() {
    let bench = Bench::new("empty-disk.");
    let first = bench.start("disk").ready();
    bench.work_off(0..400);
    first.stopped();
    let seqs = bench.seqs();
    wipe(&bench.disk("disk"));

    let second = bench.start("disk").ready();
    bench.publish_events((0..400).chain(400..450));
    bench.worked_off();
    second.stopped();
    bench.assert_each_once(0..450);
    for (before, after) in seqs.into_iter().zip(bench.seqs()) {
        assert!(after > before, "the numbers go on");
    }
}

/// P1: what the event of an id said is on the disk and in the changelog. So an id with other content is told
/// from a copy after a restart and after a rebuild.
#[test]
fn p1_a_reused_id_is_told_from_a_copy_after_a_restart_and_a_rebuild() {
    let bench = Bench::new("reused.");
    let first = bench.start("disk").ready();
    bench.work_off(0..100);
    first.stopped();
    for (round, is_wiped) in [(1, false), (2, true)] {
        if is_wiped {
            wipe(&bench.disk("disk"));
        }
        let processor = bench.start("disk").ready();
        bench.publish_as(0..40, "dropped");
        bench.publish_events(0..40);
        bench.worked_off();
        processor.stopped();
        let letters = bench.records(Topic::DeadLetter);
        let reasons: Vec<String> =
            letters.iter().map(|record| decoded::<DeadLetter>(record).reason).collect();
        assert_eq!(reasons, vec!["id_reused"; round * 40], "wiped: {is_wiped}");
    }
    bench.assert_each_once(0..100);
}

/// A disk that was elsewhere meanwhile: another machine went on with the partitions, and its copy is behind.
#[test]
fn p3_an_old_disk_catches_up_with_what_another_machine_did() {
    let bench = Bench::new("old-disk.");
    for (disk, numbers) in [("here", 0..200), ("there", 200..400), ("here", 400..500)] {
        let processor = bench.start(disk).ready();
        bench.publish_events((0..numbers.start).step_by(3).chain(numbers));
        bench.worked_off();
        processor.stopped();
    }
    bench.assert_each_once(0..500);
}

/// Another machine, another name: it gets the partitions when the dead one's session has ended.
#[test]
fn p1_another_instance_takes_over_from_a_killed_one() {
    let bench = Bench::new("takeover.");
    bench.publish_events(0..300);
    bench.kill_at("here", "offsets_sent", 2);
    bench.publish_events((0..300).step_by(4).chain(300..400));
    let mut settings = bench.settings("there");
    settings.instance = Some("another".to_owned());
    let successor = bench.start_with(settings).ready();
    bench.worked_off();
    successor.stopped();
    bench.assert_each_once(0..400);
}

/// Two at once share the partitions; when one goes, the other has everything.
#[test]
fn p1_two_instances_share_the_work() {
    let bench = Bench::new("two.");
    let start = |name: &str| {
        let mut settings = bench.settings(name);
        settings.instance = Some(name.to_owned());
        settings.session_timeout = Duration::from_secs(3);
        bench.start_with(settings)
    };
    let one = start("one").ready();
    bench.publish_events(0..200);
    bench.worked_off();
    let other = start("other").ready();
    bench.publish_events((0..200).step_by(2).chain(200..400));
    bench.worked_off();
    one.stopped();
    bench.publish_events((0..400).step_by(3).chain(400..500));
    bench.worked_off();
    until("the other one is ready", || other.health.ready().ready);
    other.stopped();
    bench.assert_each_once(0..500);
}

/// Longer than any test waits: what moves before has not waited for it.
const LONG_SESSION: Duration = Duration::from_mins(20);

/// Two instances, of which one has stopped, and the other one is to have its partitions.
fn with_one_stopped(prefix: &'static str, leave_on_stop: bool, then: impl FnOnce(&Bench, Settings)) {
    let bench = Bench::new(prefix);
    let settings = |name: &str| {
        let mut settings = bench.settings(name);
        settings.instance = Some(format!("pod-{name}"));
        (settings.session_timeout, settings.leave_on_stop) = (LONG_SESSION, leave_on_stop);
        settings
    };
    let stays = bench.start_with(settings("0")).ready();
    let goes = bench.start_with(settings("1")).ready();
    bench.publish_events(0..200);
    bench.worked_off();
    goes.stopped();
    then(&bench, settings("1"));
    bench.publish_events((0..200).step_by(2).chain(200..400));
    bench.worked_off();
    stays.stopped();
    bench.assert_each_once(0..400);
}

#[test]
fn an_instance_that_leaves_on_stop_gives_its_partitions_up_at_once() {
    with_one_stopped("leaves.", true, |_, _| ());
}

#[test]
fn an_instance_that_has_stopped_can_be_taken_out_of_the_group() {
    with_one_stopped("taken-out.", false, |bench, gone| {
        let leave = |leaving| leave(&gone, &bench.connection, bench.prefix, &leaving);
        let others = Leaving::Numbered { prefix: "pod-".to_owned(), from: 2 };
        assert_eq!(leave(others).expect("asks the group"), Vec::<String>::new());
        assert_eq!(leave(Leaving::This).expect("leaves"), ["pod-1"]);
        let scaled_in = Leaving::Numbered { prefix: "pod-".to_owned(), from: 1 };
        assert_eq!(leave(scaled_in).expect("asks the group"), Vec::<String>::new(), "it has left already");
    });
}

/// Two processes under one name fence each other, and would do so without end. One of them says so and goes;
/// the other goes on.
#[test]
fn p1_of_two_processes_under_one_name_one_goes() {
    let bench = Bench::new("contest.");
    let one = bench.start("one").ready();
    let other = bench.start("other");
    bench.publish_events(0..200);
    until("one of them gives up", || one.is_finished() || other.is_finished());
    let (gone, left) = if one.is_finished() { (one, other) } else { (other, one) };
    let failure = gone.failure();
    assert!(matches!(failure, Error::Session(SessionError::Contested { .. })), "{failure}");
    bench.publish_events((0..200).step_by(3).chain(200..300));
    bench.worked_off();
    left.stopped();
    bench.assert_each_once(0..300);
}
