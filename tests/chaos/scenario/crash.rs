//! The crash table: SIGKILL at each point of the protocol, survived on the same disk, on an empty one, and by somebody else.

use crate::arena::{Arena, Kafka, Plan};
use crate::fault::{Fault, Then};

/// Kills a processor, alone or with a successor at hand, at each of `points`, one after the other: each restart finds the remains of
/// the one before.
fn survives(name: &str, points: &[(&'static str, u32)], then: Then) {
    let instances = if then == Then::TakenOver { 2 } else { 1 };
    let mut arena = Arena::new(name, Kafka::shared(), Plan { instances, ..Plan::default() });
    arena.begin();
    for (point, nth) in points {
        arena.suffer(&Fault::Crash { who: 0, point, nth: *nth, then });
    }
    arena.judge();
}

const COMMIT: [(&str, u32); 6] =
    [("begun", 1), ("sent", 2), ("flushed", 2), ("offsets_sent", 3), ("committed", 2), ("applied", 3)];
const AROUND: [(&str, u32); 3] = [("restored", 2), ("starting", 1), ("stopping", 1)];

/// P1, P2: C0 to C3, C6, C7.
#[test]
fn p1_p2_a_crash_at_any_point_of_the_commit_costs_nothing() {
    survives("p1_p2_a_crash_at_any_point_of_the_commit_costs_nothing", &COMMIT, Then::SameDisk);
}

/// P1, P2, P3: the same, and the disk is gone each time.
#[test]
fn p1_p3_a_crash_that_takes_the_disk_along_costs_nothing() {
    survives("p1_p3_a_crash_that_takes_the_disk_along_costs_nothing", &COMMIT, Then::LostDisk);
}

/// P1, P2: somebody else takes over what was begun, and the crashed one comes back with a disk that time has passed by.
#[test]
fn p1_p2_a_crash_is_taken_over_by_another() {
    let points = [("offsets_sent", 3), ("committed", 2)];
    survives("p1_p2_a_crash_is_taken_over_by_another", &points, Then::TakenOver);
}

/// P1, P3: C12, C14: around the commit: between restore and start, before the first read, while stopping.
#[test]
fn p1_p3_a_crash_between_restore_and_work_costs_nothing() {
    survives("p1_p3_a_crash_between_restore_and_work_costs_nothing", &AROUND, Then::SameDisk);
}
