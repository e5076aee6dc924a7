//! Against real nodes: each start is a JVM, so one test walks through a whole life.

use super::{Node, probe};
use crate::kafka::Error;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn quiet(_: &str) {}

fn address(node: &Node) -> SocketAddr {
    node.bootstrap().parse().unwrap()
}

fn topics(node: &Node) -> Vec<String> {
    probe::metadata(address(node)).unwrap().topics
}

/// `CreateTopics` version 4: one topic, two partitions, one copy, no settings.
fn create_topic(node: &Node, name: &str) {
    let mut body = 1_i32.to_be_bytes().to_vec();
    body.extend(i16::try_from(name.len()).unwrap().to_be_bytes());
    body.extend(name.as_bytes());
    body.extend(2_i32.to_be_bytes());
    body.extend(1_i16.to_be_bytes());
    body.extend([0; 8]); // no assignments, no settings
    body.extend(5_000_i32.to_be_bytes());
    body.push(0); // not only validated
    probe::call(address(node), 19, 4, &body).unwrap();
}

/// The field after the state and the parent.
fn process_group(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(2)?.parse().ok()
}

fn alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_node_keeps_its_topics_and_ports_through_kill_stop_pause_and_drop() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = Node::start(dir.path(), &quiet).unwrap();
    let (bootstrap, first_pid) = (node.bootstrap().to_owned(), node.pid().unwrap());
    create_topic(&node, "kept");
    assert_eq!(process_group(first_pid), Some(first_pid), "Ctrl-C is not for the broker");

    node.kill();
    assert!(!alive(first_pid));
    assert!(TcpStream::connect(address(&node)).is_err(), "a killed node refuses connections");

    node.restart().unwrap();
    assert_eq!(node.bootstrap(), bootstrap);
    assert_ne!(node.pid(), Some(first_pid));
    assert_eq!(topics(&node), ["kept"]);

    node.stop();
    assert_eq!(node.pid(), None);
    TcpListener::bind(address(&node)).expect("a stopped node has left its port");
    node.restart().unwrap();
    assert_eq!(topics(&node), ["kept"]);

    node.pause();
    assert!(probe::metadata(address(&node)).is_err(), "a paused node answers nothing");
    node.resume();
    assert_eq!(topics(&node), ["kept"]);

    let last_pid = node.pid().unwrap();
    drop(node);
    assert!(!alive(last_pid), "dropping a node leaves no process behind");

    let again = Node::start(dir.path(), &quiet).unwrap();
    assert_eq!(topics(&again), ["kept"], "a new node takes up the data in the folder");
}

#[test]
fn two_nodes_at_once_are_two_clusters() {
    let (left, right) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (left, right) = std::thread::scope(|scope| {
        let left = scope.spawn(|| Node::start(left.path(), &quiet).unwrap());
        let right = scope.spawn(|| Node::start(right.path(), &quiet).unwrap());
        (left.join().unwrap(), right.join().unwrap())
    });
    assert_ne!(left.bootstrap(), right.bootstrap());
    create_topic(&left, "left");
    assert_eq!(topics(&left), ["left"]);
    assert!(topics(&right).is_empty());
}

#[test]
fn a_node_dies_with_a_parent_that_was_killed() {
    // This very test binary is the parent: started once more, with a folder, it starts a node and waits to be
    // killed.
    const PARENT: &str = "DEVKIT_TEST_PARENT";
    const NAME: &str = "kafka::node::tests::a_node_dies_with_a_parent_that_was_killed";
    if let Some(dir) = std::env::var_os(PARENT) {
        let node = Node::start(dir.as_ref(), &quiet).unwrap();
        std::fs::write(std::path::Path::new(&dir).join("pid"), node.pid().unwrap().to_string()).unwrap();
        loop {
            std::thread::park();
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args([NAME, "--exact"])
        .env(PARENT, dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let read_pid = || std::fs::read_to_string(dir.path().join("pid")).ok().and_then(|pid| pid.parse().ok());
    let pid: u32 = eventually(Duration::from_secs(90), read_pid);
    assert!(alive(pid));

    parent.kill().unwrap();
    parent.wait().unwrap();
    eventually(Duration::from_secs(10), || (!alive(pid)).then_some(()));
}

#[test]
fn a_folder_that_another_node_uses_is_refused_and_that_node_unharmed() {
    let dir = tempfile::tempdir().unwrap();
    let mut holder = Node::start(dir.path(), &quiet).unwrap();
    assert!(matches!(Node::start(dir.path(), &quiet), Err(Error::InUse { .. })));
    create_topic(&holder, "kept");
    holder.kill();
    assert!(matches!(Node::start(dir.path(), &quiet), Err(Error::InUse { .. })), "it may want to restart");
    holder.restart().unwrap();
    assert_eq!(topics(&holder), ["kept"]);
}

#[test]
fn what_kafka_refuses_is_told_with_the_end_of_its_log() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("data")).unwrap();
    std::fs::write(dir.path().join("data/meta.properties"), "version=1\ncluster.id=elsewhere\nnode.id=7\n")
        .unwrap();
    let error = Node::start(dir.path(), &quiet).unwrap_err().to_string();
    assert!(error.contains("kafka ended while starting"), "{error}");
    assert!(error.contains("Stored node id 7"), "{error}");
}

fn eventually<T>(patience: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(began.elapsed() < patience, "not within {patience:?}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
