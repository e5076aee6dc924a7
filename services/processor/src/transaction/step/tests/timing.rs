use schemas::topic::Topic;

use super::world::{NOW_MS, World, record};
use crate::domain::window::DAY_MS;

/// A bounce of u1 and what cleared it a second later.
fn cleared() -> World {
    let mut world = World::new();
    world.commit(&[record(0, "u1", "e0", "bounced"), record(1, "u1", "e1", "delivered")]);
    world
}

const DUE_MS: i64 = NOW_MS + 1_000 + 30 * DAY_MS;

fn tombstones(world: &World) -> usize {
    let of_topic = world.outputs.iter().filter(|output| output.topic == Topic::Suppression);
    of_topic.filter(|output| output.value.is_none() && output.key.as_deref() == Some(b"u1")).count()
}

/// P5: without a single record.
#[test]
fn p5_a_tombstone_comes_when_its_time_has_come() {
    let mut world = cleared();
    assert!(!world.pass_time(DUE_MS - 1).has_effect(&world.meta), "not a moment too early");
    assert_eq!(tombstones(&world), 0);
    let before = world.meta;
    assert_eq!(world.pass_time(DUE_MS).counts.timers, 1);
    assert_eq!((tombstones(&world), world.meta.seq), (1, before.seq + 1));
    assert_eq!(world.meta.src_next(), before.src_next(), "no record was read");
    assert_eq!(world.pass_time(DUE_MS + 90 * DAY_MS).counts.timers, 0, "and only once");
}

/// An event that moves a deadline later leaves the index alone; the old entry finds out.
#[test]
fn a_deadline_that_moved_later_fires_then() {
    let mut world = cleared();
    world.commit(&[record(10, "u1", "e2", "delivered")]);
    let later = DUE_MS + 9_000;
    let looked_at = world.pass_time(DUE_MS);
    assert_eq!((looked_at.counts.timers, tombstones(&world)), (0, 0));
    assert_eq!(world.store.timers(0, i64::MAX - 1, 9).expect("reads").len(), 1, "one entry, made anew");
    assert_eq!(world.pass_time(later).counts.timers, 1);
}

#[test]
fn what_is_suppressed_again_has_no_deadline() {
    let mut world = cleared();
    world.commit(&[record(10, "u1", "e2", "bounced")]);
    assert_eq!(world.pass_time(DUE_MS + DAY_MS).counts.timers, 0);
    assert_eq!(tombstones(&world), 0);
}

/// P1: a firing that was not committed happens again, and says the same.
#[test]
fn p1_a_firing_that_came_to_nothing_is_repeated_as_it_was() {
    let mut world = cleared();
    let timers = world.store.timers(0, DUE_MS, 9).expect("reads");
    let due = crate::transaction::step::Due { now_ms: DUE_MS, timers };
    let lost = crate::transaction::step::step(world.before(), &due, &[]).expect("a step");
    let again = world.pass_time(DUE_MS);
    assert_eq!(lost.overlay.meta(), again.overlay.meta());
    assert_eq!(lost.outputs.as_slice(), &world.outputs[world.outputs.len() - 1..]);
}
