//! Records that can't be stored.

use schemas::codec;
use schemas::record::{DeadLetter, MessageOutcome};
use schemas::topic::{Topic, Topics};

use bigquery_sink::run;
use lifecycle::{Health, State, Stop};

use crate::bench::{Bench, number, outcome, rows, settings, until};

#[test]
fn s4_a_malformed_record_is_kept_with_its_origin_and_passed() {
    let bench = Bench::new("poison.");
    let file = bench.file("w");
    let mut cut = outcome("cut");
    cut.pop();
    for value in [outcome("a"), cut, outcome("b")] {
        bench.publish(1, &value).wait().expect("acknowledged");
    }
    let sink = bench.sink(&file);
    assert!(until(|| rows(&file) == 2));
    let summary = sink.stopped();
    assert_eq!((summary.stored, summary.dead_lettered), (2, 1));
    assert_eq!(number(&file, "SELECT next_offset FROM sink_offsets WHERE \"partition\" = 1"), Some(3));

    let kept = bench.read_all(Topic::DeadLetter, 1);
    assert_eq!(kept.len(), 1);
    let letter: DeadLetter = codec::decode(kept[0].value.as_ref().expect("has a value")).expect("decodes");
    assert_eq!((letter.stage.as_str(), letter.reason.as_str()), ("bigquery-sink", "malformed"));
    assert_eq!(letter.origin_topic.as_deref(), Some(bench.topics.name(Topic::Warehouse)));
    assert_eq!((letter.origin_partition, letter.origin_offset), (Some(1), Some(1)));
}

/// SQLite reads no JSON that is nested deeper than 1,000 levels. The record is good otherwise, so that only
/// the file can tell.
#[test]
fn s4_a_row_that_the_warehouse_refuses_is_kept_with_its_reason_and_the_rest_is_stored() {
    let bench = Bench::new("refused.");
    let file = bench.file("w");
    let nested = MessageOutcome {
        event_id: "nested".into(),
        metadata: format!("{{\"a\":{}{}}}", "[".repeat(1_200), "]".repeat(1_200)).into(),
        ..MessageOutcome::default()
    };
    for value in [outcome("a"), codec::encode(&nested).expect("encodes"), outcome("b")] {
        bench.publish(1, &value).wait().expect("acknowledged");
    }
    let sink = bench.sink(&file);
    assert!(until(|| rows(&file) == 2));
    let summary = sink.stopped();
    assert_eq!((summary.stored, summary.dead_lettered, summary.conflicts), (2, 1, 0));
    assert_eq!(number(&file, "SELECT next_offset FROM sink_offsets WHERE \"partition\" = 1"), Some(3));
    let kept = bench.read_all(Topic::DeadLetter, 1);
    let letter: DeadLetter = codec::decode(kept[0].value.as_ref().expect("has a value")).expect("decodes");
    assert_eq!((letter.reason.as_str(), letter.origin_offset), ("refused_by_warehouse", Some(1)));
    assert!(letter.detail.is_some_and(|detail| detail.contains("json_valid")));
}

/// A rolling upgrade must not drain good events: the partition stops, says so, and the others go on.
#[test]
fn an_unknown_schema_stops_its_partition_alone() {
    let bench = Bench::new("newer.");
    let file = bench.file("w");
    let mut newer = outcome("newer");
    newer[2] ^= 1;
    for (partition, value) in
        [(0, outcome("a")), (0, newer), (0, outcome("b")), (1, outcome("c")), (2, outcome("d"))]
    {
        bench.publish(partition, &value).wait().expect("acknowledged");
    }
    let sink = bench.sink(&file);
    assert!(until(|| rows(&file) == 3 && !sink.health.ready().ready));
    let report = sink.health.ready();
    assert_eq!(report.components[0].state, State::NotReady);
    let cause = report.components[0].cause.as_deref().unwrap_or_default();
    assert!(cause.contains("[0]") && cause.contains("upgrade this sink"), "{cause}");
    bench.publish(1, &outcome("e")).wait().expect("acknowledged");
    assert!(until(|| rows(&file) == 4));
    let summary = sink.stopped();
    assert_eq!((summary.stored, summary.stopped, summary.dead_lettered), (4, 2, 0));
    assert_eq!(number(&file, "SELECT next_offset FROM sink_offsets WHERE \"partition\" = 0"), Some(1));
}

#[test]
fn a_missing_topic_is_named_with_its_mend() {
    let bench = Bench::new("there.");
    let nowhere = Topics::new("nowhere.");
    let settings = settings(&bench.file("w"));
    let refusal =
        run(&settings, &bench.connection, &nowhere, &Health::new(), &Stop::new()).expect_err("refused");
    let message = refusal.to_string();
    assert!(message.contains("nowhere.outcomes.warehouse.v1") && message.contains("bootstrap"), "{message}");
}
