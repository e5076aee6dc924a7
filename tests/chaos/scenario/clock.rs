//! Wall clocks that are wrong, and that jump.

use std::time::Duration;

use crate::fault::{Fault, Then, let_pass};
use crate::run::{ChaosRun, Kafka, Plan};

/// Transactions by which a processor has shown that it lives with its clock.
const MEANWHILE: u64 = 5;
/// After this, idle workers have looked several times for what is due.
const LOOKED_FOR_TIMERS: Duration = Duration::from_secs(3);
/// Hours; 400 days are more than anything is kept.
const SHIFTS: [i64; 4] = [400 * 24, -400 * 24, 3, -3];

/// P1, P5: a wall clock that jumps by hours and by hundreds of days while the processor runs, and is as wrong
/// when it starts, with its disk and without: no id is forgotten, no timer fires early, no disk is taken for
/// older or younger than it is.
#[test]
fn p1_p5_a_wall_clock_that_jumps_or_is_wrong_at_the_start_costs_nothing() {
    let mut run = ChaosRun::new("p1_p5_a_wall_clock", Kafka::shared(), Plan::default());
    let clock = run.instances[0].with_own_clock();
    run.begin();
    for hours in SHIFTS {
        clock.set(hours);
        run.await_commits(MEANWHILE);
        for then in [Then::SameDisk, Then::LostDisk] {
            run.inject(&Fault::Kill { who: 0, after: Duration::ZERO, then });
            assert_eq!(run.instances[0].hours_ahead(), hours, "the processor goes by its own clock");
        }
    }
    // Where nothing comes any more, only the clock tells what is due.
    run.stop_load();
    run.await_processed();
    clock.set(SHIFTS[0]);
    run.kill(0);
    run.start(0);
    run.await_owned();
    let_pass(LOOKED_FOR_TIMERS);
    run.verify();
}
