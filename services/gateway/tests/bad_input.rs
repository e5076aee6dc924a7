//! Each kind of bad input: what is answered, where it is kept, and what counts it. The README's table in
//! executable form. A process of its own, since the counters are the process's.

#[allow(dead_code, reason = "the other test binary uses the rest")]
#[path = "gateway/harness.rs"]
mod harness;

use std::collections::BTreeMap;

use gateway::metric;
use harness::{Gateway, KEY, PATH, settings, sign, unix_seconds};
use reqwest::RequestBuilder;
use telemetry::Metrics;

/// Where the events of a request are afterwards.
#[derive(Clone, Copy)]
enum Kept {
    Raw,
    Dead,
    Nowhere,
}

struct Case {
    name: &'static str,
    request: RequestBuilder,
    status: u16,
    kept: Kept,
    /// The label value that is counted: an event's outcome, an oddity or a refusal.
    counted: &'static [&'static str],
}

#[tokio::test]
async fn each_bad_input_has_its_outcome_its_counter_and_its_place() {
    let metrics = telemetry::init(&quiet()).expect("telemetry");
    let mut settings = settings();
    settings.batch_items_max = 100;
    let gateway = Gateway::start("bad.", settings).await;
    let cases =
        signature_cases(&gateway).into_iter().chain(body_cases(&gateway)).chain(event_cases(&gateway));
    let (mut raw, mut dead, mut sent) = (0, 0, 0.0);
    for Case { name, request, status, kept, counted } in cases {
        let before = counters(&metrics);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{name}");
        sent += 1.0;
        let after = counters(&metrics);
        for label in counted {
            let grown = grown(&before, &after, |series| series.contains(&format!("\"{label}\"")));
            assert!((grown - 1.0).abs() < 0.1, "{name}: {label} grew by {grown}");
        }
        match kept {
            Kept::Raw => raw += 1,
            Kept::Dead => dead += 1,
            Kept::Nowhere => {}
        }
    }
    // E1, in requests and in events.
    let end = counters(&metrics);
    let total = |name: &str| grown(&BTreeMap::new(), &end, |series| series.split('{').next() == Some(name));
    assert!((total(metric::RECEIVED) - sent).abs() < 0.1);
    assert!((total(metric::RECEIVED) - total(metric::ACCEPTED) - total(metric::REFUSED)).abs() < 0.1);
    assert!((total(metric::EVENTS) - f64::from(raw + dead)).abs() < 0.1);
    gateway.raw(raw.try_into().expect("small")).await;
    gateway.dead(dead.try_into().expect("small")).await;
}

fn signature_cases(gateway: &Gateway) -> Vec<Case> {
    const BODY: &str = r#"{"metric":"sent","event_id":"s","timestamp":1767225600}"#;
    let at = unix_seconds().to_string();
    let signature = sign(KEY, &at, BODY.as_bytes());
    let with = |timestamps: &[&str], signatures: &[&str]| {
        let request = gateway.post(PATH, BODY);
        let request = timestamps.iter().fold(request, |request, at| request.header("X-CIO-Timestamp", *at));
        signatures.iter().fold(request, |request, signature| request.header("X-CIO-Signature", *signature))
    };
    let refused = |name, request, counted| Case { name, request, status: 401, kept: Kept::Nowhere, counted };
    let accepted = |name, request| Case { name, request, status: 200, kept: Kept::Raw, counted: &["raw"] };
    let (upper, prefixed) = (signature.to_uppercase(), format!("v0={signature}"));
    vec![
        accepted("upper-case hex", with(&[&at], &[&upper])),
        accepted("a v0= prefix", with(&[&at], &[&prefixed])),
        refused("no timestamp", with(&[], &[&signature]), &["timestamp_missing"]),
        refused("an empty timestamp", with(&[""], &[&signature]), &["timestamp_missing"]),
        refused("two timestamps", with(&[&at, &at], &[&signature]), &["timestamp_repeated"]),
        refused("no signature", with(&[&at], &[]), &["signature_missing"]),
        refused("two signatures", with(&[&at], &[&signature, &signature]), &["signature_repeated"]),
        refused("no hex", with(&[&at], &["sha256=abc"]), &["signature_not_hex"]),
        refused("a wrong signature", with(&[&at], &[&"0".repeat(64)]), &["signature_mismatch"]),
        refused("another time", with(&["1"], &[&signature]), &["signature_mismatch"]),
        refused("another key", gateway.signed_by("other", PATH, BODY), &["signature_mismatch"]),
    ]
}

fn body_cases(gateway: &Gateway) -> Vec<Case> {
    let dead = |name, body: Vec<u8>, counted| Case {
        name,
        request: gateway.signed(body),
        status: 200,
        kept: Kept::Dead,
        counted,
    };
    let large = |fill: u8, length: usize| [b"{\"metric\":\"", vec![fill; length].as_slice()].concat();
    let nested = [vec![b'['; 200_000], vec![b']'; 200_000]].concat();
    let many = format!(r#"{{"events":[{}]}}"#, vec!["{}"; 101].join(","));
    let refused = |name, body: Vec<u8>| Case {
        name,
        request: gateway.signed(body),
        status: 413,
        kept: Kept::Nowhere,
        counted: &["too_large"],
    };
    vec![
        dead("an empty body", vec![], &["empty_body"]),
        dead("malformed JSON", b"{\"metric\":".to_vec(), &["malformed_json"]),
        dead("two values", b"{} {}".to_vec(), &["malformed_json"]),
        dead("invalid UTF-8", b"{\"metric\":\"\xff\"}".to_vec(), &["not_utf8"]),
        dead("a number", b"7".to_vec(), &["not_an_object"]),
        dead("a deep array", nested, &["not_an_object"]),
        dead("10 MB of malformed JSON", large(b'x', 10_000_000), &["malformed_json"]),
        refused("more than 16 MiB", large(b'x', 16 << 20)),
        refused("more events than a body may hold", many.into_bytes()),
        Case {
            name: "an empty batch",
            request: gateway.signed(r#"{"events":[]}"#),
            status: 200,
            kept: Kept::Nowhere,
            counted: &[],
        },
        Case {
            name: "an empty array",
            request: gateway.signed("[]"),
            status: 200,
            kept: Kept::Nowhere,
            counted: &[],
        },
    ]
}

type Row = (&'static str, &'static str, &'static [&'static str]);

/// In raw although something about them is unusual.
const UNUSUAL: [Row; 17] = [
    (
        "an unknown object type and metric",
        r#"{"metric":"poked","object_type":"pigeon","event_id":"u","timestamp":1767225600}"#,
        &["raw"],
    ),
    (
        "wrong types",
        r#"{"metric":"sent","event_id":[],"object_type":7,"timestamp":{},"data":[]}"#,
        &["event_id_unusable", "time_absurd"],
    ),
    ("missing fields", r#"{"metric":"sent"}"#, &["event_id_missing", "time_missing"]),
    ("a time before 2010", r#"{"metric":"sent","event_id":"t1","timestamp":1}"#, &["time_absurd"]),
    (
        "a time that no number holds",
        r#"{"metric":"sent","event_id":"t2","timestamp":1e400}"#,
        &["time_absurd"],
    ),
    ("a time far ahead", r#"{"metric":"sent","event_id":"t3","timestamp":4000000000}"#, &["time_ahead"]),
    (
        "empty identifiers",
        r#"{"metric":"sent","event_id":"i","timestamp":1767225600,"data":{"identifiers":{}}}"#,
        &["raw"],
    ),
    (
        "an event_id twice",
        r#"{"metric":"sent","event_id":"a","event_id":"b","timestamp":1767225600}"#,
        &["event_id_repeated"],
    ),
    (
        "other keys twice",
        r#"{"metric":"sent","metric":"x","event_id":"k","timestamp":1767225600,"data":{},"data":1}"#,
        &["raw"],
    ),
    ("a bare array", r#"[{"metric":"sent","event_id":"o1","timestamp":1767225600}]"#, &["raw", "bare_array"]),
    (
        "data as a text",
        r#"{"metric":"sent","event_id":"o2","timestamp":1767225600,"data":"{\"customer_id\":\"7\"}"}"#,
        &["raw", "data_as_text"],
    ),
    (
        "a calendar date",
        r#"{"metric":"sent","event_id":"o3","timestamp":"2026-01-01T00:00:00Z"}"#,
        &["raw", "time_as_date"],
    ),
    (
        "another name of a metric",
        r#"{"metric":"email_suppressed","event_id":"o4","timestamp":1767225600}"#,
        &["raw", "metric_alias"],
    ),
    (
        "changed preferences without their content",
        r#"{"metric":"cio_subscription_preferences_changed","event_id":"o5","timestamp":1767225600}"#,
        &["raw", "preferences_missing"],
    ),
    (
        "a failure message of parts",
        r#"{"metric":"bounced","event_id":"o6","timestamp":1767225600,"failure_message":["550"]}"#,
        &["raw", "failure_not_text"],
    ),
    (
        "an id that is an address",
        r#"{"metric":"sent","event_id":"o7","timestamp":1767225600,"customer_id":"ada@x.io"}"#,
        &["raw", "id_is_address"],
    ),
    (
        "a vendor's id with its prefix",
        r#"{"metric":"sent","event_id":"o8","timestamp":1767225600,"data":{"identifiers":{"cio_id":"cio_0300"}}}"#,
        &["raw"],
    ),
];

const NO_EVENTS: [Row; 3] = [
    ("no metric", r#"{"event_id":"1","customer_id":"1"}"#, &["no_metric"]),
    ("an empty metric", r#"{"metric":""}"#, &["no_metric"]),
    ("a metric of another type", r#"{"metric":{"a":1}}"#, &["no_metric"]),
];

fn event_cases(gateway: &Gateway) -> Vec<Case> {
    let case = |name, body: &str, kept, counted| Case {
        name,
        request: gateway.signed(body),
        status: 200,
        kept,
        counted,
    };
    let with = |field: &str, value: &str| {
        format!(r#"{{"metric":"sent","event_id":"m","timestamp":1767225600,"{field}":{value}}}"#)
    };
    let text = format!("\"{}\"", "x".repeat(10_000_000));
    let deep = format!("{}{}", "[".repeat(9_000), "]".repeat(9_000));
    let mut cases = vec![
        case("10 MB without a message body", &with("subject", &text), Kept::Dead, &["too_large"]),
        case("10 MB of message body", &with("content", &text), Kept::Raw, &["stripped"]),
        case("a deep event", &with("a", &deep), Kept::Raw, &["raw"]),
    ];
    cases.extend(UNUSUAL.map(|(name, body, counted)| case(name, body, Kept::Raw, counted)));
    cases.extend(NO_EVENTS.map(|(name, body, counted)| case(name, body, Kept::Dead, counted)));
    cases
}

fn quiet() -> telemetry::Settings {
    telemetry::Settings { format: telemetry::Format::Text, level: "error".to_owned() }
}

/// Every counter series of the gateway, as exposed.
fn counters(metrics: &Metrics) -> BTreeMap<String, f64> {
    let text = metrics.render();
    let series =
        text.lines().filter(|line| line.starts_with("aftersend_gateway_") && line.contains("_total"));
    series
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(name, value)| (name.to_owned(), value.parse().expect("a number")))
        .collect()
}

fn grown(
    before: &BTreeMap<String, f64>,
    after: &BTreeMap<String, f64>,
    counts: impl Fn(&str) -> bool,
) -> f64 {
    let grown = |series: &String, value: &f64| value - before.get(series).copied().unwrap_or_default();
    after.iter().filter(|(series, _)| counts(series)).map(|(series, value)| grown(series, value)).sum()
}
