//! Three nodes, of which one may be missing.

use devkit::kafka::{Cluster, Node};
use rdkafka::producer::Producer as _;

use crate::client::{PATIENCE, Reader, begin_with, create_topic, transactional, write};

type Disturbance = fn(&mut Node);

#[test]
fn three_nodes_keep_what_they_acknowledged_while_each_fails_in_turn_and_all_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(dir.path(), 3, &|_| ()).unwrap();
    let bootstrap = cluster.bootstrap().to_owned();
    create_topic(&bootstrap, "kept");
    let reader = Reader::new(&bootstrap, "kept");
    assert_eq!(reader.replicas().len(), 3, "a copy on each node");

    let producer = transactional(cluster.proxy().bootstrap(), "transactions");
    let mut expected = Vec::new();
    let disturbances: [(&str, Disturbance); 3] =
        [("killed", Node::kill), ("stopped", Node::stop), ("paused", Node::pause)];
    for (index, (name, disturb)) in disturbances.into_iter().enumerate() {
        disturb(&mut cluster.nodes()[index]);
        begin_with(&producer, "kept", name);
        producer.commit_transaction(PATIENCE).unwrap();
        expected.push(name);
        let node = &mut cluster.nodes()[index];
        node.resume();
        if node.pid().is_none() {
            node.restart().unwrap();
        }
    }
    let states = Reader::new(&bootstrap, "__transaction_state");
    assert_eq!(states.replicas().len(), 3);

    cluster.nodes().iter_mut().for_each(Node::kill);
    cluster.restart().unwrap();
    write(&bootstrap, "kept", "all again", PATIENCE).unwrap();
    expected.push("all again");
    assert_eq!(reader.values(), expected);
}

#[test]
fn a_cluster_takes_up_the_folders_that_it_left() {
    let dir = tempfile::tempdir().unwrap();
    let first = Cluster::start(dir.path(), 1, &|_| ()).unwrap();
    create_topic(first.bootstrap(), "kept");
    write(first.bootstrap(), "kept", "of the first", PATIENCE).unwrap();
    drop(first);
    let second = Cluster::start(dir.path(), 1, &|_| ()).unwrap();
    assert_eq!(Reader::new(second.bootstrap(), "kept").values(), ["of the first"]);
}
