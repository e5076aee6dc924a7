//! One fault after the other, drawn from a seed: short in `make test`, as long as `make chaos` is told to.

use std::time::Instant;

use crate::fault::Fault;
use crate::run::counts::{Counts, say};
use crate::run::dice::{self, Dice};
use crate::run::{ChaosRun, Kafka, Plan};

/// Kills of a short run.
const KILLS: u64 = 8;
/// Kills of one round, which is judged and can be replayed by itself.
const ROUND: u64 = 20;
/// Transactions a second that a worker surely makes on three nodes which share two cores. Events must not
/// come faster than one instance commits them: each fault would take longer to recover from than the one
/// before.
const WORKERS_TRANSACTIONS: u64 = 5;
/// Dice of a round's plan.
const PLAN: u64 = 1;
/// Dice of its faults.
const FAULTS: u64 = 2;

/// P1, P2, P3: whatever is killed, paused, restarted, taken over, cut off and lost, in any order and at any
/// moment.
#[test]
fn p1_p2_p3_a_storm_of_faults_loses_and_doubles_nothing() {
    let wanted = dice::kills().unwrap_or(KILLS);
    let (mut done, mut seed, begun) = (0, dice::seed(), Instant::now());
    while done < wanted {
        let kills = ROUND.min(wanted - done);
        let total = round(seed, kills, &|killed| {
            let (done, passed) = (done + killed, begun.elapsed().as_secs());
            let eta = passed * wanted.saturating_sub(done) / done.max(1);
            say(format_args!("{done} of {wanted} kills, seed {seed}, {passed} s, about {eta} s to go"));
        });
        say(format_args!("\n{total}"));
        (done, seed) = (done + kills, seed + 1);
    }
}

/// One round: a topology drawn from the seed, faults drawn from the seed, a judgement. Answers all that was
/// judged so far.
fn round(seed: u64, kills: u64, tell: &dyn Fn(u64)) -> Counts {
    let mut dice = Dice::new(seed, PLAN);
    let mut plan = Plan {
        seed,
        partitions: dice.one_of(&[3, 6]),
        instances: dice.one_of(&[1, 2, 3]),
        workers: dice.one_of(&[1, 2, 4]),
        batch: dice.one_of(&[10, 40, 200]),
        kills: Some(kills),
        ..Plan::default()
    };
    // Most rounds on the Kafka that is there; some on one of their own, which may be broken too.
    let kafka = match dice.below(100) {
        0..50 => Kafka::shared(),
        50..75 => Kafka::own(1),
        _ => Kafka::own(3),
    };
    if kafka.breakable() > 1 {
        plan.pace = plan.pace.min(WORKERS_TRANSACTIONS * (plan.workers * plan.batch) as u64);
    }
    let mut run = ChaosRun::new("p1_p2_p3_a_storm", kafka, plan);
    run.begin();
    let mut dice = Dice::new(seed, FAULTS);
    while run.counts.kills < kills {
        let fault = Fault::draw(&mut dice, plan.instances, run.kafka.breakable());
        run.inject(&fault);
        tell(run.counts.kills);
    }
    run.verify();
    run.total.clone()
}
