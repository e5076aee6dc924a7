//! The Customer.io sink against a vendor that refuses it, and killed in the middle of its work.

use aftersend_tests::deployment::{Deployment, Role};
use aftersend_tests::process::Process;
use aftersend_tests::vendor::Vendor;
use aftersend_tests::wait::{PATIENCE, await_that, await_until};
use devkit::customerio::track::{Fault, Identifier};
use kafka::publisher::Limits;
use kafka::{NextOffset, Outgoing, Publisher};
use schemas::codec;
use schemas::record::CustomerTraits;
use schemas::topic::Topic;

/// The vendor's first people have an id each, and a profile.
const PEOPLE: [&str; 4] = ["u-000001", "u-000002", "u-000004", "u-000005"];

/// Writes revisions `first` to `last` of everybody's traits, a second apart.
fn publish(deployment: &Deployment, first: i64, last: i64) {
    let publisher =
        Publisher::new(&deployment.broker().connection(), &Limits::default()).expect("a publisher");
    let revisions = (first..=last).flat_map(|revision| PEOPLE.map(|id| (id, revision)));
    for (id, revision) in revisions {
        let traits = CustomerTraits {
            customer_id: id.to_owned(),
            revision,
            as_of: (1_767_225_600 + revision) * 1_000,
            changed: vec!["complaint_count".to_owned()],
            complaint_count: Some(revision),
            ..CustomerTraits::default()
        };
        let value = codec::encode(&traits).expect("traits can be encoded");
        let topic = deployment.topics().name(Topic::Trait);
        let record =
            Outgoing { topic, partition: None, key: Some(id.as_bytes()), value: Some(&value), headers: &[] };
        publisher.publish(&record).expect("room in the queue").wait().expect("Kafka takes a record");
    }
}

/// The least revision that anybody's profile shows; none while somebody's shows none.
fn least_revision(vendor: &Vendor) -> Option<i64> {
    let revision = |id: &str| {
        let profile = vendor.track().profile(&Identifier::id(id))?;
        profile.attribute("complaint_count")?.as_i64()
    };
    PEOPLE.iter().map(|id| revision(id)).min().flatten()
}

fn await_cause(sink: &mut Process, named: &str) {
    await_that(&format!("readiness to name {named}"), || {
        sink.assert_alive();
        sink.readiness().is_some_and(|answer| answer.status == 503 && answer.body.contains(named))
    });
}

/// S4 and S3: wrong credentials stop the sink and drain nothing: it stands there, not ready, names the cause,
/// and commits nothing; with the right ones the next one begins where nothing was done.
#[test]
fn s4_wrong_credentials_stop_the_sink_and_drain_nothing() {
    let deployment = Deployment::new("credentials", 2);
    let vendor = Vendor::start(9, 50);
    publish(&deployment, 1, 3);
    let mut sink = deployment.start(Role::CustomerioSink, &vendor.credentials_with_key("wrong"));
    await_that("the vendor to refuse", || vendor.track().counts().unauthorized > 0);
    await_cause(&mut sink, "401");
    let group = deployment.group("aftersend-customerio-sink");
    let exit = sink.stop();
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert!(
        deployment.topic(Topic::Trait).committed(&group).iter().all(Option::is_none),
        "nothing was drained"
    );
    assert_eq!(deployment.topic(Topic::DeadLetter).records().len(), 0);
    assert_eq!(vendor.track().counts().identifies, 0);

    let _sink = deployment.start_ready(Role::CustomerioSink, &vendor.credentials());
    await_that("everything to be delivered", || least_revision(&vendor) == Some(3));
}

/// S2: killed between the vendor's taking a write and its own commit, the sink reads everything again. What
/// it sends then is older than what the vendor has, and undoes nothing, not even for a moment.
#[test]
fn s2_a_killed_sink_undoes_nothing() {
    let deployment = Deployment::new("order", 1);
    let vendor = Vendor::start(9, 50);
    publish(&deployment, 1, 20);
    vendor.track().fail_next(Fault::LostAnswer);
    let sink = deployment.start(Role::CustomerioSink, &vendor.credentials());
    let reached = await_until("a write that is taken and not answered", PATIENCE, || least_revision(&vendor));
    sink.kill();
    let (topic, group) = (deployment.topic(Topic::Trait), deployment.group("aftersend-customerio-sink"));
    assert!(
        reached > 1 && topic.committed(&group) == [None],
        "{reached} was written in one go, and not committed"
    );

    // The successor sends one by one what was one batch.
    let one_by_one = ("AFTERSEND_CUSTOMERIO_SINK_BATCH_RECORDS", "1");
    let _sink = deployment.start(Role::CustomerioSink, &[&vendor.credentials()[..], &[one_by_one]].concat());
    await_that("the last revision, and its commit", || {
        let least = least_revision(&vendor).expect("a revision that was written stays");
        assert!(least >= reached, "{least} undid {reached}");
        least == 20 && topic.committed(&group) == [Some(NextOffset(20 * PEOPLE.len() as i64))]
    });
    assert!(vendor.track().counts().stale_attributes > 0, "older writes were sent again");
    assert_eq!(vendor.track().destroyed(), []);
}
