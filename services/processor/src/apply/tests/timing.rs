use kafka::Incoming;
use proptest::prelude::*;
use schemas::record::RawRecord;
use schemas::topic::Topic;

use super::world::{NOW_MS, World, encoded, event, incoming, record};
use crate::domain::decide::suppression;
use crate::domain::time::window::DAY_MS;

/// A bounce of u1 and what cleared it a second later.
fn cleared() -> World {
    let mut world = World::new();
    world.commit(&[record(0, "u1", "e0", "bounced"), record(1, "u1", "e1", "delivered")]);
    world
}

const DUE_MS: i64 = NOW_MS + 1_000 + 30 * DAY_MS;

/// The `nth` record: of u1, from `day`.
fn of_day(nth: i64, metric: &str, day: i64) -> Incoming {
    let event = event(&format!("e{nth}"), metric, day * DAY_MS / 1_000);
    let event = RawRecord { received_at: NOW_MS + day * DAY_MS, ..event };
    incoming(nth, Some("u1"), Some(encoded(&event)))
}

/// Whether the last that subscribers were told of u1 is a tombstone; `None` where they were told nothing.
fn is_off_the_topic(world: &World) -> Option<bool> {
    let told = world.outputs.iter().rfind(|output| output.topic == Topic::Suppression);
    told.map(|output| output.value.is_none())
}

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
    let due = crate::apply::DueTimers { now_ms: DUE_MS, timers };
    let lost = crate::apply::apply(world.before(), &due, &[]).expect("applies");
    let again = world.pass_time(DUE_MS);
    assert_eq!(lost.overlay.meta(), again.overlay.meta());
    assert_eq!(lost.outputs.as_slice(), &world.outputs[world.outputs.len() - 1..]);
}

/// After an outage, the deadline and what puts it off are in one transaction.
#[test]
fn p5_what_an_event_of_the_same_transaction_puts_off_fires_later_and_is_not_forgotten() {
    let mut world = cleared();
    let applied = world.commit_at(DUE_MS + 2, &[of_day(10, "delivered", 29)]);
    assert_eq!(
        (applied.counts.timers, is_off_the_topic(&world)),
        (0, Some(false)),
        "the event came before the deadline"
    );
    assert_eq!(world.pass_time(NOW_MS + 59 * DAY_MS - 1).counts.timers, 0);
    assert_eq!(world.pass_time(NOW_MS + 59 * DAY_MS).counts.timers, 1);
    assert_eq!(is_off_the_topic(&world), Some(true));
}

/// A late event can change what was lifted without moving the deadline: what it puts on the topic goes again.
#[test]
fn p5_what_is_told_after_a_tombstone_goes_too() {
    let mut world = World::new();
    world.commit(&[of_day(0, "bounced", 1), of_day(1, "delivered", 3)]);
    assert_eq!(world.pass_time(NOW_MS + 33 * DAY_MS).counts.timers, 1);
    world.commit(&[of_day(2, "bounced", 2)]);
    assert_eq!(is_off_the_topic(&world), Some(false), "another bounce is the evidence now");
    assert_eq!(world.pass_time(NOW_MS + 33 * DAY_MS).counts.timers, 1);
    assert_eq!(is_off_the_topic(&world), Some(true));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// P5: whatever happened in whatever transactions, in the end exactly those are off the topic of whom
    /// nothing stands; and never is anybody off it whose suppressions stand, or were lifted less than 30 days
    /// ago.
    #[test]
    fn p5_in_the_end_exactly_what_was_lifted_is_off_the_topic(
        transactions in proptest::collection::vec(
            (0i64..50, proptest::collection::vec((0usize..5, 0i64..90), 0..3)), 0..8),
    ) {
        const METRICS: [&str; 5] = ["bounced", "delivered", "unsubscribed", "subscribed", "spammed"];
        let (mut world, mut now_ms, mut nth) = (World::new(), NOW_MS, 0);
        for (days, events) in transactions {
            now_ms += days * DAY_MS;
            let records: Vec<Incoming> = events
                .iter()
                .map(|(metric, day)| {
                    nth += 1;
                    of_day(nth, METRICS[*metric], *day)
                })
                .collect();
            world.commit_at(now_ms, &records);
            let lifted = world.customer("u1").as_ref().and_then(suppression::all_lifted_at);
            let may_be_off = lifted.is_some_and(|at_ms| at_ms + 30 * DAY_MS <= now_ms);
            prop_assert!(is_off_the_topic(&world) != Some(true) || may_be_off, "{lifted:?}");
        }
        let the_end_ms = NOW_MS + 1_000 * DAY_MS;
        while world.pass_time(the_end_ms).counts.timers > 0 {}
        let customer = world.customer("u1").unwrap_or_default();
        let is_lifted = suppression::all_lifted_at(&customer).is_some();
        prop_assert_eq!(is_off_the_topic(&world).unwrap_or(false), is_lifted);
        prop_assert_eq!(world.store.timers(0, i64::MAX - 1, 9).expect("reads").len(), 0);
    }
}
