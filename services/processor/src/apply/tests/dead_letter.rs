//! What can't be worked off: set aside with its reason and origin, or waited for.

use std::collections::BTreeSet;

use kafka::{Incoming, NextOffset};
use schemas::codec;
use schemas::id::DedupeId;
use schemas::record::{Command, RawRecord};
use schemas::topic::Topic;

use super::with_fault_on;
use super::world::{FIRST, NOW_MS, World, encoded, event, incoming, raw, record};
use crate::apply::Applied;

const README: &str = include_str!("../../../README.md");

/// A record for each reason.
fn unfit() -> Vec<(&'static str, Incoming)> {
    let value = |raw: &RawRecord| Some(encoded(raw));
    let good = event("a", "sent", 0);
    let short = RawRecord { id: vec![1; 15], ..good.clone() };
    let nameless = RawRecord { event_id: String::new(), ..good.clone() };
    let long = RawRecord { event_id: "x".repeat(257), ..good.clone() };
    let command = RawRecord { kind: "command".to_owned(), ..good.clone() };
    let json = |text: &str| Some(encoded(&raw("a", text.as_bytes().to_vec())));
    let mut malformed = encoded(&good);
    malformed.pop();
    let huge = format!(
        r#"{{"metric":"sent","object_type":"email","data":{{"subject":"{}"}}}}"#,
        "x".repeat(4 << 20)
    );
    let elsewhere = foreign_partition_key();
    vec![
        ("no_value", incoming(0, Some("u1"), None)),
        ("no_key", incoming(0, None, value(&good))),
        ("no_id", incoming(0, Some("u1"), value(&short))),
        ("no_id", incoming(0, Some("u1"), value(&nameless))),
        ("no_id", incoming(0, Some("u1"), value(&long))),
        ("malformed_record", incoming(0, Some("u1"), Some(malformed))),
        ("malformed_record", incoming(0, Some("u1"), Some(b"{}".to_vec()))),
        ("foreign_key", incoming(0, Some("~who:1"), value(&good))),
        ("foreign_key", incoming(0, Some(""), value(&good))),
        ("wrong_partition", incoming(0, Some(&elsewhere), value(&good))),
        ("unsupported_kind", incoming(0, Some("u1"), value(&command))),
        ("malformed_json", incoming(0, Some("u1"), json("{\"metric\":"))),
        ("not_an_object", incoming(0, Some("u1"), json("[]"))),
        ("no_metric", incoming(0, Some("u1"), json("{\"data\":{}}"))),
        ("too_large", incoming(0, Some("u1"), json(&huge))),
    ]
}

/// Of two partitions, `u1` is on the one and this key on the other.
fn foreign_partition_key() -> String {
    let of = |key: &str| schemas::partition::of(key.as_bytes(), 2);
    (0..).map(|number| format!("v{number}")).find(|key| of(key) != of("u1")).expect("one of many")
}

fn world() -> World {
    World::of(schemas::partition::of(b"u1", 2), 2)
}

#[test]
fn each_unfit_record_is_set_aside_with_its_reason_and_origin() {
    for (reason, record) in unfit() {
        let mut world = world();
        let applied = world.commit(std::slice::from_ref(&record));
        assert_eq!(applied.counts.dead_lettered.iter().collect::<Vec<_>>(), [(&reason, &1)], "{reason}");
        assert_eq!((applied.counts.unique, applied.counts.duplicate), (0, 0), "{reason}");
        let letter = world.dead_letters().pop().expect("a dead letter");
        assert_eq!((letter.stage.as_str(), letter.reason.as_str()), ("processor", reason));
        assert_eq!(letter.origin_topic.as_deref(), Some("raw"), "{reason}");
        assert_eq!((letter.origin_partition, letter.origin_offset), (Some(0), Some(FIRST)), "{reason}");
        assert_eq!(letter.kept_at, NOW_MS, "{reason}");
        let value = record.value.clone().unwrap_or_default();
        assert_eq!(letter.bytes, value[..value.len().min(64 << 10)], "{reason}");
        assert_eq!(
            (letter.length, &letter.key),
            (i64::try_from(value.len()).expect("small"), &record.key),
            "{reason}"
        );
        assert_eq!(letter.sha256, (value.len() > 64 << 10).then(|| schemas::id::sha256(&value)), "{reason}");
        assert_eq!(world.outputs.len(), 1, "{reason}: nothing else is written");
        assert_eq!(world.meta.src_next(), NextOffset(FIRST + 1), "{reason}: it does not stop the partition");
    }
}

/// The README's table and the code name the same reasons.
#[test]
fn the_readme_lists_every_reason() {
    let chapter = README.split("## Dead letters").nth(1).and_then(|rest| rest.split("\n## ").next());
    let cells = chapter.expect("the chapter").lines().filter_map(|line| line.strip_prefix("| `"));
    let listed: BTreeSet<&str> = cells
        .filter_map(|line| line.split_once(" | ").map(|(reasons, _)| reasons))
        .flat_map(|reasons| reasons.split(", ").map(|reason| reason.trim_matches('`')))
        .collect();
    let tested: BTreeSet<&str> =
        unfit().into_iter().map(|(reason, _)| reason).chain(["id_reused", "poison"]).collect();
    assert_eq!(listed, tested);
}

/// The vendor's own samples do so: one id, one person, three events.
#[test]
fn an_id_that_comes_again_with_other_content_is_set_aside_and_no_copy() {
    let mut world = world();
    let copy = |nth| incoming(nth, Some("u1"), Some(encoded(&event("a", "delivered", 0))));
    let mut changed = [event("a", "bounced", 0), event("a", "delivered", 1), event("a", "delivered", 0)];
    let bytes = String::from_utf8(changed[2].bytes.clone()).expect("UTF-8").replace("d-a", "d-b");
    changed[2].bytes = bytes.into_bytes();
    let changed = changed.map(|raw| incoming(2, Some("u1"), Some(encoded(&raw))));
    for is_on_disk in [false, true] {
        let records = if is_on_disk { vec![] } else { vec![copy(0), copy(1)] };
        let offsets = (world.meta.src_next().0..).map(kafka::RecordOffset);
        let records = records.into_iter().chain(changed.clone()).zip(offsets);
        let records: Vec<_> = records.map(|(record, offset)| Incoming { offset, ..record }).collect();
        let applied = world.commit(&records);
        let (unique, duplicate) = if is_on_disk { (0, 0) } else { (1, 1) };
        assert_eq!((applied.counts.unique, applied.counts.duplicate), (unique, duplicate));
        assert_eq!(applied.counts.dead_lettered["id_reused"], 3);
        assert_eq!(applied.reused_ids, [DedupeId::of_published("u1", "default", "a"); 3]);
    }
    assert!(world.dead_letters().iter().all(|letter| letter.reason == "id_reused"));
    assert_eq!((world.outcomes().len(), world.dead_letters().len()), (1, 6));
    assert!(!world.customer("u1").expect("known").is_bounced());
}

/// Else one record would end the process again and again, and its partition would never go on.
#[test]
fn a_record_on_which_the_code_fails_is_set_aside_and_the_others_take_effect() {
    let mut world = world();
    let records = [
        record(0, "u1", "a", "delivered"),
        record(1, "u1", "b", "bounced"),
        record(2, "u1", "c", "clicked"),
        record(3, "u1", "b", "bounced"),
    ];
    let applied = with_fault_on("bounced", || world.apply(&records));
    assert_eq!((applied.counts.unique, applied.counts.duplicate), (2, 0));
    assert_eq!(applied.counts.dead_lettered["poison"], 2, "it isn't remembered as seen");
    world.settle(applied);
    let letter = world.dead_letters().remove(0);
    assert_eq!((letter.reason.as_str(), letter.event_id.as_deref()), ("poison", Some("b")));
    assert_eq!(letter.origin_offset, Some(FIRST + 1));
    let customer = world.customer("u1").expect("known");
    assert!(!customer.is_bounced() && customer.click_at.is_some());
    assert_eq!(world.meta.src_next(), NextOffset(FIRST + 4));

    let mended = world.commit(&[record(4, "u1", "b", "bounced")]);
    assert_eq!((mended.counts.unique, mended.counts.duplicate), (1, 0), "a redrive of it counts");
}

/// A dead-lettered id is never stored as seen: a redrive must count.
#[test]
fn a_redrive_of_what_was_set_aside_counts() {
    let broken = RawRecord { bytes: b"{".to_vec(), ..event("a", "bounced", 0) };
    let good = event("a", "bounced", 0);
    let mut world = world();
    let first = world.commit(&[incoming(0, Some("u1"), Some(encoded(&broken)))]);
    assert_eq!(first.counts.dead_lettered["malformed_json"], 1);
    assert_eq!(first.overlay.runs(), []);
    let second = world.commit(&[incoming(1, Some("u1"), Some(encoded(&good)))]);
    assert_eq!((second.counts.unique, second.counts.duplicate), (1, 0));
    assert!(world.customer("u1").expect("known").is_bounced());
}

/// A rolling upgrade must not drain good events: what a newer version wrote waits for a processor that reads
/// it.
#[test]
fn an_unknown_schema_stops_the_partition_before_its_record() {
    let mut world = world();
    let newer = codec::encode(&Command::default()).expect("encodes");
    let records =
        [record(0, "u1", "a", "sent"), incoming(1, Some("u1"), Some(newer)), record(2, "u1", "b", "sent")];
    let applied = world.commit(&records);
    let (offset, reason) = applied.stopped.as_ref().expect("stopped");
    assert_eq!(*offset, records[1].offset);
    assert!(matches!(reason, codec::DecodeError::UnknownFingerprint(_)));
    assert_eq!(applied.counts.unique, 1, "what came before it stands");
    assert_eq!((world.outcomes().len(), world.dead_letters().len()), (1, 0));
    assert_eq!(world.meta.src_next(), NextOffset(FIRST + 1), "it is read again");

    let again: Applied = world.apply(&records[1..]);
    assert!(again.stopped.is_some() && !again.has_effect(&world.meta));
    assert!(!again.outputs.iter().any(|output| output.topic == Topic::DeadLetter));
}
