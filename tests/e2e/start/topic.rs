//! Topics that are not as `bootstrap` makes them.

use aftersend_tests::broker::Shared;
use aftersend_tests::deployment::{Deployment, Role};
use kafka::{Cluster, TopicRequest};
use schemas::topic::Topic;

use super::{assert_refused, with_credentials};

/// Every partitioned topic of a role must have the count of raw: a customer has one partition number.
#[test]
fn a_topic_with_another_count_is_refused_by_every_role_that_uses_it() {
    let deployment = Deployment::new("other-count", 2);
    let cluster = Cluster::connect(&deployment.broker().connection()).expect("a client");
    let users: [(Topic, &[Role]); 3] = [
        (Topic::DeadLetter, &Role::ALL),
        (Topic::Suppression, &[Role::Processor, Role::CustomerioSink]),
        (Topic::Warehouse, &[Role::Processor, Role::WarehouseSink]),
    ];
    for (topic, roles) in users {
        let name = deployment.topics().name(topic);
        let make = |partitions| {
            cluster.delete_topics(&[name]).expect("deletes");
            let settings = [("message.timestamp.type", "LogAppendTime".to_owned())];
            let request = TopicRequest { name, partitions, replication: 1, settings: &settings };
            aftersend_tests::wait::await_that("the topic to be made anew", || {
                cluster.create(&request).is_ok_and(|made| made)
            });
        };
        make(3);
        for role in roles {
            let refused = deployment.start(*role, &with_credentials(&[])).wait();
            assert_refused(&refused, 1, &[name, "has 3 partitions", "made with 2"]);
        }
        make(2);
    }
}

/// G1: what one replica alone has acknowledged is lost with it.
#[test]
fn g1_a_topic_that_one_replica_may_acknowledge_alone_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let kafka = devkit::kafka::Cluster::start(folder.path(), 3, &|_| ()).expect("Kafka starts");
    let deployment = Deployment::without_topics_on(Shared::at(kafka.bootstrap()), "in-sync", 2);
    let cluster = Cluster::connect(&deployment.broker().connection()).expect("a client");
    let make = |topic, replication, in_sync: &str| {
        let name = deployment.topics().name(topic);
        let settings = [
            ("message.timestamp.type", "LogAppendTime".to_owned()),
            ("cleanup.policy", "delete".to_owned()),
            ("max.message.bytes", (8 << 20).to_string()),
            ("min.insync.replicas", in_sync.to_owned()),
        ];
        let request = TopicRequest { name, partitions: 2, replication, settings: &settings };
        assert!(cluster.create(&request).expect("Kafka makes a topic"));
        name.to_owned()
    };
    let alone = make(Topic::Raw, 3, "1");
    let single = make(Topic::Warehouse, 1, "1");
    let mends =
        [&*format!("{alone} has min.insync.replicas = 1, wanted 2"), &format!("{single} has 1 replicas")];
    assert_refused(&deployment.run(&["bootstrap"], &[]), 1, &mends);
}
