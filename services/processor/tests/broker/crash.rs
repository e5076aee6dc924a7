//! The crash table of the commit protocol, each row with a real SIGKILL at its point, survived on the same
//! disk and, from C2 on, on an empty one.

use schemas::topic::Topic;

use crate::bench::view::partitions;
use crate::bench::{Bench, wipe};

/// Published before the kill and after it; every fifth one twice, so that duplicates span it.
const BEFORE: u32 = 600;
const ALL: u32 = 900;

/// What is left on disk for the successor.
#[derive(Clone, Copy)]
enum Disk {
    Kept,
    Lost,
}

fn survives(prefix: &'static str, point: &str, nth: u32, disk: Disk) {
    let bench = Bench::new(prefix);
    bench.publish_events((0..BEFORE).chain((0..BEFORE).step_by(5)));
    bench.kill_at("disk", point, nth);
    if matches!(disk, Disk::Lost) {
        wipe(&bench.disk("disk"));
    }
    bench.publish_events((0..ALL).step_by(5).chain(BEFORE..ALL));
    let successor = bench.start("disk").ready();
    bench.worked_off();
    bench.assert_each_once(0..ALL);
    assert!(bench.dead_letters().is_empty());
    successor.stopped();
}

macro_rules! rows {
    ($($name:ident: $point:literal at $nth:literal, $disk:ident;)*) => {
        $(
            #[test]
            fn $name() {
                survives(concat!(stringify!($name), "."), $point, $nth, Disk::$disk);
            }
        )*
    };
}

rows! {
    c0_killed_before_anything_was_sent: "begun" at 1, Kept;
    c1_killed_with_records_in_the_queue: "sent" at 2, Kept;
    c2_killed_with_records_in_the_log: "flushed" at 2, Kept;
    c2_killed_with_records_in_the_log_and_the_disk_lost: "flushed" at 2, Lost;
    c3_killed_with_offsets_pending: "offsets_sent" at 2, Kept;
    c3_killed_with_offsets_pending_and_the_disk_lost: "offsets_sent" at 2, Lost;
    c6_killed_between_commit_and_disk: "committed" at 2, Kept;
    c6_killed_between_commit_and_disk_and_the_disk_lost: "committed" at 2, Lost;
    c7_killed_between_the_disks_of_two_partitions: "applied" at 2, Kept;
    c7_killed_between_the_disks_of_two_partitions_and_the_disk_lost: "applied" at 2, Lost;
}

/// Kill after kill, at one point after the other, each restart in the middle of the last one's remains.
#[test]
fn a_chain_of_kills_leaves_each_event_once() {
    let bench = Bench::new("chain.");
    for (round, point) in ["committed", "offsets_sent", "sent", "applied", "flushed"].iter().enumerate() {
        let from = 200 * u32::try_from(round).expect("small");
        bench.publish_events((0..from + 200).step_by(7).chain(from..from + 200));
        bench.kill_at("disk", point, 1);
    }
    let successor = bench.start("disk").ready();
    bench.worked_off();
    bench.assert_each_once(0..1_000);
    successor.stopped();
}

/// Killed wherever it happens to be, again and again, while one small transaction follows the other: by
/// chance C4, C5 or C8, which have drills of their own elsewhere.
#[test]
fn a_kill_at_any_moment_leaves_each_event_once() {
    let bench = Bench::new("anywhere.");
    let topic = bench.topics.name(Topic::Warehouse).to_owned();
    let tail = bench.tail();
    let end =
        || partitions().map(|partition| tail.extent(&topic, partition).expect("an extent").1.0).sum::<i64>();
    for round in 0..6 {
        let from = 300 * round;
        bench.publish_events((0..from).step_by(11).chain(from..from + 300));
        let reached = end() + 60 + 7 * i64::from(round);
        bench.kill_when("disk", || end() >= reached);
    }
    let successor = bench.start("disk").ready();
    bench.worked_off();
    bench.assert_each_once(0..1_800);
    successor.stopped();
}
