//! Partitions that go from hand to hand.

use std::fs;
use std::time::{Duration, Instant};

use crate::fault::let_pass;
use crate::run::counts::say;
use crate::run::dice::Dice;
use crate::run::{ChaosRun, Kafka, Plan};

/// How often somebody comes, and now and then somebody goes.
const EVERY: Duration = Duration::from_secs(2);
const STEPS: u64 = 8;
/// Dice of who goes, and how.
const GOING: u64 = 3;
/// Dice of when a processor is told to stop.
const STOPPING: u64 = 7;
/// Turns of two processors, in a long run and in a short one.
const TURNS: (u32, u32) = (50, 5);

/// P1: every two seconds a processor joins; often one leaves, kindly or not, and its disk goes to the next.
#[test]
fn p1_partitions_that_go_from_hand_to_hand_lose_nothing() {
    let plan = Plan { instances: 2, partitions: 6, workers: 2, ..Plan::default() };
    let mut run = ChaosRun::new("p1_partitions_that_go", Kafka::shared(), plan);
    let mut dice = Dice::new(plan.seed, GOING);
    run.begin();
    let mut spare_disk = None;
    for _ in 0..STEPS {
        let (fresh, began) = (run.add_instance(), Instant::now());
        if let Some(disk) = spare_disk.take().filter(|_| dice.percent(60)) {
            let saved = run.deployment.path(&format!("disk-{disk}"));
            run.instances[fresh].put_disk(&saved);
        }
        run.start(fresh);
        let running: Vec<usize> = (0..fresh).filter(|who| run.instances[*who].runs()).collect();
        if running.len() > 1 {
            let who = running[dice.place(running.len())];
            match dice.percent(50) {
                true => run.kill(who),
                false => drop(run.instances[who].stop()),
            }
            spare_disk = Some(who);
        }
        let_pass(EVERY.saturating_sub(began.elapsed()));
    }
    run.await_owned();
    run.verify();
}

/// P1: killed, and paused until it is considered dead, when its workers have let go of partitions and nobody
/// else may have them yet.
#[test]
fn p1_a_crash_or_a_pause_while_partitions_are_given_back_costs_nothing() {
    let mut run = ChaosRun::new("p1_a_crash_or_a_pause", Kafka::shared(), Plan::default());
    run.start_load();
    for is_killed in [true, false] {
        let marker = run.start_drilled(0, "revoked", 1);
        run.await_owned();
        let heir = run.add_instance();
        run.start(heir);
        run.await_marker(0, &marker);
        match is_killed {
            true => run.kill(0),
            false => run.instances[0].pause(),
        }
        fs::remove_file(marker).expect("the marker was there");
        run.await_owned();
        run.instances[0].resume();
        run.start(0);
        run.await_commit(0);
        (0..=heir).for_each(|who| drop(run.instances[who].stop()));
    }
    run.verify();
}

/// P1: two processors take turns. Each is told to stop while the other one's start moves partitions. The stop
/// ends all the same: it waits for no answer of a group that is gone, and leaves no client behind.
#[test]
fn p1_a_stop_during_a_rebalance_ends_and_costs_nothing() {
    let plan = Plan { instances: 2, ..Plan::default() };
    let mut run = ChaosRun::new("p1_a_stop_during_a_rebalance", Kafka::shared(), plan);
    let mut dice = Dice::new(plan.seed, STOPPING);
    let turns = if plan.kills.is_some() { TURNS.0 } else { TURNS.1 };
    run.start_load();
    run.start(0);
    run.await_owned();
    let mut slowest = Duration::ZERO;
    for turn in 0..turns {
        let (goes, comes) = if turn % 2 == 0 { (0, 1) } else { (1, 0) };
        run.start(comes);
        let_pass(dice.millis(200, 2_200));
        let told = Instant::now();
        let log = run.instances[goes].stop();
        slowest = slowest.max(told.elapsed());
        assert!(!log.contains("has not closed"), "a client was left behind:\n{log}");
        run.await_owned();
    }
    say(format_args!("{turns} stops during a rebalance, the slowest took {slowest:?}"));
    run.verify();
}
