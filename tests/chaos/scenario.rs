//! One kind of fault each.

mod broker;
mod clock;
mod crash;
mod disk;
mod input;
mod network;
mod rebalance;
mod zombie;

use crate::fault::Fault;
use crate::run::dice::{self, Dice};
use crate::run::{ChaosRun, Kafka, Plan};

/// How many of its faults a scenario takes in a short run.
const SHORT: usize = 3;
/// Dice of which.
const CHOICE: u64 = 5;

/// One run: these faults, one after the other under load, and a judgement. A short run takes some of them,
/// drawn by the seed.
fn survives(name: &str, kafka: Kafka, instances: usize, faults: &[Fault]) {
    let mut run = ChaosRun::new(name, kafka, Plan { instances, ..Plan::default() });
    let mut left: Vec<&Fault> = faults.iter().collect();
    let mut dice = Dice::new(run.plan.seed, CHOICE);
    while dice::kills().is_none() && left.len() > SHORT {
        left.remove(dice.place(left.len()));
    }
    run.begin();
    left.into_iter().for_each(|fault| run.inject(fault));
    run.verify();
}
