//! The crash table: SIGKILL at each point of the protocol, survived on the same disk, on an empty one, and by
//! another processor.
//!
//! C4, C5 and C14 are in [`network`](super::network): they want a broker that doesn't answer.

use super::survives;
use crate::fault::{Damage, Fault, Then};
use crate::run::{ChaosRun, Kafka, Plan};

const COMMIT: [(&str, u32); 6] =
    [("begun", 1), ("sent", 2), ("flushed", 2), ("offsets_sent", 3), ("committed", 2), ("applied", 3)];
const AROUND: [(&str, u32); 3] = [("restored", 2), ("starting", 1), ("stopping", 1)];

/// At each of `points`, one after the other: each restart finds the remains of the one before.
fn crashes(points: &[(&'static str, u32)], then: Then) -> Vec<Fault> {
    points.iter().map(|(point, nth)| Fault::Crash { who: 0, point, nth: *nth, then }).collect()
}

/// P1, P2: C0 to C3, C6, C7.
#[test]
fn p1_p2_a_crash_at_any_point_of_the_commit_costs_nothing() {
    survives("p1_p2_a_crash_at_any", Kafka::shared(), 1, &crashes(&COMMIT, Then::SameDisk));
}

/// P1, P2, P3: the same, and the disk is gone each time.
#[test]
fn p1_p3_a_crash_that_takes_the_disk_along_costs_nothing() {
    survives("p1_p3_a_crash_that_takes", Kafka::shared(), 1, &crashes(&COMMIT, Then::LostDisk));
}

/// P1, P2: another processor takes over what was begun, and the crashed one comes back with a disk that time
/// has passed by.
#[test]
fn p1_p2_a_crash_is_taken_over_by_another() {
    let faults = crashes(&[("offsets_sent", 3), ("committed", 2)], Then::TakenOver);
    survives("p1_p2_a_crash_is_taken_over", Kafka::shared(), 2, &faults);
}

/// P1, P3: C12: between restore and start, before the first read, while stopping; and in the restore itself.
#[test]
fn p1_p3_a_crash_around_the_commit_costs_nothing() {
    let mut faults = crashes(&AROUND, Then::SameDisk);
    let again = [100, 250, 400, 600].map(std::time::Duration::from_millis);
    faults.extend(again.map(|again| Fault::KillTwice { who: 0, again, then: Then::LostDisk }));
    survives("p1_p3_a_crash_around", Kafka::shared(), 1, &faults);
}

/// P1, P3: C12: a restore that is killed half way, resumed, and killed again; and one that is killed right
/// after it wiped a damaged store.
#[test]
fn p1_p3_a_crash_inside_a_restore_or_a_wipe_costs_nothing() {
    let mut run = ChaosRun::new("p1_p3_a_crash_inside", Kafka::shared(), Plan::default());
    run.begin();
    run.kill(0);
    run.instances[0].lose_disk();
    for (point, nth) in [("halfway", 2), ("halfway", 1), ("wiped", 1)] {
        if point == "wiped" {
            run.damage(0, Damage::Current, 0);
        }
        run.start_until(0, point, nth);
        run.kill(0);
    }
    run.start(0);
    run.await_owned();
    run.verify();
}
