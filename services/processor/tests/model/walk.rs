//! Long runs at random: further than every state can be visited, with more owners, records and faults. A seed
//! decides all.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::explore::Story;
use crate::oracle::{Broken, is_done, judge};
use crate::world::choice::{is_fault, moves, quiet};
use crate::world::{Move, Scene, World};

/// A fault happens in one of so many moves.
const FAULT_EVERY: u32 = 12;
/// Moves with faults, at most; and moves without, until everything must be done.
const MOVES_MAX: usize = 5_000;
const QUIET_MOVES_MAX: usize = 5_000;

/// A run of three owners over two partitions, some of whose events come twice.
pub(crate) fn scene() -> Scene {
    let ids = |records: u8, events: u8| (0..records).map(|at| (at * 7 + at / 5) % events).collect();
    Scene { owners: 3, ids: [ids(34, 29), ids(16, 14)], batch: 3, faults: 30, breakages: Vec::new() }
}

/// Runs until the faults are spent, and then until everything is done. Answers how many moves that took.
///
/// # Errors
/// The story of a broken promise.
pub(crate) fn walk(seed: u64, scene: &Scene) -> Result<usize, Box<Story>> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut world = World::new(scene);
    let (mut next, mut story) = (Vec::new(), Vec::new());
    let told = |broken: Broken, story: &[Move]| Box::new(Story::new(broken, story.to_vec(), scene));
    for turn in 0..MOVES_MAX + QUIET_MOVES_MAX {
        moves(&world, scene, &mut next);
        let is_quiet = world.faults == 0 || turn >= MOVES_MAX;
        let what = if is_quiet { quiet(&next, &world) } else { Some(draw(&mut dice, &world, &next)) };
        let Some(what) = what else { break };
        story.push(what);
        world = world.after(what, scene);
        if let Some(broken) = judge(&world, scene) {
            return Err(told(broken, &story));
        }
    }
    if is_done(&world, scene) { Ok(story.len()) } else { Err(told(Broken::Stuck, &story)) }
}

/// One of `next`: now and then a fault, of any kind with the same chance; else one of the others.
fn draw(dice: &mut ChaCha8Rng, world: &World, next: &[Move]) -> Move {
    let (faults, others): (Vec<Move>, Vec<Move>) = next.iter().partition(|what| is_fault(world, **what));
    let fault = others.is_empty() || (!faults.is_empty() && dice.random_range(0..FAULT_EVERY) == 0);
    let from = if fault { faults } else { others };
    from[dice.random_range(0..from.len())]
}
