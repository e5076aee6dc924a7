//! The sink against a real broker and a Customer.io that misbehaves.

mod world;

use std::time::Duration;

use customerio_sink::{Settings, Summary};
use delivery::intake::OnGap;
use devkit::customerio::track::{Fault, Identifier};
use schemas::codec;
use schemas::record::CustomerTraits;
use schemas::topic::Topic;
use serde_json::json;
use world::{World, traits, until};

/// The vendor holds this revision of everybody.
fn arrived(world: &World, people: &[String], revision: i64) -> bool {
    people.iter().all(|id| world.profile(id).attribute("complaint_count") == Some(&json!(revision)))
}

#[test]
fn traits_and_suppressions_become_attributes_and_a_restart_resumes() {
    let world = World::new();
    let people = world.people(20);
    for id in &people {
        world.publish_traits(id, 1);
        world.publish_suppression(id, "bounce", "active");
    }
    let sink = world.start(world.settings());
    until("the first writes", || {
        arrived(&world, &people, 1)
            && people.iter().all(|id| world.profile(id).attribute("email_suppressed").is_some())
    });
    let profile = world.profile(&people[0]);
    assert_eq!(profile.attribute("email_bounced"), Some(&json!(true)));
    assert_eq!(profile.attribute("email_suppressed"), Some(&json!(true)));
    assert_eq!(profile.attribute("email_suppression_reasons"), Some(&json!("bounce")));
    let (first, took) = sink.stop();
    assert_eq!(first, Summary { delivered: 40, ..Summary::default() });
    assert!(took < Duration::from_secs(5), "{took:?}");

    // S3: what was committed is not read again.
    world.publish_suppression(&people[0], "bounce", "lifted");
    let sink = world.start(world.settings());
    until("the lifting", || world.profile(&people[0]).attribute("email_suppressed") == Some(&json!(false)));
    assert_eq!(world.profile(&people[0]).attribute("email_suppression_reasons"), None);
    assert_eq!(sink.stop().0, Summary { delivered: 1, ..Summary::default() });
    let counts = world.track().counts();
    assert_eq!((counts.created, counts.stale_attributes, counts.rejected), (0, 0, 0));
    assert_eq!(world.track().destroyed(), []);
}

/// 429, Retry-After, 5xx, and answers that never come, though one request was applied: nothing is lost,
/// nothing dies, nothing newer is undone.
#[test]
fn trouble_passes_without_loss_and_in_order() {
    let world = World::new();
    let people = world.people(12);
    let faults = [
        Fault::Status(429),
        Fault::RetryAfter(1),
        Fault::Status(500),
        Fault::LostAnswer,
        Fault::Hang,
        Fault::Status(503),
    ];
    faults.into_iter().for_each(|fault| world.track().fail_next(fault));
    let mut settings = world.settings();
    settings.request_operations = 3;
    settings.batch_records = 25;
    let sink = world.start(settings);
    for revision in 1..=10 {
        world.publish_everybody(&people, revision);
    }
    until("the last revision", || arrived(&world, &people, 10));
    until("every fault", || world.track().counts().injected == faults.len() as u64);
    let (summary, _) = sink.stop();
    assert_eq!(summary, Summary { delivered: 120, ..Summary::default() });
    // S2: the vendor counts a write that comes after a newer one.
    assert_eq!(world.track().counts().stale_attributes, 0);
}

/// A refusal that doesn't say whom it means is taken apart: the halves, sent again, all arrive.
#[test]
fn a_refused_or_too_large_request_is_halved() {
    let world = World::new();
    let people = world.people(24);
    world.publish_everybody(&people, 1);
    world.track().fail_next(Fault::Status(400));
    world.track().fail_next(Fault::Status(413));
    let mut settings = world.settings();
    settings.batch_wait = Duration::from_secs(1);
    settings.requests_in_flight = 1;
    let sink = world.start(settings);
    until("everybody", || arrived(&world, &people, 1));
    assert_eq!(sink.stop().0, Summary { delivered: 24, ..Summary::default() });
    assert_eq!(world.track().counts().injected, 2);
}

/// S4: of a 207, the refused alone dies, with its origin; its neighbours arrive.
#[test]
fn s4_a_refused_operation_is_kept_with_its_origin() {
    let world = World::new();
    let people = world.people(5);
    world.track().reject(Identifier::id(&people[2]), 1);
    let origins: Vec<(i32, i64)> = people.iter().map(|id| world.publish_traits(id, 1)).collect();
    let sink = world.start(world.settings());
    let others: Vec<String> = people.iter().filter(|id| **id != people[2]).cloned().collect();
    until("the others", || arrived(&world, &others, 1));
    let letters = world.dead_letters(1);
    assert_eq!(sink.stop().0, Summary { delivered: 4, dead_lettered: 1, ..Summary::default() });
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (letters[0].stage.as_str(), letters[0].reason.as_str()),
        ("customerio-sink", "vendor_refused")
    );
    assert_eq!(letters[0].origin_topic.as_deref(), Some(world.topics.name(Topic::Trait)));
    let origin = (letters[0].origin_partition, letters[0].origin_offset);
    assert_eq!(origin, (Some(i64::from(origins[2].0)), Some(origins[2].1)));
    assert_eq!(letters[0].key.as_deref(), Some(people[2].as_bytes()));
    let kept: CustomerTraits = codec::decode(&letters[0].bytes).expect("the record itself");
    assert_eq!(kept.customer_id, people[2]);
    assert_eq!(world.profile(&people[2]).attribute("complaint_count"), None);
}

/// S4: wrong credentials stop the sink and drain nothing.
#[test]
fn s4_wrong_credentials_drain_nothing() {
    let world = World::new();
    let people = world.people(6);
    world.publish_everybody(&people, 1);
    let sink = world.start(world.settings_with_key("wrong"));
    until("readiness to name it", || world.cause().is_some_and(|cause| cause.contains("answered 401")));
    until("another try", || world.track().counts().unauthorized >= 3);
    assert!(!world.health.ready().ready);
    let (summary, took) = sink.stop();
    // How many it had in hand depends on how the records were fetched; that it let go of all of them doesn't.
    assert!(summary.put_back >= 1, "{summary:?}");
    assert_eq!(Summary { put_back: 0, ..summary }, Summary::default());
    assert!(took < Duration::from_secs(5), "{took:?}");

    let sink = world.start(world.settings());
    until("everybody", || arrived(&world, &people, 1));
    assert_eq!(sink.stop().0, Summary { delivered: 6, ..Summary::default() });
}

/// A record of a newer version stops its partition alone, and is no dead letter.
#[test]
fn an_unknown_schema_stops_its_partition_and_nothing_dies() {
    let world = World::new();
    let people = world.people(40);
    let partition = |id: &String| world.publish(Topic::DeadLetter, id, None).0;
    let (here, there): (Vec<String>, Vec<String>) = people.iter().cloned().partition(|id| partition(id) == 0);
    world.publish_traits(&here[0], 1);
    let mut newer = codec::encode(&traits(&here[1], 1)).expect("encodes");
    newer[2] ^= 0xff;
    world.publish(Topic::Trait, &here[1], Some(&newer));
    world.publish_traits(&here[2], 1);
    world.publish_traits(&there[0], 1);
    let sink = world.start(world.settings());
    until("the other partition", || arrived(&world, &there[..1], 1) && arrived(&world, &here[..1], 1));
    until("readiness to name it", || world.cause().is_some_and(|cause| cause.contains("stopped at schema")));
    let (summary, _) = sink.stop();
    assert!(summary.stopped >= 1, "{summary:?}");
    assert_eq!((summary.delivered, summary.dead_lettered), (2, 0));
    assert_eq!(world.profile(&here[2]).attribute("complaint_count"), None);

    // Nothing was committed past it.
    let sink = world.start(world.settings());
    until("readiness to name it again", || {
        world.cause().is_some_and(|cause| cause.contains("stopped at schema"))
    });
    assert!(sink.stop().0.stopped >= 1);
}

/// E1: every kind of record ends in one counted outcome.
#[test]
fn e1_each_record_ends_in_exactly_one_outcome() {
    let world = World::new();
    let id = &world.people(1)[0];
    world.publish(Topic::Trait, id, None);
    let broken = world.publish(Topic::Trait, id, Some(b"not avro"));
    for key in ["~eml:t1.abc", "~dlv:dgEX", "~evt:01J"] {
        world.publish_traits(key, 1);
    }
    let only = CustomerTraits { changed: vec!["unsubscribed".to_owned()], ..traits(id, 1) };
    world.publish_record(Topic::Trait, id, &only);
    world.publish_traits("~~nobody", 1);
    world.publish_traits(id, 2);
    let sink = world.start(world.settings());
    until("the last", || arrived(&world, std::slice::from_ref(id), 2));
    until("the identify of nobody", || world.track().counts().failed_changes == 1);
    let letters = world.dead_letters(1);
    let (summary, _) = sink.stop();
    let expected = Summary {
        delivered: 2,
        dead_lettered: 1,
        skipped: 3,
        tombstones: 1,
        unchanged: 1,
        ..Summary::default()
    };
    assert_eq!(summary, expected);
    assert_eq!(letters[0].reason, "not_framed");
    assert_eq!(letters[0].origin_offset, Some(broken.1));
    assert_eq!(world.track().counts().created, 0);
}

/// A stop while the vendor hangs: out within seconds, and what was not acknowledged is read again.
#[test]
fn a_stop_does_not_wait_for_a_vendor_that_hangs() {
    let world = World::new();
    let people = world.people(3);
    world.track().fail_next(Fault::Hang);
    let mut settings = world.settings();
    settings.track.request_timeout = Duration::from_secs(60);
    world.publish_everybody(&people, 1);
    let sink = world.start(settings);
    until("the request", || world.track().counts().injected == 1);
    let (summary, took) = sink.stop();
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(summary.put_back >= 1, "{summary:?}");
    let sink = world.start(world.settings());
    until("everybody", || arrived(&world, &people, 1));
    assert_eq!(sink.stop().0.delivered, 3 - summary.delivered);
}

/// Nothing is passed over silently: what was deleted before it was read is named, and the gap is counted only
/// where the settings say so.
#[test]
fn s3_records_deleted_before_they_were_read_are_refused_and_then_passed_over_by_name() {
    let world = World::new();
    let people = world.people(1);
    let person = &people[0];
    let (partition, _) = world.publish_traits(person, 1);
    let sink = world.start(world.settings());
    until("the first write", || arrived(&world, &people, 1));
    sink.stop();
    world.publish_traits(person, 2);
    world.publish_traits(person, 3);
    let cluster = kafka::Cluster::connect(&world.connection).expect("connects");
    let topic = world.topics.name(Topic::Trait);
    cluster.delete_records_before(topic, partition, kafka::NextOffset(2)).expect("deletes");

    let sink = world.start(world.settings());
    until("the cause", || world.cause().is_some_and(|cause| cause.contains("records 1 to 1 were deleted")));
    let (summary, _) = sink.stop();
    assert_eq!(summary.delivered, 0);

    let sink = world.start(Settings { on_gap: OnGap::Record, ..world.settings() });
    until("the third write", || arrived(&world, &people, 3));
    let (summary, _) = sink.stop();
    assert_eq!(summary.delivered, 1);
}
