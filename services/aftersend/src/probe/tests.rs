//! Against a real node: every claim holds there, and each test reports a claim that is made not to hold.

use devkit::kafka::Node;
use futures::executor::block_on;
use kafka::{Connection, TopicId};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;

use super::claim::{ClaimStatus, ProbeOutcome};
use super::resource::{ANSWER_MAX, Names, Resources};
use super::topic::{Tombstone, check_broker, check_markers, compare_ids, compare_settings};
use super::{fence, offset, record, topic};

const PREFIX: &str = "team-a.";

fn admin(node: &Node) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", node.bootstrap()).create().unwrap()
}

fn node() -> (Node, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Node::start(dir.path(), &|_| ()).unwrap(), dir)
}

#[test]
fn everything_holds_on_apache_kafka_and_nothing_is_left_behind() {
    let (node, _dir) = node();
    let connection = Connection::plain(node.bootstrap());
    let claims = super::check_claims(&connection, PREFIX, 1, &|_| ()).unwrap();
    for checked in &claims {
        assert!(!checked.is_fault(), "{checked:?}");
        // A machine that is busy may keep the cleaner from its two rounds; nothing else has an excuse.
        let late = checked.seen.starts_with("not seen within");
        assert!(checked.status == ClaimStatus::Holds || late, "{checked:?}");
    }
    assert_eq!(claims.len(), 15);

    let admin = admin(&node);
    let client = admin.inner();
    let topics = client.fetch_metadata(None, ANSWER_MAX).unwrap();
    assert!(topics.topics().iter().all(|topic| !topic.name().starts_with(PREFIX)));
    let groups = client.fetch_group_list(None, ANSWER_MAX).unwrap();
    assert!(groups.groups().iter().all(|group| !group.name().starts_with(PREFIX)));
}

fn status(outcome: anyhow::Result<ProbeOutcome>) -> ClaimStatus {
    outcome.unwrap().status
}

/// No broker here breaks a claim, so each test gets the wrong situation: no open transaction, a commit
/// instead of an abort, a membership that is still valid.
#[test]
fn a_claim_that_does_not_hold_is_reported() {
    use ClaimStatus::{Broken, Unknown};
    let (node, _dir) = node();
    let connection = Connection::plain(node.bootstrap());
    let resources = &Resources::create(&connection, Names::random(PREFIX), 1).unwrap();
    let senders_clock = AlterConfig::new(ResourceSpecifier::Topic(&resources.names.topic))
        .set("message.timestamp.type", "CreateTime");
    block_on(admin(&node).alter_configs(&[senders_clock], &AdminOptions::new())).unwrap();
    let producer = &resources.producer(&resources.names.transactional).unwrap();
    let mut members = fence::Members::join(resources, Some("first")).unwrap();
    let first = &members.membership().unwrap();

    assert_eq!(status(offset::is_held_back(resources)), Broken, "nothing is open");
    assert_eq!(status(record::ends_differ(resources)), Broken, "nothing is open");
    assert_eq!(status(offset::earlier_stands(resources)), Broken, "nothing was committed");

    offset::open(resources, producer, first).unwrap();
    producer.commit().unwrap();
    assert_eq!(status(offset::earlier_stands(resources)), Broken, "what should be aborted was committed");
    assert_eq!(status(record::only_committed(resources, record::ABORTED)), Broken, "likewise");
    assert_eq!(status(record::has_append_time(resources)), Broken, "the topic keeps the sender's time");

    assert_eq!(status(offset::metadata_of(resources, producer, first, 5_000)), Broken);
    let still_good = fence::is_refused(resources, producer, first, fence::GENERATION);
    assert_eq!(status(still_good), Broken);
    members.add(resources).unwrap();
    let only_stale = fence::is_refused(resources, producer, first, fence::INSTANCE);
    assert_eq!(status(only_stale), Unknown, "refused, but not for its instance id");
    assert_eq!(status(fence::successor_fences(resources, "stranger")), Broken);

    assert_eq!(status(topic::have_ids(resources)), Broken, "one of them isn't made yet");
    topic::create_compacted(resources, 1).unwrap();
    let _tombstone = Tombstone::write(resources).unwrap();
    assert!(topic::traces(resources).unwrap() > 0, "the cleaner has not been there yet");
}

#[test]
fn settings_that_come_back_different_or_not_at_all_are_reported() {
    let returned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let given = [("cleanup.policy", "compact"), ("segment.ms", "1000")];
    assert_eq!(compare_settings(&given, &returned(&given)).status, ClaimStatus::Holds);
    let other = compare_settings(&given, &returned(&[("cleanup.policy", "delete")]));
    assert_eq!(other.status, ClaimStatus::Broken);
    assert_eq!(
        other.seen,
        "cleanup.policy = delete instead of compact, segment.ms = nothing instead of 1000"
    );

    let ids = |ids: [u8; 2]| compare_ids(&ids.map(|id| Some(TopicId([id; 16])))).status;
    assert_eq!((ids([1, 2]), ids([1, 1])), (ClaimStatus::Holds, ClaimStatus::Broken));

    let verified = ("transaction.partition.verification.enable", "true");
    let judged = |pairs: &[(&str, &str)]| check_broker(&returned(pairs)).status;
    assert_eq!(judged(&[("unclean.leader.election.enable", "false"), verified]), ClaimStatus::Holds);
    assert_eq!(judged(&[("unclean.leader.election.enable", "true"), verified]), ClaimStatus::Broken);
    assert_eq!(judged(&[verified]), ClaimStatus::Unknown);
}

/// Redpanda keeps markers by default, and may keep its settings to itself.
#[test]
fn markers_that_stay_are_told_from_markers_of_which_nothing_is_known() {
    let judge = |key: &str, value: &str| check_markers(&[(key.to_owned(), value.to_owned())]).status;
    let property = "log_compaction_tx_batch_removal_enabled";
    assert_eq!(judge(property, "false"), ClaimStatus::Broken);
    assert_eq!(judge(property, "true"), ClaimStatus::Holds);
    assert_eq!(judge("transaction.partition.verification.enable", "true"), ClaimStatus::Holds);
    assert_eq!(judge("log.segment.bytes", "1"), ClaimStatus::Unknown);
}
