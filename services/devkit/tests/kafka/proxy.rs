//! What the proxy does to a transactional client, seen from past the proxy.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use devkit::kafka::Cluster;
use devkit::kafka::proxy::{Action, Api, Rule};
use rdkafka::producer::Producer as _;
use tempfile::TempDir;

use crate::client::{PATIENCE, Reader, begin_with, create_topic, transactional, unique, write};

/// One node for the tests that only touch their own transactions and topics.
fn shared() -> Arc<(Cluster, TempDir)> {
    static SHARED: Mutex<Weak<(Cluster, TempDir)>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let started = Arc::new(own());
        *shared = Arc::downgrade(&started);
        started
    })
}

fn own() -> (Cluster, TempDir) {
    let dir = tempfile::tempdir().expect("a folder");
    (Cluster::start(dir.path(), 1, &|_| ()).expect("kafka starts"), dir)
}

fn topic_on(cluster: &Cluster) -> (String, Reader) {
    let topic = unique("outcomes");
    create_topic(cluster.bootstrap(), &topic);
    let reader = Reader::new(cluster.bootstrap(), &topic);
    (topic, reader)
}

fn commits_of(id: &str, action: Action) -> Rule {
    Rule::new(Api::END_TXN, action).of_transaction(id)
}

#[test]
fn a_commit_whose_reply_is_lost_took_place_and_its_client_asks_again() {
    let shared = shared();
    let (cluster, id) = (&shared.0, unique("lost-reply"));
    let (topic, reader) = topic_on(cluster);
    let producer = transactional(cluster.proxy().bootstrap(), &id);
    let asked_again = cluster.proxy().arm(commits_of(&id, Action::Delay(Duration::ZERO)).after(1));
    let strike = cluster.proxy().arm(commits_of(&id, Action::LoseReply));

    begin_with(&producer, &topic, "once");
    producer.commit_transaction(PATIENCE).unwrap();

    let struck = strike.await_struck(Duration::ZERO).expect("the commit went through the proxy");
    assert_eq!((struck.commits, struck.client_id.as_deref()), (Some(true), Some("rdkafka")));
    assert!(strike.await_answered(Duration::ZERO), "the broker had answered");
    assert!(asked_again.await_struck(Duration::ZERO).is_some(), "the client never saw that answer");
    assert_eq!(reader.values(), ["once"]);
    assert!(cluster.proxy().requests(Api::END_TXN) >= 2);
}

#[test]
fn a_commit_whose_request_is_dropped_did_not_take_place() {
    let shared = shared();
    let (cluster, id) = (&shared.0, unique("dropped"));
    let (topic, reader) = topic_on(cluster);
    let producer = transactional(cluster.proxy().bootstrap(), &id);
    let strike = cluster.proxy().arm(commits_of(&id, Action::Drop).times(u32::MAX));

    begin_with(&producer, &topic, "in time");
    let in_vain = producer.commit_transaction(Duration::from_secs(1));
    assert!(in_vain.is_err(), "{in_vain:?}");
    assert!(strike.await_struck(Duration::ZERO).is_some());
    assert!(reader.values().is_empty(), "the transaction is open");

    drop(strike);
    producer.commit_transaction(PATIENCE).unwrap();
    assert_eq!(reader.values(), ["in time"]);
}

#[test]
fn a_delayed_commit_takes_place_later() {
    const LATE: Duration = Duration::from_millis(700);
    let shared = shared();
    let (cluster, id) = (&shared.0, unique("delayed"));
    let (topic, reader) = topic_on(cluster);
    let producer = transactional(cluster.proxy().bootstrap(), &id);
    let strike = cluster.proxy().arm(commits_of(&id, Action::Delay(LATE)));

    begin_with(&producer, &topic, "late");
    let began = Instant::now();
    producer.commit_transaction(PATIENCE).unwrap();
    assert!(began.elapsed() >= LATE);
    assert!(strike.await_answered(Duration::ZERO));
    assert_eq!(reader.values(), ["late"]);
}

/// KIP-890's hazard, as librdkafka's clients have it: why a disturbed producer must not begin another
/// transaction.
#[test]
fn a_held_commit_that_outlives_its_connection_ends_the_next_transaction() {
    let (cluster, _dir) = own();
    let (topic, reader) = topic_on(&cluster);
    let producer = transactional(cluster.proxy().bootstrap(), "held");
    let strike = cluster.proxy().arm(commits_of("held", Action::Hold));

    begin_with(&producer, &topic, "first");
    std::thread::scope(|scope| {
        let commit = scope.spawn(|| producer.commit_transaction(PATIENCE));
        assert!(strike.await_struck(PATIENCE).is_some());
        assert!(!commit.is_finished(), "the commit waits for the held request");
        cluster.proxy().cut();
        commit.join().unwrap().expect("the client asks again on a new connection");
    });
    assert_eq!(reader.values(), ["first"]);

    begin_with(&producer, &topic, "second");
    assert_eq!(reader.values(), ["first"]);
    strike.release();
    assert!(strike.await_answered(PATIENCE), "a request outlives its connection");
    crate::client::await_until(|| reader.values() == ["first", "second"]);
}

#[test]
fn a_parted_broker_is_reached_past_the_proxy_only() {
    let (cluster, _dir) = own();
    let (topic, reader) = topic_on(&cluster);
    let through = cluster.proxy().bootstrap();
    write(through, &topic, "before", PATIENCE).unwrap();

    cluster.proxy().part();
    write(through, &topic, "lost", Duration::from_secs(1)).unwrap_err();
    write(cluster.bootstrap(), &topic, "past", PATIENCE).unwrap();

    cluster.proxy().join();
    write(through, &topic, "after", PATIENCE).unwrap();
    assert_eq!(reader.values(), ["before", "past", "after"]);
}

#[test]
fn a_cut_connection_is_made_again_by_its_client() {
    let (cluster, _dir) = own();
    let (topic, reader) = topic_on(&cluster);
    let producer = transactional(cluster.proxy().bootstrap(), "cut");
    begin_with(&producer, &topic, "kept");
    cluster.proxy().cut();
    producer.commit_transaction(PATIENCE).unwrap();
    assert_eq!(reader.values(), ["kept"]);
}
