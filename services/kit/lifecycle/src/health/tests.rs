//! What readers of a [`Report`] rely on.

use std::time::{Duration, Instant};

use super::{Health, State};
use crate::Stop;

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn nothing_named_is_not_ready() {
    assert!(!Health::new().ready().ready);
}

#[test]
fn ready_means_every_component_is() {
    let health = Health::new();
    let (consumer, producer) = (health.component("consumer", LIMIT), health.component("producer", LIMIT));
    consumer.ready();
    let report = health.ready();
    assert!(!report.ready);
    assert_eq!(report.components[1].state, State::Starting);
    producer.ready();
    assert!(health.ready().ready);
    producer.not_ready("no broker");
    let report = health.ready();
    assert!(!report.ready);
    assert_eq!(report.components[1].cause.as_deref(), Some("no broker"));
}

/// E4: progress alone ends a stall, whatever was said.
#[test]
fn e4_a_silent_component_is_stalled_and_progress_mends_it() {
    let health = Health::new();
    let vital = health.component("worker", LIMIT);
    vital.ready();
    let later = Instant::now() + LIMIT + Duration::from_secs(1);
    let report = health.report(later);
    assert!(!report.ready);
    assert_eq!(report.components[0].state, State::Stalled);
    vital.progress();
    assert!(health.report(Instant::now()).ready);
}

#[test]
fn a_vital_dropped_by_a_panic_is_a_death_with_a_name() {
    let health = Health::new();
    let vital = health.component("worker", LIMIT);
    vital.ready();
    std::thread::spawn(move || {
        let _held = vital;
        panic!("test");
    })
    .join()
    .unwrap_err();
    let report = health.ready();
    assert!(!report.ready);
    assert_eq!(report.died(), ["worker"]);
}

#[test]
fn a_finished_component_is_no_cause() {
    let health = Health::new();
    let (restore, worker) = (health.component("restore", LIMIT), health.component("worker", LIMIT));
    restore.finished();
    worker.ready();
    let report = health.ready();
    assert!(report.ready);
    assert_eq!(report.components[0].state, State::Finished);
    worker.finished();
    assert!(!health.ready().ready, "nothing runs any more");
    assert!(health.ready().died().is_empty());
}

#[test]
fn draining_is_for_good() {
    let health = Health::new();
    let vital = health.component("worker", LIMIT);
    vital.ready();
    health.draining();
    vital.ready();
    let report = health.ready();
    assert!(report.draining && !report.ready);
}

#[test]
fn a_restarted_component_takes_over_its_name() {
    let health = Health::new();
    drop(health.component("worker", LIMIT));
    let restarted = health.component("worker", LIMIT);
    restarted.ready();
    let report = health.ready();
    assert!(report.ready);
    assert_eq!(report.components.len(), 1);
}

#[test]
fn a_death_requests_the_stop_where_asked_and_an_end_does_not() {
    let (health, stop) = (Health::new(), Stop::new());
    health.stop_on_death(&stop);
    health.component("restore", LIMIT).finished();
    assert!(!stop.requested());
    drop(health.component("worker", LIMIT));
    assert!(stop.requested());
}

#[tokio::test]
async fn ended_waits_for_the_last_component() {
    let health = Health::new();
    health.ended().await;
    let (one, other) = (health.component("one", LIMIT), health.component("other", LIMIT));
    let ended = tokio::spawn({
        let health = health.clone();
        async move { health.ended().await }
    });
    one.finished();
    tokio::task::yield_now().await;
    assert!(!ended.is_finished());
    drop(other);
    ended.await.unwrap();
}
