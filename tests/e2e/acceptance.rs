//! What the gateway takes, refuses and keeps, as a process.

use std::collections::BTreeSet;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use aftersend_tests::deployment::{Deployment, Role};
use aftersend_tests::process::Process;
use aftersend_tests::process::http::{self, Answer};
use aftersend_tests::vendor::{ENDPOINT, Pace, Vendor, signed};
use aftersend_tests::wait::await_that;
use schemas::record::DeadLetter;
use schemas::topic::Topic;

use crate::verdict::raw_event_ids;

/// The vendor's own test vector: <https://github.com/customerio/customerio-node/blob/main/test/webhooks.ts>.
const VECTOR_KEY: &str = "signing-secret";
const VECTOR_TIMESTAMP: &str = "1614265384";
const VECTOR_BODY: &[u8] = br#"{"event_id":"abc","object_type":"email","metric":"delivered"}"#;
const VECTOR_SIGNATURE: &str = "6f55cf23f9b73a2ff07733fe04421f64ce9ec5e409696edda6b2a80311944230";

/// A signature's first flipped bit.
const VECTOR_FORGED: &str = "7f55cf23f9b73a2ff07733fe04421f64ce9ec5e409696edda6b2a80311944230";

fn post(gateway: &Process, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    http::post(gateway.listen, ENDPOINT, headers, body).expect("the gateway answers")
}

fn post_signed(gateway: &Process, body: &[u8]) -> std::io::Result<Answer> {
    let headers = signed(body);
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    http::post(gateway.listen, ENDPOINT, &headers, body)
}

/// G4 and G5: the vendor's own vector is accepted, however old it is, and kept apart for its age; one flipped
/// bit of signature, body or time is refused, and leaves nothing.
#[test]
fn g4_the_official_vector_is_accepted_and_a_flipped_bit_is_refused() {
    let deployment = Deployment::new("vector", 2);
    let gateway = deployment.start_ready(Role::Gateway, &[("CUSTOMERIO_WEBHOOK_SIGNING_KEY", VECTOR_KEY)]);
    let send = |timestamp, signature, body: &[u8]| {
        post(&gateway, &[("X-CIO-Timestamp", timestamp), ("X-CIO-Signature", signature)], body)
    };
    let accepted = send(VECTOR_TIMESTAMP, VECTOR_SIGNATURE, VECTOR_BODY);
    assert_eq!((accepted.status, accepted.body.as_str()), (200, r#"{"received":1}"#));

    let mut body = VECTOR_BODY.to_vec();
    body[20] ^= 1;
    for refused in [
        send(VECTOR_TIMESTAMP, VECTOR_FORGED, VECTOR_BODY),
        send(VECTOR_TIMESTAMP, VECTOR_SIGNATURE, &body),
        send("1614265385", VECTOR_SIGNATURE, VECTOR_BODY),
    ] {
        assert_eq!(refused.status, 401, "{}", refused.body);
    }
    assert_eq!(raw_event_ids(&deployment), Vec::<String>::new());
    let letters: Vec<DeadLetter> = deployment.topic(Topic::DeadLetter).decoded();
    let letters: Vec<_> = letters
        .iter()
        .map(|letter| (letter.stage.as_str(), letter.reason.as_str(), letter.bytes.as_slice()))
        .collect();
    assert_eq!(letters, [("gateway", "stale", VECTOR_BODY)]);
    verify_signature_agrees(&deployment);
}

/// The operator's tool says the same.
fn verify_signature_agrees(deployment: &Deployment) {
    let body = deployment.path("body.json");
    std::fs::write(&body, VECTOR_BODY).expect("a file can be written");
    let body = body.display().to_string();
    let verify = |signature: &str| {
        let arguments =
            ["verify-signature", "--timestamp", VECTOR_TIMESTAMP, "--signature", signature, "--body", &body];
        deployment.run(&arguments, &[("CUSTOMERIO_WEBHOOK_SIGNING_KEY", VECTOR_KEY)])
    };
    let (valid, forged) = (verify(VECTOR_SIGNATURE), verify(VECTOR_FORGED));
    assert!(valid.code == Some(0) && valid.stdout.starts_with("valid"), "{valid:?}");
    assert!(forged.code == Some(1) && forged.stdout.contains("why"), "{forged:?}");
    assert!(
        !forged.stdout.contains(VECTOR_KEY) && !forged.stderr.contains(VECTOR_KEY),
        "a key is never shown (E2)"
    );
}

/// G1: whatever was answered 200 when the gateway was killed is in Kafka.
#[test]
fn g1_what_was_accepted_survives_a_kill() {
    let deployment = Deployment::new("accepted", 2);
    let vendor = Vendor::start(5, 60);
    let schedule = vendor.schedule(3_000, 0.0, 1);
    let gateway = deployment.start_ready(Role::Gateway, &[]);
    let sending = vendor.send(gateway.listen, &schedule, Pace { lanes: 16, calls_per_s: None });
    await_that("a few hundred answers", || sending.stats().read().accepted >= 300);
    gateway.kill();
    let accepted = sending.stop();
    assert!((300..3_000).contains(&accepted.len()), "killed in the middle: {}", accepted.len());
    let kept: BTreeSet<String> = raw_event_ids(&deployment).into_iter().collect();
    let lost: Vec<&str> = accepted
        .iter()
        .map(|place| schedule.outcomes()[*place].event_id.as_str())
        .filter(|id| !kept.contains(*id))
        .collect();
    assert_eq!(lost, Vec::<&str>::new(), "answered 200, and not in Kafka");
}

/// G6: a SIGTERM in the middle of the stream costs no answer. Readiness goes first, requests are taken until
/// the drain delay is over, and the exit code is 0.
#[test]
fn g6_a_sigterm_drains_the_gateway() {
    let deployment = Deployment::new("drain", 2);
    let vendor = Vendor::start(6, 60);
    let schedule = vendor.schedule(300, 0.0, 1);
    let mut gateway = deployment.start_ready(Role::Gateway, &[("AFTERSEND_GATEWAY_DRAIN_DELAY", "10s")]);
    let sending = vendor.send(gateway.listen, &schedule, Pace { lanes: 4, calls_per_s: Some(150.0) });
    let stats = sending.stats().clone();
    await_that("the first answers", || stats.read().accepted >= 50);
    gateway.terminate();
    await_that("readiness to go", || gateway.readiness().is_some_and(|answer| answer.status == 503));
    assert!(stats.read().started < 300, "the drain began in the middle");
    let report = sending.finish();
    assert_eq!(report.accepted.len(), 300);
    let answers = stats.read().answers;
    assert_eq!(
        answers.into_iter().collect::<Vec<_>>(),
        [("200".to_owned(), 300)],
        "no answer but 200, and none missing"
    );
    let exit = gateway.wait();
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert_eq!(raw_event_ids(&deployment).len(), 300);
}

/// G2 and G3: a broker that takes connections and never answers. The gateway listens all the same, and every
/// signed call gets its 503 in time, from the start on and for as long as it lasts. Readiness names the
/// cause, and a SIGTERM is heard.
#[test]
fn g3_while_the_broker_is_silent_the_gateway_answers_503() {
    let deployment = Deployment::without_topics("outage", 2);
    // The kernel accepts for it.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("it is bound").to_string();
    let gateway = deployment.start(Role::Gateway, &[("AFTERSEND_KAFKA", &address)]);
    await_that("the gateway to listen", || TcpStream::connect(gateway.listen).is_ok());
    let body = br#"{"object_type":"email","metric":"sent","timestamp":1767225600,"data":{}}"#;
    // Longer than any look at the broker takes.
    let end = Instant::now() + Duration::from_secs(12);
    while Instant::now() < end {
        let asked = Instant::now();
        let answer = post_signed(&gateway, body).expect("an answer");
        let took = asked.elapsed();
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(took < Duration::from_millis(3_500), "the vendor gives up at 4 s: answered after {took:?}");
    }
    let readiness = gateway.readiness().expect("an answer");
    assert_eq!(readiness.status, 503);
    assert!(readiness.body.contains("cause"), "{}", readiness.body);
    let exit = gateway.stop();
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
}
