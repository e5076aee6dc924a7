//! The way on after each refusal: an operator gives something up, by name.

use processor::reset::plan::ResetKind;
use processor::reset::{ResetError, Resetter};
use schemas::topic::Topic;

use crate::bench::view::partitions;
use crate::bench::{Bench, event_id, until, wipe};

impl Bench {
    fn resetter(&self) -> Resetter<'_> {
        Resetter::new(&self.connection, self.prefix, &self.settings("disk")).expect("connects")
    }

    /// What the command does: plan, say, carry out. Answers what it says.
    fn reset(&self, kind: ResetKind) -> String {
        let resetter = self.resetter();
        let mut plans = None;
        until("the group is empty", || match resetter.plan(kind, &[]) {
            Err(ResetError::Busy { .. }) => false,
            planned => {
                plans = Some(planned.expect("possible"));
                true
            }
        });
        let plans = plans.expect("planned");
        let mut done = 0;
        resetter.carry_out(&plans, |_| done += 1).expect("resets");
        assert_eq!(done, plans.len());
        plans.iter().map(|plan| format!("{plan}\n")).collect()
    }

    /// How often each event of `numbers` went to the warehouse.
    fn times(&self, numbers: std::ops::Range<u32>) -> Vec<usize> {
        let found: Vec<String> =
            self.outcomes().into_iter().map(|outcome| outcome.event_id.into_owned()).collect();
        numbers.map(|number| found.iter().filter(|id| **id == event_id(number)).count()).collect()
    }
}

/// What was cut from the input is lost; what was learnt before stays, and so do the ids, on the old disk and
/// on a new one.
#[test]
fn p1_after_a_cut_input_a_reset_goes_on_with_the_state() {
    let bench = Bench::used("reset-cut.");
    bench.publish_events(200..300);
    for partition in partitions() {
        let end = bench.tail().extent(bench.topics.name(Topic::Raw), partition).expect("an extent").1;
        bench.cut(Topic::Raw, partition, end.0);
    }
    let why = bench.refusal();
    assert!(why.contains("aftersend reset processor accept-loss"), "{why}");
    let said = bench.reset(ResetKind::AcceptLoss);
    assert!(said.contains("was never read, and is lost for good"), "{said}");

    bench.publish_events((0..200).step_by(3).chain(300..360));
    let processor = bench.start("disk").ready();
    bench.worked_off();
    processor.stopped();
    bench.assert_each_once((0..200).chain(300..360));
    // Every disk of the old history gives way, and an empty one is filled to the same.
    wipe(&bench.disk("disk"));
    bench.publish_events((0..200).step_by(5).chain(360..400));
    let processor = bench.start("disk").ready();
    bench.worked_off();
    processor.stopped();
    bench.assert_each_once((0..200).chain(300..400));
}

/// The input under the same name is another one: its offsets begin anew, and the customers stay.
#[test]
fn p1_after_an_input_made_anew_a_reset_reads_it_from_its_beginning() {
    let bench = Bench::used("reset-input.");
    bench.make_anew(Topic::Raw);
    bench.publish_events(200..500);
    let why = bench.refusal();
    assert!(why.contains("accept-loss"), "{why}");
    bench.reset(ResetKind::AcceptLoss);
    bench.publish_events((0..500).step_by(7));
    let processor = bench.start("disk").ready();
    bench.worked_off();
    processor.stopped();
    bench.assert_each_once(0..500);
}

/// The ids are lost: copies count again, once, and then never more.
#[test]
fn p1_after_lost_ids_a_reset_goes_on_and_counts_copies_once_more_at_most() {
    let bench = Bench::used("reset-ids.");
    bench.make_anew(Topic::Dedupe);
    wipe(&bench.disk("disk"));
    let why = bench.refusal();
    assert!(why.contains("inside the window") && why.contains("accept-loss"), "{why}");
    let said = bench.reset(ResetKind::AcceptLoss);
    assert!(said.contains("No input is lost") && said.contains("will count again"), "{said}");
    for _ in 0..2 {
        let processor = bench.start("disk").ready();
        bench.publish_events((0..50).chain(200..260));
        bench.worked_off();
        processor.stopped();
        wipe(&bench.disk("disk"));
    }
    let times = bench.times(0..260);
    assert!(times[..50].iter().all(|times| *times == 2), "{times:?}");
    assert!(times[50..].iter().all(|times| *times == 1), "{times:?}");
}

/// A changelog is lost and what is left of the state with it: from the input's beginning, everything is told
/// again, once. The disk of the old history gives way, and so does everything before the reset in the
/// changelog.
#[test]
fn p2_after_a_lost_changelog_a_reset_starts_over() {
    let bench = Bench::used("reset-over.");
    bench.make_anew(Topic::State);
    assert!(bench.refusal().contains("aftersend reset processor start-over"));
    let said = bench.reset(ResetKind::StartOver);
    assert!(said.contains("Every customer and every id is forgotten"), "{said}");
    let work = |numbers: std::ops::Range<u32>| {
        let processor = bench.start("disk").ready();
        bench.publish_events((0..numbers.end).step_by(3).chain(numbers));
        bench.worked_off();
        processor.stopped();
    };
    work(200..260);
    let times = bench.times(0..260);
    assert!(times[..200].iter().all(|times| *times == 2), "{times:?}");
    assert!(times[200..].iter().all(|times| *times == 1), "{times:?}");
    let complaints = |bench: &Bench| -> i64 {
        bench.traits().values().map(|traits| traits.complaint_count.unwrap_or_default()).sum()
    };
    assert_eq!(complaints(&bench), 260, "counted from nothing");

    // Again, with customers before it in the changelog, and with an empty disk behind it.
    bench.reset(ResetKind::StartOver);
    wipe(&bench.disk("disk"));
    work(260..300);
    assert_eq!(complaints(&bench), 300, "counted from nothing");
    wipe(&bench.disk("disk"));
    work(300..310);
    assert_eq!(complaints(&bench), 310, "and kept");
}

/// A disk that was elsewhere while the reset was made, and comes back when the group's position is forgotten:
/// by the changelog alone it learns that what it remembers counts no more.
#[test]
fn p1_a_disk_of_the_old_history_is_wiped_though_nobody_tells_it() {
    let bench = Bench::used("reset-old-disk.");
    for partition in partitions() {
        bench.cut(Topic::Raw, partition, bench.committed(partition).next.expect("a position").0);
    }
    bench.reset(ResetKind::StartOver);
    let processor = bench.start("other").ready();
    bench.publish_events(200..300);
    bench.worked_off();
    processor.stopped();
    bench.forget_group();
    let processor = bench.start("disk").ready();
    bench.publish_events((0..100).chain(200..320));
    bench.worked_off();
    processor.stopped();
    let times = bench.times(0..320);
    assert!(times[..100].iter().all(|times| *times == 2), "{times:?}");
    assert!(times[100..].iter().all(|times| *times == 1), "{times:?}");
}

#[test]
fn a_reset_is_refused_while_a_processor_runs_and_changes_nothing_by_itself() {
    let bench = Bench::used("reset-busy.");
    let stood: Vec<_> = partitions().map(|partition| bench.committed(partition)).collect();
    let processor = bench.start("disk").ready();
    let refused = bench.resetter().plan(ResetKind::StartOver, &[]).expect_err("busy");
    assert!(matches!(refused, ResetError::Busy { members: 1, .. }), "{refused}");
    processor.stopped();
    until("the group is empty", || bench.resetter().plan(ResetKind::StartOver, &[1]).is_ok());
    let refused = bench.resetter().plan(ResetKind::StartOver, &[3]).expect_err("no such partition");
    assert!(matches!(refused, ResetError::NoPartition { partition: 3, partitions: 3 }), "{refused}");
    assert_eq!(partitions().map(|partition| bench.committed(partition)).collect::<Vec<_>>(), stood);
    bench.still_starts();
}

/// What would be kept lacks what the group has counted.
#[test]
fn p2_a_state_that_is_not_whole_can_only_be_started_over() {
    let bench = Bench::used("reset-whole.");
    bench.make_anew(Topic::State);
    let mut refused = None;
    until("the group is empty", || {
        refused = bench.resetter().plan(ResetKind::AcceptLoss, &[0]).err();
        !matches!(refused, Some(ResetError::Busy { .. }))
    });
    assert!(matches!(refused, Some(ResetError::Impossible { partition: 0, .. })), "{refused:?}");
}
