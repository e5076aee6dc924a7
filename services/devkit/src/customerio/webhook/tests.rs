use std::collections::HashMap;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use tokio::net::{TcpListener, TcpSocket};

use super::{Answer, Disorder, Ended, Schedule, Sender, Settings, TIMEOUT, sign};
use crate::customerio::population::Population;

/// Decides a status by the call and by how often this event has come before.
type Answering = dyn Fn(&Received, usize) -> u16 + Send + Sync;

/// A receiver that answers as it is told, and remembers what came in which order.
#[derive(Clone)]
struct Receiver {
    calls: Arc<Mutex<Vec<Received>>>,
    answer: Arc<Answering>,
}

#[derive(Clone, Debug)]
struct Received {
    event_id: String,
    answered: u16,
    headers: HeaderMap,
    body: Bytes,
}

/// Not a status: the receiver never answers.
const NEVER: u16 = 0;

impl Receiver {
    async fn start(
        answer: impl Fn(&Received, usize) -> u16 + Send + Sync + 'static,
    ) -> (Receiver, SocketAddr) {
        let receiver = Receiver { calls: Arc::default(), answer: Arc::new(answer) };
        let router = Router::new().route("/hook", post(receive)).with_state(receiver.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        (receiver, address)
    }

    fn calls(&self) -> Vec<Received> {
        self.calls.lock().unwrap().clone()
    }

    fn ids(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.event_id).collect()
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let event: Value = serde_json::from_slice(&body).unwrap();
    let event_id = event["event_id"].as_str().unwrap().to_owned();
    let answered = {
        let mut calls = receiver.calls.lock().unwrap();
        let mut call = Received { event_id, answered: 0, headers, body };
        let before = calls.iter().filter(|earlier| earlier.event_id == call.event_id).count();
        call.answered = (receiver.answer)(&call, before);
        calls.push(call.clone());
        call.answered
    };
    if answered == NEVER {
        pending::<()>().await;
    }
    StatusCode::from_u16(answered).unwrap()
}

fn schedule(count: usize, disorder: &Disorder) -> Schedule {
    Schedule::new(Population::new(1, 50).outcomes(1, count, 1_767_225_600), disorder)
}

fn in_order(count: usize) -> Schedule {
    schedule(count, &Disorder { duplicates: 0.0, window: 0, seed: 1 })
}

fn settings(address: SocketAddr) -> Settings {
    Settings { clock_factor: 72_000.0, ..Settings::new(format!("http://{address}/hook"), "signing-key") }
}

#[tokio::test]
async fn every_call_is_signed_over_its_exact_bytes() {
    let (receiver, address) = Receiver::start(|_, _| 200).await;
    let schedule = in_order(50);
    let report = Sender::new(settings(address)).unwrap().run(&schedule, pending()).await;

    assert_eq!((report.ended, report.accepted.len()), (Ended::Complete, 50));
    for (call, outcome) in receiver.calls().iter().zip(schedule.outcomes()) {
        let header = |name: &str| call.headers[name].to_str().unwrap();
        assert_eq!(call.body, outcome.body);
        assert_eq!(header("x-cio-signature"), sign("signing-key", header("x-cio-timestamp"), &call.body));
        assert_eq!(header("content-type"), "application/json");
        assert!(header("user-agent").contains("Customer.io"));
    }
}

/// Each tenth event fails twice, in turn with an hour's wait and with a backoff.
fn failing_now_and_then(schedule: &Schedule) -> impl Fn(&Received, usize) -> u16 + Send + Sync + 'static {
    let place: HashMap<String, usize> =
        schedule.outcomes().iter().enumerate().map(|(place, is)| (is.event_id.clone(), place)).collect();
    move |call, before| match place[&call.event_id] % 10 {
        3 if before == 0 => 503,
        3 if before == 1 => 429,
        _ => 200,
    }
}

#[tokio::test]
async fn with_one_lane_nothing_overtakes_a_failing_call() {
    let schedule = in_order(60);
    let (receiver, address) = Receiver::start(failing_now_and_then(&schedule)).await;
    let sender = Sender::new(settings(address)).unwrap();
    sender.run(&schedule, pending()).await;

    let expected: Vec<String> = schedule
        .outcomes()
        .iter()
        .enumerate()
        .flat_map(|(place, is)| std::iter::repeat_n(is.event_id.clone(), if place % 10 == 3 { 3 } else { 1 }))
        .collect();
    assert_eq!(receiver.ids(), expected);
    let stats = sender.stats().read();
    assert_eq!((stats.started, stats.attempts, stats.accepted, stats.retried), (60, 72, 60, 12));
    assert_eq!((stats.answers["503"], stats.answers["429"], stats.stalls), (6, 6, 6));
    assert!(!stats.stalled && stats.stalled_for >= Duration::from_millis(600), "{stats:?}");
}

#[tokio::test]
async fn with_more_lanes_only_what_was_on_its_way_comes_between_a_failure_and_its_success() {
    let lanes = 4;
    let schedule = schedule(200, &Disorder { duplicates: 0.2, window: 20, seed: 5 });
    let (receiver, address) = Receiver::start(failing_now_and_then(&schedule)).await;
    let sender = Sender::new(Settings { lanes, ..settings(address) }).unwrap();
    let report = sender.run(&schedule, pending()).await;
    assert_eq!(report.accepted.len(), 200, "each event at least once");

    let calls = receiver.calls();
    let failures = calls.iter().enumerate().filter(|(_, call)| call.answered == 503);
    for (place, failure) in failures {
        let behind = &calls[place + 1..];
        let success =
            behind.iter().position(|call| call.event_id == failure.event_id && call.answered == 200);
        let new = behind[..success.unwrap()].iter().filter(|call| {
            calls.iter().filter(|all| all.event_id == call.event_id).all(|all| all.answered == 200)
        });
        assert!(new.count() < lanes, "more came through than were on their way");
    }
    assert_eq!(sender.stats().read().accepted, 240);
}

#[tokio::test]
async fn a_receiver_that_never_answers_is_given_four_seconds() {
    let (receiver, address) = Receiver::start(|_, before| if before == 0 { NEVER } else { 204 }).await;
    let sender = Sender::new(settings(address)).unwrap();
    sender.run(&in_order(1), pending()).await;

    let stats = sender.stats().read();
    assert_eq!((stats.answers["timed out"], stats.answers["204"], receiver.calls().len()), (1, 1, 2));
    assert!((TIMEOUT..TIMEOUT + Duration::from_secs(3)).contains(&stats.slowest), "{:?}", stats.slowest);
}

#[tokio::test]
async fn a_refused_connection_stalls_the_queue_and_a_stop_ends_it() {
    // Bound and not listening: the port stays ours, so that nobody else answers on it.
    let silent = TcpSocket::new_v4().unwrap();
    silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let closed = silent.local_addr().unwrap();
    let sender = Sender::new(Settings { clock_factor: 1.0, ..settings(closed) }).unwrap();
    let stats = sender.stats();
    let stalled = async {
        while !stats.read().stalled {
            tokio::task::yield_now().await;
        }
    };
    let report = sender.run(&in_order(10), stalled).await;

    assert_eq!((report.ended, report.accepted.len()), (Ended::Stopped, 0));
    let stats = sender.stats().read();
    assert_eq!((stats.started, &stats.answers["refused"]), (1, &1));
    assert!(stats.last_error.unwrap().starts_with("refused for 0"));
}

#[tokio::test]
async fn the_pace_spaces_calls() {
    let (_, address) = Receiver::start(|_, _| 200).await;
    let sender = Sender::new(Settings { pace_per_s: Some(100.0), lanes: 8, ..settings(address) }).unwrap();
    let began = std::time::Instant::now();
    sender.run(&in_order(30), pending()).await;
    assert!(began.elapsed() >= Duration::from_millis(200), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_redirect_is_no_success_and_not_followed() {
    let (receiver, address) = Receiver::start(|_, before| if before == 0 { 302 } else { 200 }).await;
    let sender = Sender::new(settings(address)).unwrap();
    sender.run(&in_order(1), pending()).await;
    assert_eq!((sender.stats().read().answers["302"], receiver.calls().len()), (1, 2));
    assert!(!Answer::Status(302).accepted());
}

#[test]
fn settings_without_sense_are_refused() {
    let url = "http://127.0.0.1:1/hook";
    let refused = |settings: Settings| Sender::new(settings).map(drop).unwrap_err().to_string();
    assert!(refused(Settings::new("nowhere", "key")).contains("URL"));
    assert!(refused(Settings { clock_factor: 0.0, ..Settings::new(url, "key") }).contains("clock_factor"));
    assert!(
        refused(Settings { pace_per_s: Some(f64::NAN), ..Settings::new(url, "key") }).contains("pace_per_s")
    );
    assert!(!format!("{:?}", Settings::new(url, "hidden")).contains("hidden"));
}
