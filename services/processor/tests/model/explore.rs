//! Goes everywhere: every state once, breadth first, so that the first broken promise has the shortest story.

use std::collections::VecDeque;
use std::fmt;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap, HashSet};
use processor::commit::protocol::State;

use crate::oracle::{Broken, is_done, judge};
use crate::world::choice::{moves, quiet};
use crate::world::{Move, Scene, World};

/// What was seen.
#[derive(Debug)]
pub(crate) struct Explored {
    states: usize,
    transitions: usize,
    protocol: HashSet<State>,
}

impl Explored {
    /// States of the protocol in which no owner ever waited.
    pub(crate) fn unvisited(&self) -> Vec<State> {
        // Ready and Begun pass at once: what is to be done there is nobody else's business.
        let waits = [
            State::NeedsProducer,
            State::Sent,
            State::Flushed,
            State::GateHeld,
            State::OffsetsSent,
            State::Committed,
            State::MustAbort,
            State::ProducerLost,
            State::InDoubt,
            State::Settled,
        ];
        waits.into_iter().filter(|state| !self.protocol.contains(state)).collect()
    }
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} states, {} transitions", self.states, self.transitions)
    }
}

/// A broken promise, and how it came to that.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) broken: Broken,
    pub(crate) moves: Vec<Move>,
    scene: Scene,
}

impl Story {
    pub(crate) fn new(broken: Broken, moves: Vec<Move>, scene: &Scene) -> Self {
        Self { broken, moves, scene: scene.clone() }
    }
}

/// Visits every state that `scene` can come to. A promise that is not `watched` may be broken.
///
/// # Errors
/// The shortest story of a broken promise.
pub(crate) fn explore(scene: &Scene, watched: fn(&Broken) -> bool) -> Result<Explored, Box<Story>> {
    let mut visited = Visited::default();
    let mut queue = VecDeque::new();
    let (mut transitions, mut protocol) = (0, HashSet::new());
    let start = World::new(scene);
    visited.add(&start, None);
    queue.push_back(start);
    let mut next = Vec::new();
    let mut at: u32 = 0;
    while let Some(world) = queue.pop_front() {
        protocol.extend(world.owners.iter().filter_map(|owner| owner.transaction).map(|it| it.state));
        moves(&world, scene, &mut next);
        let quietly = quiet(&next, &world);
        for what in next.iter().copied() {
            let after = world.after(what, scene);
            transitions += 1;
            let (index, is_new) = visited.add(&after, Some((at, what)));
            if quietly == Some(what) {
                visited.quiet[at as usize] = index;
            }
            if is_new {
                if let Some(broken) = judge(&after, scene).filter(watched) {
                    return Err(Box::new(visited.story(index, broken, scene)));
                }
                queue.push_back(after);
            }
        }
        if quietly.is_none() {
            visited.quiet[at as usize] = if is_done(&world, scene) { DONE } else { STUCK };
        }
        at += 1;
    }
    match visited.stuck().filter(|_| watched(&Broken::Stuck)) {
        Some(index) => Err(Box::new(visited.story(index, Broken::Stuck, scene))),
        None => Ok(Explored { states: visited.quiet.len(), transitions, protocol }),
    }
}

/// The successor of a state where everything is done.
const DONE: u32 = u32::MAX;
/// The successor of a state where nothing is left to do and not everything is done.
const STUCK: u32 = u32::MAX - 1;

/// Every state by its hash: of millions of states, two would share one of 64 bits once in a million runs.
#[derive(Default)]
struct Visited {
    hasher: DefaultHashBuilder,
    index: HashMap<u64, u32>,
    /// Where each was come from first, and by which move.
    from: Vec<Option<(u32, Move)>>,
    /// Where each goes if nothing goes wrong any more.
    quiet: Vec<u32>,
}

impl Visited {
    /// The world's index, and whether it is new.
    fn add(&mut self, world: &World, from: Option<(u32, Move)>) -> (u32, bool) {
        let next = u32::try_from(self.from.len()).expect("fewer than four billion states");
        let index = *self.index.entry(self.hasher.hash_one(world)).or_insert(next);
        if index == next {
            self.from.push(from);
            self.quiet.push(STUCK);
        }
        (index, index == next)
    }

    /// A state from which the quiet world never gets done. That there is none means: from every state some
    /// path without a fault leads to the end, so every fair schedule does.
    fn stuck(&self) -> Option<u32> {
        let mut good = vec![false; self.quiet.len()];
        let mut path = Vec::new();
        for start in 0..good.len() {
            let mut at = u32::try_from(start).ok()?;
            while at < STUCK && !good[at as usize] && path.len() <= good.len() {
                path.push(at);
                at = self.quiet[at as usize];
            }
            if at == STUCK || path.len() > good.len() {
                return path.first().copied();
            }
            path.drain(..).for_each(|state| good[state as usize] = true);
        }
        None
    }

    fn story(&self, to: u32, broken: Broken, scene: &Scene) -> Story {
        let mut moves = Vec::new();
        let mut at = to;
        while let Some((from, what)) = self.from[at as usize] {
            moves.push(what);
            at = from;
        }
        moves.reverse();
        Story::new(broken, moves, scene)
    }
}

/// Moves of a long story that are told: its last ones.
const TOLD_MAX: usize = 80;

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.broken)?;
        let untold = self.moves.len().saturating_sub(TOLD_MAX);
        let mut world = World::new(&self.scene);
        for (at, what) in self.moves.iter().enumerate() {
            let doing = match what {
                Move::Turn(o, _) => world.act((*o).into()).map(|act| format!(": {act:?}")),
                Move::Restore(o, p) => {
                    Some(format!(": {:?}", world.owners[usize::from(*o)].parts[usize::from(*p)]))
                }
                _ => None,
            };
            if at >= untold {
                writeln!(f, "{:4}. {what}{}", at + 1, doing.unwrap_or_default())?;
            }
            world = world.after(*what, &self.scene);
        }
        Ok(())
    }
}
