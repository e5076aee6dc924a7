//! The promises, judged from outside: from what a reader of committed records sees, and from the disks. It
//! knows nothing of how the protocol judges.

use std::fmt;

use crate::world::broker::{Entry, Mark, OWNERS, Phase};
use crate::world::owner::{Life, Owner, Part, Why, name};
use crate::world::{Scene, World};

/// A promise that was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// P1: these events are given out twice.
    Doubled(usize, u64),
    /// P1: these events were read and will never be given out.
    Lost(usize, u64),
    /// P2: the numbers of a partition's transactions have a gap, or one comes twice.
    Number(usize, Mark, Mark),
    /// P2: the committed position is not the one of the last committed transaction.
    Position(usize, Option<Mark>, Mark),
    /// P2: a disk holds something else than the committed transactions up to its number.
    Disk(usize, usize),
    /// P3: a disk claims a part of the changelog that it does not hold.
    Progress(usize, usize),
    /// Something stopped for good that should have gone on.
    Stopped(usize, usize, Why),
    /// Nothing goes on, or nothing gets on, and not all is done.
    Stuck,
}

/// What the committed transactions of a partition amount to.
#[derive(Debug, Clone, Copy, Default)]
struct Fold {
    mark: Mark,
    events: u64,
}

/// The first promise that `world` breaks.
pub(crate) fn judge(world: &World, scene: &Scene) -> Option<Broken> {
    scene.partitions().find_map(|p| judge_partition(world, scene, p))
}

fn judge_partition(world: &World, scene: &Scene, p: usize) -> Option<Broken> {
    let mut fold = Fold::default();
    let mut held = [false; OWNERS];
    let mut compare = |fold: &Fold| {
        for (held, owner) in held.iter_mut().zip(&world.owners) {
            *held |= owner.disks[p].mark == fold.mark && owner.disks[p].ids == fold.events;
        }
    };
    compare(&fold);
    for entry in world.broker.logs[p].iter().filter(|entry| world.broker.is_decided(p, entry)) {
        if entry.events & fold.events != 0 {
            return Some(Broken::Doubled(p, entry.events & fold.events));
        }
        let read = scene.ids[p][..entry.after.next.into()].iter().fold(0, |events, id| events | 1 << id);
        let events = fold.events | entry.events;
        if read & !events != 0 {
            return Some(Broken::Lost(p, read & !events));
        }
        let continues = fold.mark.seq == 0 || entry.after.history == fold.mark.history;
        if entry.after.seq != fold.mark.seq + 1 || entry.from != fold.mark.next || !continues {
            return Some(Broken::Number(p, fold.mark, entry.after));
        }
        fold = Fold { mark: entry.after, events };
        compare(&fold);
    }
    let told = world.broker.committed[p].map(|told| told.mark);
    if is_settled(world, p) && told.unwrap_or_default() != fold.mark {
        return Some(Broken::Position(p, told, fold.mark));
    }
    judge_disks(world, p, held)
}

/// Whether no marker for the partition is on its way, so that all its topics say the same.
fn is_settled(world: &World, p: usize) -> bool {
    let mut deciding = world.broker.coordinators.iter().filter(|it| it.phase == Phase::Committing);
    !deciding.any(|it| it.data[p] || it.pending[p].is_some())
}

fn judge_disks(world: &World, p: usize, held: [bool; OWNERS]) -> Option<Broken> {
    let judge = |(o, owner): (usize, &Owner)| {
        let log = &world.broker.logs[p][..usize::from(owner.disks[p].upto).min(world.broker.logs[p].len())];
        let missed = |entry: &Entry| !entry.committed || entry.after.seq > owner.disks[p].mark.seq;
        if !held[o] {
            Some(Broken::Disk(o, p))
        } else if log.iter().any(missed) {
            Some(Broken::Progress(o, p))
        } else if let Part::Stopped(why) = owner.parts[p] {
            Some(Broken::Stopped(o, p, why))
        } else {
            None
        }
    };
    world.owners.iter().enumerate().find_map(judge)
}

/// Whether everything is done: all events given out, their positions committed, and every partition open at
/// its owner.
pub(crate) fn is_done(world: &World, scene: &Scene) -> bool {
    let broker = &world.broker;
    let quiet = broker.coordinators.iter().all(|it| it.phase == Phase::Idle)
        && world.owners.iter().all(|owner| owner.transaction.is_none());
    let done = |p: usize| {
        let Some(o) = broker.assigned[p].map(usize::from) else { return false };
        let Owner { life, parts, disks, .. } = &world.owners[o];
        let all = scene.ids[p].iter().fold(0, |events, id| events | 1 << id);
        let given = broker.logs[p].iter().fold(0, |events, entry| events | entry.events);
        let at_end =
            broker.committed[p].is_some_and(|told| usize::from(told.mark.next) == scene.ids[p].len());
        let open = *life == Life::Up && broker.member[o] && parts[p] == Part::Running;
        open && at_end
            && given == all
            && disks[p].ids == all
            && Some(disks[p].mark) == broker.committed[p].map(|it| it.mark)
    };
    quiet && scene.partitions().all(done)
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |events: &u64| (0..64).filter(|id| events >> id & 1 == 1).collect::<Vec<u8>>();
        let at = |mark: &Mark| format!("transaction {} up to record {}", mark.seq, mark.next);
        match self {
            Self::Doubled(p, events) => {
                write!(f, "P1: events {:?} of partition {p} are given out twice", list(events))
            }
            Self::Lost(p, events) => write!(f, "P1: events {:?} of partition {p} are lost", list(events)),
            Self::Number(p, before, after) => {
                write!(f, "P2: partition {p} goes from {} to {}", at(before), at(after))
            }
            Self::Position(p, told, is) => {
                let told = told.as_ref().map_or_else(|| "nothing".to_owned(), at);
                write!(
                    f,
                    "P2: the committed position of partition {p} tells of {told}, and it stands at {}",
                    at(is)
                )
            }
            Self::Disk(o, p) => {
                write!(f, "P2: {}'s disk of partition {p} holds what is not committed", name(*o))
            }
            Self::Progress(o, p) => {
                write!(
                    f,
                    "P3: {}'s disk of partition {p} claims transactions that it does not hold",
                    name(*o)
                )
            }
            Self::Stopped(o, p, why) => write!(f, "{}'s partition {p} stopped: {why:?}", name(*o)),
            Self::Stuck => write!(f, "the work does not get to its end, though nothing goes wrong any more"),
        }
    }
}
