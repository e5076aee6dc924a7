//! The gateway over real sockets, in front of a real broker: what is answered, and what lies in raw
//! afterwards.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::{
    Gateway, KEY, PARTITIONS, PATH, create_topics, settings, shared, sign, unix_seconds, until,
};
use reqwest::StatusCode;
use reqwest::header::HeaderValue;
use schemas::key::CustomerKey;
use schemas::partition;

/// The vendor's own test vector, of 2021.
const OFFICIAL_BODY: &str = r#"{"event_id":"abc","object_type":"email","metric":"delivered"}"#;
const OFFICIAL_TIMESTAMP: &str = "1614265384";
const OFFICIAL_SIGNATURE: &str = "6f55cf23f9b73a2ff07733fe04421f64ce9ec5e409696edda6b2a80311944230";

async fn send_official(gateway: &Gateway, body: &[u8]) -> StatusCode {
    let request = gateway.post(PATH, body).header("X-CIO-Timestamp", OFFICIAL_TIMESTAMP);
    let sent = request.header("X-CIO-Signature", OFFICIAL_SIGNATURE).send().await;
    sent.expect("an answer").status()
}

/// G1, G4.
#[tokio::test]
async fn the_official_vector_is_accepted_and_a_flipped_bit_is_not() {
    let mut settings = settings();
    settings.stale_after = Duration::from_secs(100 * 365 * 86_400);
    let gateway = Gateway::start("vector.", settings).await;
    assert_eq!(send_official(&gateway, OFFICIAL_BODY.as_bytes()).await, 200);
    for bit in [0, 17, OFFICIAL_BODY.len() * 8 - 1] {
        let mut flipped = OFFICIAL_BODY.as_bytes().to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(send_official(&gateway, &flipped).await, 401);
    }
    let raw = gateway.raw(1).await;
    let (record, raw) = &raw[0];
    assert_eq!(raw.bytes, OFFICIAL_BODY.as_bytes());
    assert_eq!(
        (raw.kind.as_str(), raw.source.as_str(), raw.verified_by.as_str()),
        ("webhook", "reporting", "v0")
    );
    assert_eq!((raw.event_id.as_str(), raw.signed_at), ("abc", Some(1_614_265_384_000)));
    assert_eq!(record.key.as_deref(), Some(&b"~evt:abc"[..]));
    assert_eq!(record.partition, partition::of(b"~evt:abc", PARTITIONS));
    let header =
        |name| record.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice());
    assert_eq!(header("event-id"), Some(&b"abc"[..]));
    assert_eq!(header("traceparent").map(<[u8]>::len), Some(55));
    gateway.dead(0).await;
}

/// G5.
#[tokio::test]
async fn an_old_signature_is_never_refused_and_never_reaches_raw() {
    let gateway = Gateway::start("stale.", settings()).await;
    assert_eq!(send_official(&gateway, OFFICIAL_BODY.as_bytes()).await, 200);
    let week_old = (unix_seconds() - 7 * 86_400).to_string();
    let body = r#"{"event_id":"week","metric":"sent"}"#;
    let request = gateway.post(PATH, body).header("X-CIO-Timestamp", &week_old);
    let sent = request.header("X-CIO-Signature", sign(KEY, &week_old, body.as_bytes())).send().await;
    assert_eq!(sent.expect("an answer").status(), 200);
    let letter = &gateway.dead(1).await[0].1;
    assert_eq!((letter.stage.as_str(), letter.reason.as_str()), ("gateway", "stale"));
    assert_eq!(
        (letter.event_id.as_deref(), letter.bytes.as_slice()),
        (Some("abc"), OFFICIAL_BODY.as_bytes())
    );
    assert_eq!(gateway.raw(1).await[0].1.event_id, "week");
}

/// G4: rotation, and sources with keys of their own.
#[tokio::test]
async fn each_source_has_its_keys_and_several_are_live() {
    let mut settings = settings();
    settings.sources[0].keys.push(gateway::signature::Key::new(b"next"));
    settings
        .sources
        .push(gateway::Source { name: "emea".to_owned(), keys: vec![gateway::signature::Key::new(b"e")] });
    let gateway = Gateway::start("keys.", settings).await;
    let emea = "/v1/webhooks/customerio/emea/reporting";
    for (key, path, status) in [
        (KEY, PATH, 200),
        ("next", PATH, 200),
        ("next", "/webhooks/customerio", 200),
        (KEY, "/webhooks/cio/", 200),
        ("e", emea, 200),
        ("e", PATH, 401),
        (KEY, emea, 401),
        (KEY, "/v1/webhooks/customerio/apac/reporting", 404),
        (KEY, "/", 404),
    ] {
        let sent = gateway.signed_by(key, path, r#"{"metric":"sent","event_id":"7"}"#).send().await;
        assert_eq!(sent.expect("an answer").status(), status, "{key} {path}");
    }
    let got = gateway.client.get(format!("{}{PATH}", gateway.url)).send().await.expect("an answer");
    assert_eq!((got.status().as_u16(), &got.headers()["allow"]), (405, &HeaderValue::from_static("POST")));
    let raw = gateway.raw(5).await;
    assert_eq!(raw.iter().filter(|(_, raw)| raw.source == "emea").count(), 1);
}

#[tokio::test]
async fn each_item_of_a_batch_is_its_own_record_and_a_bad_one_is_dead_alone() {
    let gateway = Gateway::start("batch.", settings()).await;
    let items = [
        "{\"metric\":\"sent\" , \"customer_id\":\"1\"}",
        "[0]",
        "{ \"metric\":\"opened\",\"customer_id\":\"2\"}",
    ];
    let sent = gateway
        .signed(format!("{{\"events\":[ {} ]}}\n", items.join(" ,\n")))
        .send()
        .await
        .expect("an answer");
    assert_eq!(sent.status(), 200);
    assert_eq!(sent.text().await.expect("a body"), r#"{"received":3}"#);
    let empty = gateway.signed(r#"{"events":[]}"#).send().await.expect("an answer");
    assert_eq!(
        (empty.status().as_u16(), empty.text().await.expect("a body").as_str()),
        (200, r#"{"received":0}"#)
    );
    let mut bytes = gateway.raw(2).await.into_iter().map(|(_, raw)| raw.bytes).collect::<Vec<_>>();
    bytes.sort();
    assert_eq!(bytes, [items[2].as_bytes(), items[0].as_bytes()]);
    let letter = &gateway.dead(1).await[0].1;
    assert_eq!((letter.reason.as_str(), letter.bytes.as_slice()), ("not_an_object", items[1].as_bytes()));
}

#[tokio::test]
async fn an_address_is_no_key() {
    let gateway = Gateway::start("address.", settings()).await;
    let body = r#"{"metric":"email_bounced","email_address":"Ada@Example.com"}"#;
    assert_eq!(gateway.signed(body).send().await.expect("an answer").status(), 200);
    let key = gateway.raw(1).await[0].0.key.clone().expect("a key");
    let keys = schemas::token::TokenKey::development().into();
    let person = schemas::key::Person { email_address: Some("ada@example.com"), ..Default::default() };
    assert_eq!(key, CustomerKey::of(&person, None, "", &keys).as_bytes());
    assert!(!String::from_utf8_lossy(&key).contains('@'));
}

/// G7: nothing is too large to be kept, and nothing larger than the cap is read into memory.
#[tokio::test]
async fn what_raw_cannot_hold_is_kept_all_the_same() {
    let mut settings = settings();
    settings.message_max_bytes = 256 << 10;
    settings.body_limit = 4 << 20;
    let gateway = Gateway::start("large.", settings).await;
    let event = |id: &str, field: &str, length: usize| {
        format!(
            r#"{{"metric":"sent","event_id":"{id}","customer_id":"1","data":{{"{field}":"{}"}}}}"#,
            "x".repeat(length)
        )
    };
    for (body, status) in [
        (event("small", "content", 100 << 10), 200),
        (event("body", "content", 1 << 20), 200),
        (event("subject", "subject", 1 << 20), 200),
        (event("cap", "subject", 4 << 20), 413),
    ] {
        assert_eq!(gateway.signed(body).send().await.expect("an answer").status(), status);
    }
    let raw = gateway.raw(2).await;
    assert_eq!((raw[0].1.event_id.as_str(), raw[0].1.stripped), ("small", false));
    assert_eq!((raw[1].1.event_id.as_str(), raw[1].1.stripped), ("body", true));
    assert_eq!(raw[1].1.bytes, br#"{"metric":"sent","event_id":"body","customer_id":"1","data":{}}"#);
    let letter = &gateway.dead(1).await[0].1;
    assert_eq!((letter.reason.as_str(), letter.event_id.as_deref()), ("too_large", Some("subject")));
    assert_eq!(
        (letter.bytes.len(), letter.length > 1 << 20, letter.sha256.is_some()),
        (64 << 10, true, true)
    );
}

/// G7: the same where it is the broker that refuses, which this client learns only from its answer.
#[tokio::test]
async fn what_the_broker_refuses_for_good_is_kept_all_the_same() {
    tokio::task::spawn_blocking(|| create_topics(shared(), "refused.", &[("max.message.bytes", "20000")]));
    let bootstrap = tokio::task::spawn_blocking(shared).await.expect("a broker");
    let gateway = Gateway::start_at(bootstrap, "refused.", settings()).await;
    gateway.until_ready().await;
    // What compresses away would fit.
    let noise = (0_u64..8_000)
        .map(|n| format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16))
        .collect::<String>();
    let with =
        |field: &str| format!(r#"{{"metric":"sent","customer_id":"1","data":{{"{field}":"{noise}"}}}}"#);
    for body in [with("content"), with("subject")] {
        assert_eq!(gateway.signed(body).send().await.expect("an answer").status(), 200);
    }
    assert!(gateway.raw(1).await[0].1.stripped);
    assert_eq!(gateway.dead(1).await[0].1.reason, "too_large");
}

/// G3, G6: missing topics are waited for. Webhooks are answered 503 meanwhile, and readiness names the mend.
#[tokio::test]
async fn missing_topics_are_waited_for() {
    let bootstrap = tokio::task::spawn_blocking(shared).await.expect("a broker");
    let gateway = Gateway::start_at(bootstrap, "later.", settings()).await;
    let mend =
        |cause: &Option<String>| cause.as_ref().is_some_and(|cause| cause.contains("aftersend bootstrap"));
    until(|| gateway.health.ready().components.iter().any(|component| mend(&component.cause))).await;
    let body = r#"{"metric":"sent","event_id":"7"}"#;
    assert_eq!(gateway.signed(body).send().await.expect("an answer").status(), 503);
    let made = tokio::task::spawn_blocking(|| create_topics(shared(), "later.", &[]));
    made.await.expect("topics");
    gateway.until_ready().await;
    assert_eq!(gateway.signed(body).send().await.expect("an answer").status(), 200);
}

/// G6.
#[tokio::test]
async fn a_drain_refuses_and_resets_nothing() {
    let mut settings = settings();
    settings.drain_delay = Duration::from_secs(2);
    let gateway = Gateway::start("drain.", settings).await;
    let body = r#"{"metric":"sent","event_id":"7"}"#;
    let kept = gateway.signed(body).send().await.expect("an answer");
    assert!(!kept.headers().contains_key("connection"));
    gateway.stop.request("test");
    until(|| gateway.health.ready().draining).await;
    let (began, mut answered) = (Instant::now(), 1);
    while began.elapsed() < Duration::from_millis(1_500) {
        let answer = gateway.signed(body).send().await.expect("neither refused nor reset");
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["connection"]),
            (200, &HeaderValue::from_static("close"))
        );
        assert!(!gateway.running.is_finished());
        answered += 1;
    }
    until(|| gateway.running.is_finished()).await;
    assert!(gateway.signed(body).send().await.is_err(), "the listener is closed");
    gateway.raw(answered).await;
    assert!(gateway.running.await.expect("no panic").is_ok());
}

/// G6: an idle connection ends with a plain close, never with a reset.
#[tokio::test]
async fn a_drain_lets_idle_connections_go_gently() {
    let gateway = Gateway::start("idle.", settings()).await;
    let mut connection = TcpStream::connect(gateway.url.trim_start_matches("http://")).expect("connected");
    let (answered, heard) = tokio::sync::oneshot::channel();
    let client = tokio::task::spawn_blocking(move || {
        connection.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").expect("sent");
        let mut head = [0; 12];
        connection.read_exact(&mut head).expect("an answer");
        answered.send(head).expect("awaited");
        connection.read_to_end(&mut Vec::new()).expect("a plain close");
    });
    assert_eq!(&heard.await.expect("an answer"), b"HTTP/1.1 404");
    gateway.stop.request("test");
    client.await.expect("neither reset nor left open");
    assert!(gateway.running.await.expect("no panic").is_ok());
}
