//! The admin port over real sockets.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::net::SocketAddr;
use std::time::Duration;

use lifecycle::{Error, Health, Stop, admin};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const LIMIT: Duration = Duration::from_secs(30);

/// Longer than anything here takes: a test that hangs fails by it.
const PATIENCE: Duration = Duration::from_secs(20);

struct Admin {
    address: SocketAddr,
    health: Health,
    stop: Stop,
    server: JoinHandle<Result<(), Error>>,
}

impl Admin {
    async fn start() -> Admin {
        let metrics = telemetry::init(&telemetry::Settings::default()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (health, stop) = (Health::new(), Stop::new());
        let server = tokio::spawn(admin::serve(listener, health.clone(), metrics, stop.clone()));
        Admin { address, health, stop, server }
    }

    async fn ask(&self, path: &str) -> (u16, String) {
        let response = reqwest::get(format!("http://{}{path}", self.address)).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn readiness(&self) -> (u16, Value) {
        let (status, body) = self.ask("/readyz").await;
        (status, serde_json::from_str(&body).unwrap())
    }

    /// Asks until the answer is `wanted`, as a supervisor does.
    async fn until_readiness(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let asking = async {
            loop {
                let (_, body) = self.readiness().await;
                if wanted(&body) {
                    return body;
                }
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.expect("the wanted readiness comes")
    }

    async fn left(self) -> Result<(), Error> {
        tokio::time::timeout(PATIENCE, self.server).await.expect("the server leaves").unwrap()
    }
}

fn metric(text: &str, line: &str) -> Option<f64> {
    text.lines().find_map(|each| each.strip_prefix(line)?.trim().parse().ok())
}

#[tokio::test]
async fn liveness_is_200_whatever_readiness_says() {
    let admin = Admin::start().await;
    drop(admin.health.component("dead", LIMIT));
    assert_eq!(admin.ask("/livez").await, (200, "alive\n".to_owned()));
    assert_eq!(admin.readiness().await.0, 503);
}

#[tokio::test]
async fn readiness_lists_each_component_with_its_cause() {
    let admin = Admin::start().await;
    let (consumer, producer) =
        (admin.health.component("consumer", LIMIT), admin.health.component("producer", LIMIT));
    consumer.ready();
    producer.not_ready("no acknowledgement for 12 s");
    let (status, body) = admin.readiness().await;
    assert_eq!(status, 503);
    assert_eq!(body["ready"], false);
    assert_eq!(body["components"][0]["name"], "consumer");
    assert_eq!(body["components"][0]["state"], "ready");
    assert_eq!(body["components"][0]["cause"], Value::Null);
    assert_eq!(body["components"][1]["state"], "not_ready");
    assert_eq!(body["components"][1]["cause"], "no acknowledgement for 12 s");
    producer.ready();
    let (status, body) = admin.readiness().await;
    assert_eq!((status, &body["ready"]), (200, &Value::Bool(true)));
}

/// E4: a component that goes silent is told and counted, though nothing else happens.
#[tokio::test]
async fn e4_a_stall_is_answered_and_counted_once_and_so_is_a_death() {
    let admin = Admin::start().await;
    let vital = admin.health.component("stalling", Duration::from_millis(1));
    vital.ready();
    let body = admin.until_readiness(|body| body["components"][0]["state"] == "stalled").await;
    assert!(body["components"][0]["cause"].as_str().unwrap().starts_with("no progress for"), "{body}");
    drop(vital);
    assert_eq!(admin.readiness().await.1["components"][0]["state"], "died");
    let (status, text) = admin.ask("/metrics").await;
    assert_eq!(status, 200);
    assert_eq!(
        metric(&text, "aftersend_lifecycle_stalls_total{component=\"stalling\"}"),
        Some(1.0),
        "{text}"
    );
    assert_eq!(
        metric(&text, "aftersend_lifecycle_deaths_total{component=\"stalling\"}"),
        Some(1.0),
        "{text}"
    );
    assert!(text.contains("# HELP aftersend_lifecycle_stalls_total"), "{text}");
}

/// The server is the last to leave: a drain can be watched until its end.
#[tokio::test]
async fn a_drain_is_answered_until_the_last_component_ends() {
    let admin = Admin::start().await;
    let vital = admin.health.component("worker", LIMIT);
    vital.ready();
    admin.stop.request("test");
    let body = admin.until_readiness(|body| body["draining"] == true).await;
    assert_eq!(body["ready"], false);
    assert_eq!(admin.ask("/livez").await.0, 200);
    vital.finished();
    admin.left().await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_not_reset_when_the_server_leaves() {
    let admin = Admin::start().await;
    let mut idle = TcpStream::connect(admin.address).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: admin\r\n\r\n").await.unwrap();
    let mut answer = [0; 15];
    idle.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    admin.stop.request("test");
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.expect("an orderly end of the stream");
    admin.left().await.unwrap();
}

/// A client that never finishes its request can't keep the process.
#[tokio::test]
async fn half_a_request_delays_the_leave_only_for_its_limit() {
    let admin = Admin::start().await;
    let mut slow = TcpStream::connect(admin.address).await.unwrap();
    slow.write_all(b"GET /livez HT").await.unwrap();
    admin.readiness().await;
    admin.stop.request("test");
    admin.left().await.unwrap();
}

/// An answer that leaves a sent body unread would reset the connection, and could be lost on its way.
#[tokio::test]
async fn a_body_nobody_asked_for_gets_its_answer_without_a_reset() {
    const BODY_BYTES: usize = 4 << 20;
    let admin = Admin::start().await;
    for path in ["/livez", "/readyz", "/metrics", "/nowhere"] {
        let mut client = TcpStream::connect(admin.address).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\nContent-Length: {BODY_BYTES}\r\n\r\n"
        );
        client.write_all(head.as_bytes()).await.unwrap();
        client.write_all(&vec![b'x'; BODY_BYTES]).await.expect("the whole body is taken");
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.expect("an orderly end of the stream");
        let status = if path == "/nowhere" { "HTTP/1.1 404" } else { "HTTP/1.1 405" };
        assert!(answer.starts_with(status.as_bytes()), "{path}");
    }
}
