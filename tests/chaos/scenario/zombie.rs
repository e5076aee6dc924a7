//! Processors that everybody takes for dead, and that are not.

use super::survives;
use crate::fault::{Fault, Then};
use crate::run::{ChaosRun, Kafka, Plan};

/// P1: paused with a transaction open, past its offsets, and between commit and disk; another processor works
/// on meanwhile.
#[test]
fn p1_a_zombie_commits_nothing() {
    let zombie = |point| Fault::Zombie { who: 0, point, nth: 3 };
    survives("p1_a_zombie_commits_nothing", Kafka::shared(), 2, &["flushed", "offsets_sent"].map(zombie));
}

/// P1, P2: a zombie that has committed, and not written, or only in part; then it is the only one, with the
/// disk that it had. What it noted of the changelogs while it was dead must not keep it from replaying what
/// its successor committed.
#[test]
fn p1_p2_a_zombie_s_disk_misses_nothing_when_it_is_the_only_one_left() {
    let name = "p1_p2_a_zombie_s_disk";
    let mut run = ChaosRun::new(name, Kafka::shared(), Plan { instances: 2, ..Plan::default() });
    run.begin();
    for point in ["committed", "applied", "begun"] {
        run.inject(&Fault::Zombie { who: 0, point, nth: 2 });
        // Its heir dies, and stays away until it is missed.
        run.inject(&Fault::Kill { who: 1, after: std::time::Duration::ZERO, then: Then::TakenOver });
    }
    run.verify();
}
