//! What can happen next, what of it is a fault, and what a quiet world would do.

use processor::commit::protocol::Act;

use super::broker::Phase;
use super::owner::{Life, Owner, Part};
use super::{Breakage, Luck, Move, Scene, World, restore};

/// Whether it counts against what may go wrong.
pub(crate) fn is_fault(world: &World, what: Move) -> bool {
    match what {
        Move::Turn(_, luck) => luck != Luck::Good,
        Move::Timeout(o) => !world.is_orphaned(o.into()),
        Move::Expel(o) => world.owners[usize::from(o)].life != Life::Down,
        Move::GiveUp(o) => world.is_starting(o.into()) || world.holds_any(o.into()),
        Move::Rebalance(..) | Move::Crash(_) | Move::OldDisk(..) | Move::DiskFails(_) => true,
        _ => false,
    }
}

/// Everything that can happen in `world`, into `moves`. The first is what a world does in which nothing goes
/// wrong any more; every other order of the moves that are no faults is explored too.
pub(crate) fn moves(world: &World, scene: &Scene, moves: &mut Vec<Move>) {
    moves.clear();
    let owners = (0..scene.owners).zip(0u8..);
    owners.clone().for_each(|(o, n)| markers(world, o, n, moves));
    owners.clone().for_each(|(o, n)| membership(world, scene, o, n, moves));
    assignments(world, scene, moves);
    owners.clone().for_each(|(o, n)| work(world, scene, o, n, moves));
    if !scene.has(Breakage::NoTimeout) {
        moves.extend(owners.clone().filter(|(o, _)| world.is_orphaned(*o)).map(|(_, n)| Move::Timeout(n)));
    }
    if world.broker.late.is_some() {
        moves.push(Move::Arrive);
    }
    owners.clone().for_each(|(o, n)| {
        let is_dead_member = world.broker.member[o] && world.owners[o].life == Life::Down;
        moves.extend(is_dead_member.then_some(Move::Expel(n)));
    });
    if world.faults > 0 {
        owners.for_each(|(o, n)| faults(world, o, n, moves));
        rebalances(world, scene, moves);
    }
}

/// The first of `moves`, unless it would only disturb.
pub(crate) fn quiet(moves: &[Move], world: &World) -> Option<Move> {
    let first = moves.first().copied()?;
    let disturbs = matches!(first, Move::Arrive | Move::Expel(_)) || is_fault(world, first);
    (!disturbs).then_some(first)
}

fn markers(world: &World, o: usize, n: u8, moves: &mut Vec<Move>) {
    let coordinator = &world.broker.coordinators[o];
    if coordinator.is_busy() {
        moves.extend(coordinator.offsets.then_some(Move::MarkOffsets(n)));
        moves.extend(
            coordinator.data.iter().zip(0u8..).filter(|(data, _)| **data).map(|(_, p)| Move::MarkData(n, p)),
        );
    }
}

fn membership(world: &World, scene: &Scene, o: usize, n: u8, moves: &mut Vec<Move>) {
    let Owner { life, transaction, parts, .. } = &world.owners[o];
    match life {
        Life::Down => return moves.push(Move::Restart(n)),
        Life::Starting if !world.broker.coordinators[o].is_busy() => moves.push(Move::Init(n)),
        Life::Starting | Life::Up => {}
    }
    if world.is_gate_held(o, scene) {
        return;
    }
    let can_give_up = |part: &Part| transaction.is_none() || !matches!(part, Part::Absent | Part::Leaving);
    if world.broker.member[o] {
        let asked = |p: usize| world.broker.moving[p].is_some() && world.broker.assigned[p] == Some(n);
        let parts = parts.iter().zip(0u8..).filter(|(part, p)| asked((*p).into()) && can_give_up(part));
        moves.extend(parts.map(|(_, p)| Move::Revoke(n, p)));
    } else if parts.iter().any(can_give_up) {
        moves.push(Move::Learn(n));
    }
}

fn assignments(world: &World, scene: &Scene, moves: &mut Vec<Move>) {
    for p in scene.partitions().filter(|p| world.broker.assigned[*p].is_none()) {
        let listens = |o: &usize| world.broker.member[*o] && world.owners[*o].life != Life::Down;
        let to = (0..scene.owners).zip(0u8..).filter(|(o, _)| listens(o));
        moves.extend(to.map(|(_, to)| Move::Assign(u8::try_from(p).expect("few partitions"), to)));
    }
}

fn work(world: &World, scene: &Scene, o: usize, n: u8, moves: &mut Vec<Move>) {
    let owner = &world.owners[o];
    for (p, part) in (0u8..).zip(owner.parts) {
        if restore::can_go_on(part, &world.broker, scene, p.into()) {
            moves.push(Move::Restore(n, p));
        }
    }
    match world.act(o) {
        Some(act) if world.can_act(o, act) => moves.push(Move::Turn(n, Luck::Good)),
        None if owner.life == Life::Up => batches(owner, scene, n, moves),
        _ => {}
    }
    if matches!(world.act(o), Some(Act::Renew | Act::ReadCommitted)) && !world.holds_any(o) {
        moves.push(Move::GiveUp(n));
    }
}

/// Every batch that can be gathered, the largest first.
fn batches(owner: &Owner, scene: &Scene, n: u8, moves: &mut Vec<Move>) {
    let most = |p: usize| {
        let left = scene.ids[p].len() - usize::from(owner.disks[p].mark.next);
        let left = if owner.parts[p] == Part::Running { left } else { 0 };
        u8::try_from(left).map_or(scene.batch, |left| left.min(scene.batch))
    };
    for first in (0..=most(0)).rev() {
        let sizes = (0..=most(1)).rev().map(|second| [first, second]);
        moves.extend(sizes.filter(|sizes| *sizes != [0, 0]).map(|sizes| Move::Begin(n, sizes)));
    }
}

fn faults(world: &World, o: usize, n: u8, moves: &mut Vec<Move>) {
    let owner = &world.owners[o];
    if owner.life == Life::Down {
        for (p, disk) in (0u8..).zip(&owner.disks) {
            moves.extend((0..disk.mark.seq).map(|seq| Move::OldDisk(n, p, seq)));
        }
        return;
    }
    moves.push(Move::Crash(n));
    if world.broker.member[o] {
        moves.push(Move::Expel(n));
    }
    if world.broker.coordinators[o].phase == Phase::Ongoing && !world.is_orphaned(o) {
        moves.push(Move::Timeout(n));
    }
    if world.is_starting(o) {
        moves.push(Move::GiveUp(n));
    }
    let Some(act) = world.act(o) else { return };
    match act {
        Act::Flush | Act::Offsets | Act::Commit | Act::Abort | Act::Renew if world.can_act(o, act) => {
            moves.push(Move::Turn(n, Luck::ReplyLost));
            if world.broker.late.is_none() {
                moves.extend([Move::Turn(n, Luck::Late), Move::Turn(n, Luck::Twice)]);
            }
        }
        Act::Apply => moves.push(Move::DiskFails(n)),
        _ => {}
    }
    if matches!(act, Act::Renew | Act::ReadCommitted) && world.holds_any(o) {
        moves.push(Move::GiveUp(n));
    }
}

fn rebalances(world: &World, scene: &Scene, moves: &mut Vec<Move>) {
    let broker = &world.broker;
    let listens = |o: usize| broker.member[o] && world.owners[o].life != Life::Down;
    for p in scene.partitions().filter(|p| broker.moving[*p].is_none()) {
        let Some(from) = broker.assigned[p].map(usize::from).filter(|from| listens(*from)) else { continue };
        let to = (0..scene.owners).zip(0u8..).filter(|(o, _)| *o != from && listens(*o));
        moves.extend(to.map(|(_, to)| Move::Rebalance(u8::try_from(p).expect("few partitions"), to)));
    }
}
