//! The commit protocol, explored. The state machine and the loop that drive the processor
//! (`commit::protocol`) run on a cluster and with owners that are plain values. Everything that can happen
//! next is tried.
//!
//! * `world`: what exists, and what can happen.
//! * `oracle`: the promises, judged from outside.
//! * `explore`: visits every state, and finds the shortest story of a broken promise.
//! * `walk`: long random runs, each from a seed.
//! * `teeth`: which promise breaks when a rule is broken on purpose.
//!
//! `AFTERSEND_MODEL_SEED` replays one run, `AFTERSEND_MODEL_RUNS` makes more runs, and
//! `AFTERSEND_MODEL_FAULTS` sets the number of faults to explore with. One more fault costs about ten times
//! the states, so name the one test that you mean.

#![expect(
    clippy::panic,
    clippy::print_stdout,
    reason = "a broken promise fails the test with its story; what was explored is told"
)]

use std::str::FromStr;

mod explore;
mod oracle;
mod teeth;
mod walk;
mod world;

use crate::explore::{Explored, explore};
use crate::world::Scene;

/// The events of each partition's records.
type Input<'a> = [&'a [u8]; world::broker::PARTITIONS];

const ONE_PARTITION: Input<'_> = [&[0, 1, 2], &[]];
const TWO_PARTITIONS: Input<'_> = [&[0, 1], &[0]];

/// Two owners, transactions of one or two records of a partition.
fn scene(ids: Input<'_>, faults: u8) -> Scene {
    Scene { owners: 2, ids: ids.map(<[u8]>::to_vec), batch: 2, faults, breakages: Vec::new() }
}

fn set<T: FromStr>(variable: &str) -> Option<T> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

fn faults(usual: u8) -> u8 {
    set("AFTERSEND_MODEL_FAULTS").unwrap_or(usual)
}

fn keeps_every_promise(scene: &Scene) -> Explored {
    let explored = explore(scene, |_| true).unwrap_or_else(|story| panic!("{story}"));
    println!("{} faults: {explored}", scene.faults);
    explored
}

/// P1, P2, P3: any two of: a kill, a lost reply, a request that comes late or twice, a session that ends
/// unnoticed, a rebalance, a timeout at the broker, a disk that fails, is lost or is old, a doubt that is
/// given up; anywhere, in any order.
#[test]
fn p1_p2_p3_two_owners_keep_their_promises_wherever_two_faults_strike() {
    let explored = keeps_every_promise(&scene(ONE_PARTITION, faults(2)));
    assert_eq!(explored.unvisited(), [], "the model does not get everywhere");
}

#[test]
fn p2_a_transaction_of_two_partitions_takes_effect_whole_or_not_at_all() {
    keeps_every_promise(&scene(TWO_PARTITIONS, faults(1)));
}

#[test]
fn p1_a_duplicate_counts_once_whoever_meets_it() {
    keeps_every_promise(&scene([&[0, 1, 0], &[]], faults(1)));
}

#[test]
fn p1_p2_p3_three_owners_keep_their_promises_over_long_runs() {
    let scene = walk::scene();
    let seeds = match set("AFTERSEND_MODEL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..set("AFTERSEND_MODEL_RUNS").unwrap_or(2_000),
    };
    let runs = seeds.end - seeds.start;
    let mut moves = 0;
    for seed in seeds {
        let run = walk::walk(seed, &scene);
        moves += run.unwrap_or_else(|story| panic!("AFTERSEND_MODEL_SEED={seed}: {story}"));
    }
    println!("{runs} runs, {moves} moves");
}
