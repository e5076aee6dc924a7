//! P1 within one partition: an event takes effect once, whatever batch its copies come in.

use kafka::NextOffset;
use schemas::header::{EVENT_ID, OUTCOME_ID, TRACEPARENT};
use schemas::id::DedupeId;
use schemas::topic::Topic;

use super::world::{FIRST, NOW_MS, World, copy, encoded, event, incoming, record, written};
use crate::apply::{ApplyError, DueTimers, apply};
use crate::domain::time::window::DAY_MS;

#[test]
fn p1_a_copy_in_the_same_batch_is_dropped() {
    let mut world = World::new();
    let first = record(0, "u1", "a", "bounced");
    let (soon, later) = (copy(1, &first), copy(3, &first));
    let applied = world.commit(&[first, soon, record(2, "u1", "b", "spammed"), later]);
    assert_eq!((applied.counts.unique, applied.counts.duplicate), (2, 2));
    let ids: Vec<_> = world.outcomes().into_iter().map(|outcome| outcome.event_id).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(world.customer("u1").expect("known").complaint_count, 1);
}

#[test]
fn p1_a_copy_in_a_later_batch_is_dropped() {
    let mut world = World::new();
    let first = record(0, "u1", "a", "spammed");
    world.commit(std::slice::from_ref(&first));
    let applied = world.commit(&[copy(1, &first), record(2, "u1", "b", "spammed")]);
    assert_eq!((applied.counts.unique, applied.counts.duplicate), (1, 1));
    assert_eq!(world.outcomes().len(), 2);
    assert_eq!(world.customer("u1").expect("known").complaint_count, 2);
}

/// P1 counts pairs of customer and event.
#[test]
fn p1_one_event_id_of_two_customers_is_two_events() {
    let mut world = World::new();
    let applied = world.commit(&[record(0, "u1", "a", "spammed"), record(1, "u2", "a", "spammed")]);
    assert_eq!((applied.counts.unique, applied.counts.duplicate), (2, 0));
    let ids: Vec<_> =
        world.outcomes().into_iter().map(|outcome| (outcome.event_id, outcome.outcome_id)).collect();
    let id = |key| DedupeId::of_published(key, "default", "a").to_hex().into();
    assert_eq!(ids, [("a".into(), id("u1")), ("a".into(), id("u2"))]);
}

/// P2: a transaction that was not committed leaves nothing behind.
#[test]
fn p2_records_that_are_applied_and_not_committed_change_nothing() {
    let mut world = World::new();
    let records = [record(0, "u1", "a", "bounced"), record(1, "~dlv:9", "b", "sent")];
    let abandoned = world.apply(&records);
    assert_eq!(abandoned.counts.unique, 2);
    assert_eq!(world.customer("u1"), None);
    let again = world.commit(&records);
    assert_eq!((again.counts.unique, again.counts.duplicate), (2, 0));
    assert_eq!(again.overlay.meta().seq, 1);
}

#[test]
fn a_transaction_publishes_each_changed_customer_once() {
    let mut world = World::new();
    world.commit(&[
        record(0, "u1", "a", "delivered"),
        record(1, "u1", "b", "bounced"),
        record(2, "u1", "c", "spammed"),
        record(3, "u2", "d", "sent"),
    ]);
    let traits = world.traits();
    assert_eq!(traits.len(), 2);
    let ada = traits.iter().find(|traits| traits.customer_id == "u1").expect("published");
    assert_eq!((ada.revision, ada.as_of), (1, NOW_MS + 2));
    assert_eq!((ada.email_deliverable, ada.email_bounced), (Some(false), Some(true)));
    assert_eq!(ada.last_bounce_delivery_id.as_deref(), Some("d-b"));
    let suppressions = world.suppressions();
    assert_eq!(suppressions.len(), 1, "the other customer has none");
    let reasons: Vec<&str> = suppressions[0].entries.iter().map(|entry| entry.reason.as_str()).collect();
    assert_eq!(reasons, ["bounce", "complaint"]);

    world.commit(&[record(4, "u1", "e", "attempted")]);
    let last = world.traits().pop().expect("published");
    assert_eq!((last.revision, last.changed), (2, vec!["last_email_metric".to_owned()]));
    assert_eq!(world.suppressions().len(), 1, "unchanged");
}

#[test]
fn nobody_has_no_state() {
    let mut world = World::new();
    let first = record(0, "~dlv:9", "a", "bounced");
    let again = copy(2, &first);
    let applied = world.commit(&[first, record(1, "~evt:b", "b", "spammed")]);
    assert_eq!(applied.counts.unique, 2);
    assert_eq!(world.outcomes().len(), 2);
    assert_eq!((world.traits().len(), world.suppressions().len()), (0, 0));
    assert_eq!((world.customer("~dlv:9"), world.customer("~evt:b")), (None, None));
    assert_eq!(applied.overlay.customers().count(), 0);
    let again = world.commit(&[again]);
    assert_eq!(again.counts.duplicate, 1, "its id is remembered nevertheless");
}

/// After a seek, older records may still come out of the client.
#[test]
fn what_lies_before_the_position_is_passed_over() {
    let mut world = World::new();
    world.commit(&[record(0, "u1", "a", "sent"), record(1, "u1", "b", "sent")]);
    let stale = world.apply(&[record(0, "u1", "x", "sent"), record(1, "u1", "y", "sent")]);
    assert!(!stale.has_effect(&world.meta));
    assert_eq!((stale.counts.unique, stale.counts.duplicate, stale.outputs.len()), (0, 0, 0));
    let applied = world.commit(&[record(1, "u1", "y", "sent"), record(2, "u1", "z", "sent")]);
    assert_eq!(applied.counts.unique, 1);
    assert_eq!(world.meta.src_next(), NextOffset(FIRST + 3));
}

/// A broker's clock may go back; the partition's never does, or ids would come back from the dead.
#[test]
fn the_clock_of_a_partition_never_goes_back() {
    let mut world = World::new();
    let mut records = [record(0, "u1", "a", "sent"), record(1, "u1", "b", "sent")];
    records[0].timestamp_ms = NOW_MS + 3 * DAY_MS;
    records[1].timestamp_ms = NOW_MS;
    world.commit(&records);
    assert_eq!(world.meta.clock_ms, NOW_MS + 3 * DAY_MS);
    world.commit(&[record(2, "u1", "c", "sent")]);
    assert_eq!(world.meta.clock_ms, NOW_MS + 3 * DAY_MS);
    assert!(world.traits().is_sorted_by_key(|traits| traits.as_of));
}

#[test]
fn an_outcome_carries_its_ids_and_its_trace() {
    let mut world = World::new();
    let mut traced = record(0, "u1", "a", "sent");
    let trace = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_vec();
    traced.headers = vec![("other".to_owned(), b"x".to_vec()), (TRACEPARENT.to_owned(), trace.clone())];
    world.commit(&[traced]);
    assert_eq!(world.outputs[0].topic, Topic::Warehouse);
    let id = world.outcomes()[0].outcome_id.as_bytes().to_vec();
    assert_eq!(world.outputs[0].headers, [(EVENT_ID, b"a".to_vec()), (OUTCOME_ID, id), (TRACEPARENT, trace)]);
}

#[test]
fn a_state_of_a_newer_version_is_an_error_and_never_overwritten() {
    let world = World::new();
    let mut batch = world.store.batch();
    batch.put_customer(b"u1", Some(&[9, 0, 0]));
    batch.write().expect("writes");
    let records = [incoming(0, Some("u1"), Some(encoded(&event("a", "sent", 0))))];
    let failed = apply(world.before(), &DueTimers::default(), &records);
    assert!(matches!(failed, Err(ApplyError::Value(_))));
}

#[test]
fn outputs_of_a_transaction_are_readable_by_their_schemas() {
    let world = World::new();
    let applied = world.apply(&[record(0, "u1", "a", "bounced")]);
    assert_eq!(written::<schemas::record::MessageOutcome<'_>>(&applied.outputs, Topic::Warehouse).len(), 1);
    assert!(applied.outputs.iter().all(|output| output.key.as_deref() == Some(b"u1")));
}
