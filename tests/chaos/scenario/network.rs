//! Requests and answers that are lost, late, or come at the wrong time.

use std::time::Duration;

use aftersend_tests::wait::{PATIENCE, await_that};
use devkit::kafka::proxy::{Action, Api, Rule, Strike};
use kafka::Connection;
use kafka::transaction::{TransactionLimits, Transactional};

use super::survives;
use crate::fault::{Fault, REQUESTS, Then};
use crate::run::{ChaosRun, Kafka, Plan};

/// Transactions after which work counts as resumed.
const MORE: u64 = 5;

/// One that has positions of every partition: without, a doubt says nothing, and is left to a restore.
fn run(name: &str) -> ChaosRun {
    let mut run = ChaosRun::new(name, Kafka::own(1), Plan { workers: 1, ..Plan::default() });
    run.begin();
    run.await_commits(MORE);
    run.await_caught_up();
    run
}

fn commits(run: &ChaosRun, action: Action) -> Strike {
    let rule = Rule::new(Api::END_TXN, action).when(|request| request.commits == Some(true));
    run.kafka.proxy().arm(rule.times(u32::MAX))
}

/// P1, P2: each kind of request lost once, and once its answer.
#[test]
fn p1_p2_a_lost_request_or_answer_costs_nothing() {
    let lost = |api| [Action::Drop, Action::LoseReply].map(|action| Fault::Lost { api, action });
    let faults: Vec<Fault> = REQUESTS.into_iter().flat_map(lost).collect();
    survives("p1_p2_a_lost_request", Kafka::own(1), 1, &faults);
}

/// P1: C4: the coordinator never hears of the commit, and aborts when its time is up.
#[test]
fn p1_a_commit_that_never_arrived_is_found_out_and_made_again() {
    let mut run = run("p1_a_commit_that_never_arrived");
    let strike = commits(&run, Action::Drop);
    assert!(strike.await_struck(PATIENCE).is_some());
    await_aborted(&run);
    drop(strike);
    await_that("the doubt to be resolved", || run.instances[0].doubts("aborted") > 0);
    run.verify();
}

/// P1: C5: the coordinator commits, and its answer is lost for good: another processor takes the
/// transactional id before it can be asked for again.
#[test]
fn p1_a_commit_whose_answer_never_came_is_found_out_and_kept() {
    let mut run = run("p1_a_commit_whose_answer");
    let proxy = run.kafka.proxy();
    let lost =
        proxy.arm(Rule::new(Api::END_TXN, Action::LoseReply).when(|request| request.commits == Some(true)));
    let asked_again = proxy.arm(Rule::new(Api::END_TXN, Action::Hold));
    assert!(lost.await_answered(PATIENCE), "the coordinator has committed");
    let id = asked_again.await_struck(PATIENCE).and_then(|request| request.transactional_id).expect("an id");
    let limits = TransactionLimits::within(Duration::from_secs(6), 1 << 20);
    let direct = Connection::plain(run.kafka.direct().bootstrap());
    let other = Transactional::init(&direct, &id, &limits, PATIENCE).expect("takes the id");
    drop((other, asked_again));
    await_that("the doubt to be resolved", || run.instances[0].doubts("committed") > 0);
    run.verify();
}

/// P1: C4, C5: killed with its commit on the way to the coordinator, which never hears of it; and killed when
/// that has committed, before it has said so.
#[test]
fn p1_a_crash_with_a_commit_on_its_way_costs_nothing() {
    let mut run = run("p1_a_crash_with_a_commit");
    for action in [Action::Drop, Action::LoseReply] {
        let strike = commits(&run, action);
        assert!(strike.await_struck(PATIENCE).is_some());
        assert!(action == Action::Drop || strike.await_answered(PATIENCE), "the coordinator has committed");
        run.kill(0);
        drop(strike);
        run.start(0);
        run.await_commit(0);
        run.await_commits(MORE);
    }
    run.verify();
}

/// P1: C14: killed in doubt, before it could ask what became of its commit.
#[test]
fn p1_a_crash_in_doubt_leaves_a_doubt_that_the_next_start_resolves() {
    let mut run = run("p1_a_crash_in_doubt");
    run.instances[0].stop();
    let marker = run.start_drilled(0, "doubted", 1);
    let strike = commits(&run, Action::Drop);
    assert!(strike.await_struck(PATIENCE).is_some());
    await_aborted(&run);
    drop(strike);
    run.await_marker(0, &marker);
    run.kill(0);
    run.start(0);
    run.await_commit(0);
    run.verify();
}

/// P1: KIP-890: a commit was given up, asked for again and answered, and then its first asking arrives inside
/// a later transaction.
#[test]
fn p1_a_late_commit_does_not_end_a_later_transaction() {
    let faults: Vec<Fault> =
        [0, 7, 30, 110, 400].map(|after| Fault::Late { after: Duration::from_millis(after) }).into();
    survives("p1_a_late_commit", Kafka::own(1), 1, &faults);
}

/// P1: KIP-890, exactly: the late commit arrives while a later transaction of the same worker stands open
/// with all its records in the log. It stays open. Of three brokers, only the one that decides was out of
/// reach for a moment.
#[test]
fn p1_a_late_commit_does_not_end_the_transaction_that_is_open() {
    deliver_inside_a_later("p1_a_late_commit_does_not_end_the", Kafka::own(3), |run, node| {
        run.kafka.proxy().links()[node].cut();
    });
}

/// P1: KIP-890, and no connection was ever broken: the client itself closes the one on which a commit has had
/// no answer for too long, says little of it, and commits on another. What it closed delivers all the same.
#[test]
fn p1_a_commit_that_arrives_after_its_request_timed_out_ends_nothing_else() {
    deliver_inside_a_later("p1_a_commit_that_arrives_after", Kafka::own(1), |_, _| {});
}

/// A commit is held back, its client commits once more after `disturb`, which is told the broker, and goes
/// on; then what was held arrives while a later transaction of the same producer, as far as the client knows,
/// stands open with all its records in the log.
fn deliver_inside_a_later(name: &str, kafka: Kafka, disturb: impl FnOnce(&ChaosRun, usize)) {
    let mut run = ChaosRun::new(name, kafka, Plan { workers: 1, ..Plan::default() });
    run.start_load();
    let marker = run.start_drilled(0, "flushed", 30);
    let after_some = |action| {
        let rule = Rule::new(Api::END_TXN, action).when(|request| request.commits == Some(true));
        run.kafka.proxy().arm(rule.after(20))
    };
    let (late, again) = (after_some(Action::Hold), after_some(Action::Delay(Duration::ZERO)));
    let node = late.await_struck(PATIENCE).expect("a processor commits").node;
    disturb(&run, node);
    assert!(again.await_answered(PATIENCE), "the client commits once more");
    run.await_marker(0, &marker);
    assert_eq!(["committed", "aborted"].map(|verdict| run.instances[0].doubts(verdict)), [0, 0]);
    let warehouse = run.deployment.topic(schemas::topic::Topic::Warehouse);
    assert!(warehouse.has_open_transaction());
    late.release();
    assert!(late.await_answered(PATIENCE));
    // What it would have committed is there twice once the worker has made it again.
    assert!(warehouse.has_open_transaction(), "a late commit ended it");
    run.kill(0);
    run.start(0);
    run.await_commit(0);
    run.verify();
}

/// P1: out of reach of every broker for longer than a transaction and a session may last; and killed in the
/// middle of it.
#[test]
fn p1_a_partition_longer_than_a_session_costs_nothing() {
    let parted = Fault::Parted { node: None, time: Duration::from_secs(8) };
    let killed = Fault::Kill { who: 0, after: Duration::ZERO, then: Then::SameDisk };
    survives("p1_a_partition_longer", Kafka::own(1), 2, &[parted.clone(), killed, Fault::Cut, parted]);
}

/// P1: a producer's first request, in which the coordinator ends what its predecessor left open, is late,
/// lost, or answered in vain; and one comes when its sender is long dead, and fences the successor's
/// producer.
#[test]
fn p1_a_producer_that_is_late_to_begin_costs_nothing() {
    let mut run = run("p1_a_producer_that_is_late");
    let proxy = run.kafka.proxy();
    for action in [Action::Delay(Duration::from_secs(3)), Action::Drop, Action::LoseReply, Action::Hold] {
        run.kill(0);
        // The only worker's. The process asks for the time under another id before.
        let of_worker = |id: &String| id.ends_with("-i0-0");
        let begins = Rule::new(Api::INIT_PRODUCER_ID, action);
        let strike =
            proxy.arm(begins.when(move |request| request.transactional_id.as_ref().is_some_and(of_worker)));
        run.start(0);
        assert!(strike.await_struck(PATIENCE).is_some());
        if action == Action::Hold {
            run.kill(0);
            run.start(0);
            run.await_commit(0);
            strike.release();
            assert!(strike.await_answered(PATIENCE));
        }
        run.await_commit(0);
        run.await_commits(MORE);
    }
    run.verify();
}

/// P1: of three brokers, only the group's coordinator is out of reach, for longer than a session.
#[test]
fn p1_a_group_coordinator_out_of_reach_costs_nothing() {
    let mut run = ChaosRun::new("p1_a_group_coordinator_out", Kafka::own(3), Plan::default());
    run.begin();
    let beat = run.kafka.proxy().arm(Rule::new(Api::HEARTBEAT, Action::Delay(Duration::ZERO)));
    let node = beat.await_struck(PATIENCE).expect("a member says that it lives").node;
    for seconds in [3, 9] {
        run.inject(&Fault::Parted { node: Some(node), time: Duration::from_secs(seconds) });
    }
    run.verify();
}

/// Waits until the coordinator has aborted what was left open: until then, the stable end stands.
fn await_aborted(run: &ChaosRun) {
    let state = run.deployment.topic(schemas::topic::Topic::State);
    await_that("the coordinator to abort", || !state.has_open_transaction());
}
