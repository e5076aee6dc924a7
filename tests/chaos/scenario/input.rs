//! Input that nobody should have written.

use std::collections::BTreeMap;
use std::time::Duration;

use aftersend_tests::wait::await_that;
use kafka::Outgoing;
use schemas::codec;
use schemas::record::{DeadLetter, RawRecord};
use schemas::topic::{RECORD_BYTES_MAX, Topic};

use crate::fault::{Fault, Then};
use crate::run::workload::raw;
use crate::run::{ChaosRun, Kafka, Plan};

/// A key of nobody's, on partition 0 whatever it should be on.
const KEY: &str = "poison";
/// A header of single-object encoding with the fingerprint of no schema.
const FUTURE: [u8; 12] = [0xc3, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

type Poison = (&'static str, Option<Vec<u8>>, Option<Vec<u8>>);

/// What is to be set aside, by reason: key and value. `poison`, the one reason that is not here, takes a
/// fault of ours.
fn poison() -> Vec<Poison> {
    let key = || Some(KEY.as_bytes().to_vec());
    let json = |text: &str| Some(raw("poison", 1_767_225_600, text.as_bytes()));
    let good = r#"{"event_id":"poison","metric":"sent","object_type":"email","data":{}}"#;
    let huge =
        good.replace("{}", &format!(r#"{{"subject":"{}"}}"#, "x".repeat(RECORD_BYTES_MAX as usize - 6_000)));
    let command = RawRecord { kind: "command".to_owned(), ..decoded_raw(good) };
    vec![
        ("no_value", key(), None),
        ("no_key", None, json(good)),
        ("malformed_record", key(), Some(b"junk".to_vec())),
        ("foreign_key", Some(b"~who:1".to_vec()), json(good)),
        ("wrong_partition", Some(elsewhere()), json(good)),
        ("unsupported_kind", key(), Some(codec::encode(&command).expect("encodes"))),
        ("no_id", key(), Some(raw("", 1_767_225_600, good.as_bytes()))),
        ("malformed_json", key(), json("{\"metric\":")),
        ("not_an_object", key(), json("[]")),
        ("no_metric", key(), json("{\"data\":{}}")),
        ("too_large", key(), json(&huge)),
    ]
}

fn decoded_raw(body: &str) -> RawRecord {
    codec::decode(&raw("poison", 1_767_225_600, body.as_bytes())).expect("decodes")
}

/// A key that belongs on another partition than [`KEY`].
fn elsewhere() -> Vec<u8> {
    let partitions = Plan::default().partitions;
    let of = |key: &str| schemas::partition::of(key.as_bytes(), partitions);
    let key = (0..).map(|number| format!("v{number}")).find(|key| of(key) != of(KEY));
    key.expect("one of many").into_bytes()
}

fn send_poison(run: &ChaosRun) {
    let (topic, partition) = (
        run.deployment.topics().name(Topic::Raw),
        schemas::partition::of(KEY.as_bytes(), run.plan.partitions),
    );
    for (_, key, value) in poison() {
        let (key, value) = (key.as_deref(), value.as_deref());
        run.sender.send_one(&Outgoing { topic, partition: Some(partition), key, value, headers: &[] });
    }
}

/// P1: every kind of bad record, while the processor is killed at every point: each set aside exactly once
/// with its reason and its origin, and the partition goes on.
#[test]
fn p1_poison_is_set_aside_once_whatever_is_killed() {
    let mut run = ChaosRun::new("p1_poison_is_set_aside", Kafka::shared(), Plan::default());
    run.begin();
    for point in ["sent", "flushed", "offsets_sent", "committed", "applied"] {
        run.instances[0].stop();
        send_poison(&run);
        run.inject(&Fault::Crash { who: 0, point, nth: 1, then: Then::SameDisk });
    }
    run.stop_load();
    run.await_processed();
    let letters: Vec<DeadLetter> = run.deployment.topic(Topic::DeadLetter).decoded();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    let mut origins: Vec<_> =
        letters.iter().map(|letter| (letter.origin_partition, letter.origin_offset)).collect();
    letters.iter().for_each(|letter| *reasons.entry(&letter.reason).or_default() += 1);
    origins.sort_unstable();
    origins.dedup();
    assert_eq!(origins.len(), letters.len(), "a record was set aside twice");
    assert_eq!(reasons, poison().iter().map(|(reason, ..)| (*reason, 5)).collect());
    run.expected_dead_letters = letters.len();
    run.verify();
}

/// P1: a record of a schema that nobody here knows stops its partition, and says so; the others go on, and so
/// it is after a crash.
#[test]
fn p1_a_record_from_the_future_stops_its_partition_and_no_other() {
    let mut run = ChaosRun::new("p1_a_record_from_the_future", Kafka::shared(), Plan::default());
    run.begin();
    let topic = run.deployment.topics().name(Topic::Raw).to_owned();
    let (key, value) = (Some(KEY.as_bytes()), Some(&FUTURE[..]));
    run.sender.send_one(&Outgoing { topic: &topic, partition: Some(0), key, value, headers: &[] });
    for _ in 0..2 {
        await_that("the processor to say so", || {
            run.instances[0].readiness().contains("partition 0 stopped")
        });
        run.await_commits(3);
        run.kill(0);
        run.start(0);
    }
    run.stop_load();
    let (raw, group) = (run.deployment.topic(Topic::Raw), run.deployment.group("aftersend.processor"));
    let ends = raw.ends();
    await_that("the others to be worked off", || {
        raw.committed(&group).iter().zip(&ends).skip(1).all(|(at, end)| *at == Some(*end))
    });
    assert!(raw.committed(&group)[0].is_none_or(|at| at < ends[0]));
    assert_eq!(run.deployment.topic(Topic::DeadLetter).records().len(), 0);
}

/// P1, P4: the clocks that count are raw's append time and the event's own. The workload's times lie up to
/// years back and hours ahead, and what comes of them is the same after a restore hours of their time later:
/// nothing of the machine's own time is in it.
#[test]
fn p1_p4_event_times_years_apart_are_deduplicated_and_ordered_alike() {
    let lost = |millis| Fault::Kill { who: 0, after: Duration::from_millis(millis), then: Then::LostDisk };
    super::survives("p1_p4_event_times", Kafka::shared(), 1, &[lost(300), lost(900)]);
}
