//! Against a real node: that everything holds there, and that each try tells where something doesn't.

use devkit::kafka::Node;
use futures::executor::block_on;
use rdkafka::admin::{AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::producer::Producer as _;

use super::claim::{Tried, Verdict};
use super::site::{Names, PATIENCE, Site};
use super::topic::{Tombstone, judge_broker, judge_ids, told_back};
use super::{fence, offset, record, topic};
use crate::{Connection, Error, TopicId};

const PREFIX: &str = "team-a.";

fn node() -> (Node, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Node::start(dir.path(), &|_| ()).unwrap(), dir)
}

#[test]
fn everything_holds_on_apache_kafka_and_nothing_is_left_behind() {
    let (node, _dir) = node();
    let connection = Connection::plain(node.bootstrap());
    let findings = super::run(&connection, PREFIX, 1, &|_| ()).unwrap();
    for finding in &findings {
        assert!(!finding.is_fault(), "{finding:?}");
        // A machine that is busy may keep the cleaner from its two rounds; nothing else has an excuse.
        let late = finding.seen.starts_with("not seen within");
        assert!(finding.verdict == Verdict::Holds || late, "{finding:?}");
    }
    assert_eq!(findings.len(), 14);

    let site = Site::make(&connection, Names::random(""), 1).unwrap();
    let client = site.admin.inner();
    let topics = client.fetch_metadata(None, PATIENCE).unwrap();
    assert!(topics.topics().iter().all(|topic| !topic.name().starts_with(PREFIX)));
    let groups = client.fetch_group_list(None, PATIENCE).unwrap();
    assert!(groups.groups().iter().all(|group| !group.name().starts_with(PREFIX)));
}

fn verdict(tried: Result<Tried, Error>) -> Verdict {
    tried.unwrap().verdict
}

/// What no broker here gets wrong is made wrong by what the try is given: no open transaction where one should be, a commit
/// instead of an abort, a place in the group that is still good.
#[test]
fn a_claim_that_does_not_hold_is_told() {
    use Verdict::{Broken, Unknown};
    let (node, _dir) = node();
    let connection = Connection::plain(node.bootstrap());
    let site = &Site::make(&connection, Names::random(PREFIX), 1).unwrap();
    let senders_clock = AlterConfig::new(ResourceSpecifier::Topic(&site.names.topic))
        .set("message.timestamp.type", "CreateTime");
    block_on(site.admin.alter_configs(&[senders_clock], &AdminOptions::new())).unwrap();
    let producer = &site.producer(&site.names.transactional).unwrap();
    let mut members = fence::Members::join(site, Some("first")).unwrap();
    let first = &members.metadata().unwrap();

    assert_eq!(verdict(offset::is_held_back(site)), Broken, "nothing is open");
    assert_eq!(verdict(record::ends_differ(site)), Broken, "nothing is open");
    assert_eq!(verdict(offset::earlier_stands(site)), Broken, "nothing was committed");

    offset::open(site, producer, first).unwrap();
    producer.commit_transaction(PATIENCE).unwrap();
    assert_eq!(verdict(offset::earlier_stands(site)), Broken, "what should be aborted was committed");
    assert_eq!(verdict(record::only_committed(site, record::ABORTED)), Broken, "likewise");
    assert_eq!(verdict(record::has_append_time(site)), Broken, "the topic keeps the sender's time");

    assert_eq!(verdict(offset::metadata_of(site, producer, first, 5_000)), Broken);
    let still_good = fence::is_refused(site, producer, first, fence::GENERATION);
    assert_eq!(verdict(still_good), Broken);
    members.add(site).unwrap();
    let only_stale = fence::is_refused(site, producer, first, fence::INSTANCE);
    assert_eq!(verdict(only_stale), Unknown, "refused, but not for its instance id");
    assert_eq!(verdict(fence::successor_fences(site, "stranger")), Broken);

    assert_eq!(verdict(topic::have_ids(site)), Broken, "one of them isn't made yet");
    topic::make_compacted(site, 1).unwrap();
    let _tombstone = Tombstone::write(site).unwrap();
    assert!(topic::traces(site).unwrap() > 0, "the cleaner has not been there yet");
}

#[test]
fn settings_that_are_told_back_otherwise_or_not_at_all_are_told() {
    let told = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let given = [("cleanup.policy", "compact"), ("segment.ms", "1000")];
    assert_eq!(told_back(&given, &told(&given)).verdict, Verdict::Holds);
    let other = told_back(&given, &told(&[("cleanup.policy", "delete")]));
    assert_eq!(other.verdict, Verdict::Broken);
    assert_eq!(
        other.seen,
        "cleanup.policy = delete instead of compact, segment.ms = nothing instead of 1000"
    );

    let ids = |ids: [u8; 2]| judge_ids(&ids.map(|id| Some(TopicId([id; 16])))).verdict;
    assert_eq!((ids([1, 2]), ids([1, 1])), (Verdict::Holds, Verdict::Broken));

    let verified = ("transaction.partition.verification.enable", "true");
    let judged = |pairs: &[(&str, &str)]| judge_broker(&told(pairs)).verdict;
    assert_eq!(judged(&[("unclean.leader.election.enable", "false"), verified]), Verdict::Holds);
    assert_eq!(judged(&[("unclean.leader.election.enable", "true"), verified]), Verdict::Broken);
    assert_eq!(judged(&[verified]), Verdict::Unknown);
}
