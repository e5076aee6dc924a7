//! One kind of fault each.

mod broker;
mod crash;
mod disk;
mod input;
mod network;
mod rebalance;
mod zombie;

use crate::arena::{Arena, Kafka, Plan};
use crate::fault::Fault;

/// One run: these faults, one after the other under load, and a judgement.
fn survives(name: &str, kafka: Kafka, instances: usize, faults: &[Fault]) {
    let mut arena = Arena::new(name, kafka, Plan { instances, ..Plan::default() });
    arena.begin();
    faults.iter().for_each(|fault| arena.suffer(fault));
    arena.judge();
}
