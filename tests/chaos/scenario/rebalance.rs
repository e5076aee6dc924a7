//! Partitions that go from hand to hand.

use std::time::{Duration, Instant};

use aftersend_tests::wait::until;

use crate::arena::dice::Dice;
use crate::arena::{Arena, Kafka, Plan};

/// How often somebody comes, and now and then somebody goes.
const EVERY: Duration = Duration::from_secs(2);
const STEPS: u64 = 8;
/// Dice of who goes, and how.
const GOING: u64 = 3;

/// P1: every two seconds a processor joins; often one leaves, kindly or not, and its disk goes to the next.
#[test]
fn p1_partitions_that_go_from_hand_to_hand_lose_nothing() {
    let plan = Plan { instances: 2, partitions: 6, workers: 2, ..Plan::default() };
    let mut arena = Arena::new("p1_partitions_that_go", Kafka::shared(), plan);
    let mut dice = Dice::new(plan.seed, GOING);
    arena.begin();
    let mut spare_disk = None;
    for _ in 0..STEPS {
        let (fresh, began) = (arena.enlist(), Instant::now());
        if let Some(disk) = spare_disk.take().filter(|_| dice.percent(60)) {
            let saved = arena.world.path(&format!("disk-{disk}"));
            arena.instances[fresh].put_disk(&saved);
        }
        arena.start(fresh);
        let running: Vec<usize> = (0..fresh).filter(|who| arena.instances[*who].runs()).collect();
        if running.len() > 1 {
            let who = running[dice.place(running.len())];
            match dice.percent(50) {
                true => arena.kill(who),
                false => arena.instances[who].stop(),
            }
            spare_disk = Some(who);
        }
        until(began + EVERY);
    }
    arena.await_owned();
    arena.judge();
}
