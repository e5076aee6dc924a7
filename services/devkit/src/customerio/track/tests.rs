use std::net::SocketAddr;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::workspace::Workspace;
use super::{Fault, Identifier, Profile, Settings, Track, operation};
use crate::customerio::population::Population;

/// A Track API on a port of its own, and a client that has its credentials.
struct Api {
    track: Track,
    address: SocketAddr,
    client: reqwest::Client,
}

impl Api {
    async fn start(settings: Settings) -> Api {
        let track = Track::new(settings, Population::new(1, 50).people());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = track.clone();
        tokio::spawn(async move { serving.serve(listener, std::future::pending()).await });
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build().unwrap();
        Api { track, address, client }
    }

    async fn post(&self, path: &str, body: String) -> reqwest::Result<(u16, Value)> {
        let request =
            self.client.post(format!("http://{}{path}", self.address)).basic_auth("site", Some("key"));
        let response = request.body(body).send().await?;
        Ok((response.status().as_u16(), response.json().await?))
    }

    async fn batch(&self, items: &[Value]) -> (u16, Value) {
        self.post("/api/v2/batch", json!({ "batch": items }).to_string()).await.unwrap()
    }

    fn attribute(&self, id: &str, name: &str) -> Option<Value> {
        self.track.profile(&Identifier::id(id)).unwrap().attribute(name).cloned()
    }
}

fn settings() -> Settings {
    Settings::new("site", "key")
}

fn identify(id: &str, attributes: &Value) -> Value {
    json!({ "type": "person", "action": "identify", "identifiers": { "id": id }, "attributes": attributes })
}

fn identify_at(id: &str, timestamp_s: i64, attributes: &Value) -> Value {
    let mut item = identify(id, attributes);
    item["timestamp"] = timestamp_s.into();
    item
}

/// The field at fault, or none where the item is fine.
fn fault_of(item: &Value) -> Option<String> {
    let raw = serde_json::value::to_raw_value(item).unwrap();
    operation::read(&raw, 1_767_225_600).err().map(|violation| violation.field)
}

#[tokio::test]
async fn the_region_is_told_to_whom_has_the_credentials() {
    let api = Api::start(settings()).await;
    let get = |key: &'static str| {
        let url = format!("http://{}/api/v1/accounts/region", api.address);
        api.client.get(url).basic_auth("site", Some(key)).send()
    };
    let answer: Value = get("key").await.unwrap().json().await.unwrap();
    assert_eq!(
        answer,
        json!({ "url": format!("http://{}", api.address), "region": "us", "environment_id": 3 })
    );
    assert_eq!(get("wrong").await.unwrap().status(), 401);
    assert_eq!(api.track.counts().unauthorized, 1);
}

#[tokio::test]
async fn an_accepted_batch_is_answered_as_the_vendor_does() {
    let api = Api::start(settings()).await;
    let url = format!("http://{}/api/v2/batch", api.address);
    let body = json!({ "batch": [identify("u-000001", &json!({ "plan": "pro" }))] }).to_string();
    let response = api.client.post(url).basic_auth("site", Some("key")).body(body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json; charset=utf-8");
    assert_eq!(response.text().await.unwrap(), "{}\n");
    assert_eq!(api.attribute("u-000001", "plan"), Some("pro".into()));
}

#[tokio::test]
async fn a_faulty_item_is_named_and_the_others_are_applied() {
    let api = Api::start(settings()).await;
    let long = "x".repeat(1_001);
    let (status, answer) = api
        .batch(&[
            identify("u-000001", &json!({ "plan": "pro" })),
            identify("u-000002", &json!({ "plan": long })),
            identify("u-000004", &json!({ "plan": "pro" })),
        ])
        .await;
    assert_eq!(status, 207);
    let expected = json!({ "errors": [{
        "batch_index": 1,
        "reason": "invalid",
        "field": "attributes.plan",
        "message": "property value cannot be longer than 1000 bytes",
    }] });
    assert_eq!(answer, expected);
    assert_eq!(api.attribute("u-000004", "plan"), Some("pro".into()));
    assert_eq!(api.attribute("u-000002", "plan"), None);
}

#[test]
fn each_limit_of_an_item_holds_exactly() {
    let attributes = |count: usize| -> Value { (0..count).map(|n| (format!("a{n}"), json!(1))).collect() };
    let event = |fields: Value| {
        let mut item =
            json!({ "type": "person", "action": "event", "identifiers": { "id": "u-1" }, "name": "e" });
        item.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        item
    };
    let with = |name: &str, size: usize| identify("u-1", &json!({ name: "x".repeat(size) }));
    let by = |identifiers: Value| json!({ "type": "person", "action": "delete", "identifiers": identifiers });
    let cases: Vec<(Value, Option<&str>)> = vec![
        (with("plan", 1_000), None),
        (with("plan", 1_001), Some("attributes.plan")),
        (with(&"n".repeat(150), 1), None),
        (with(&"n".repeat(151), 1), Some("attributes")),
        (identify("u-1", &attributes(300)), None),
        (identify("u-1", &attributes(301)), Some("attributes")),
        (identify(&"i".repeat(150), &json!({})), None),
        (identify(&"i".repeat(151), &json!({})), Some("identifiers.id")),
        (identify("", &json!({})), Some("identifiers.id")),
        (identify("u-1", &json!("plan")), Some("attributes")),
        (identify("u-1", &json!({ "_update": "true" })), Some("attributes._update")),
        (identify("u-1", &json!({ "email": "" })), Some("attributes.email")),
        (identify_at("u-1", 1_767_225_600, &json!({})), None),
        (identify_at("u-1", 1_767_225_600_000, &json!({})), Some("timestamp")),
        (by(json!({ "id": 7 })), Some("identifiers.id")),
        (by(json!({ "id": "a", "email": "b" })), Some("identifiers")),
        (by(json!({})), Some("identifiers")),
        (by(json!({ "cio_id": "cio_d9c1" })), Some("identifiers.cio_id")),
        (by(json!({ "phone": "+15550001111" })), Some("identifiers.phone")),
        (by(Value::Null), Some("identifiers")),
        (event(json!({})), None),
        (event(json!({ "name": " " })), Some("name")),
        (event(json!({ "name": "n".repeat(101) })), Some("name")),
        (event(json!({ "id": "01KDVJ00000000000000000001" })), None),
        (event(json!({ "id": "ada@example.com" })), Some("id")),
        (event(json!({ "pad": "x".repeat(31_900) })), None),
        (event(json!({ "pad": "x".repeat(32_000) })), Some("")),
        (json!({ "type": "person", "action": "forget", "identifiers": { "id": "u-1" } }), Some("action")),
        (json!({ "type": "planet", "action": "delete", "identifiers": { "id": "u-1" } }), Some("type")),
        (json!([]), Some("")),
    ];
    for (item, expected) in cases {
        assert_eq!(fault_of(&item).as_deref(), expected, "{:.200}", item.to_string());
    }
}

#[tokio::test]
async fn a_request_that_is_wrong_as_a_whole_is_400() {
    let api = Api::start(settings()).await;
    let padded = |size: usize| {
        let body = r#"{"batch":[],"pad":""}"#;
        body.replace(r#""""#, &format!(r#""{}""#, "x".repeat(size - body.len())))
    };
    for body in ["not json".to_owned(), "{}".to_owned(), padded(499_999), padded(500_000)] {
        assert_eq!(api.post("/api/v2/batch", body).await.unwrap().0, 400);
    }
    let filled = |count: usize| {
        let items: Vec<Value> =
            (0..count).map(|n| identify(&format!("x-{n}"), &json!({ "a": "x".repeat(900) }))).collect();
        json!({ "batch": items }).to_string()
    };
    let (below, above) = (filled(490), filled(510));
    assert!(below.len() < 500_000 && above.len() >= 500_000);
    assert_eq!(api.post("/api/v2/batch", below).await.unwrap().0, 200);
    assert_eq!(api.post("/api/v2/batch", above).await.unwrap().0, 400);
    assert_eq!(api.post("/api/v2/entity", json!({ "type": "person" }).to_string()).await.unwrap().0, 400);
    assert_eq!(api.post("/api/v2/nothing", String::new()).await.unwrap().0, 404);
    assert_eq!(api.track.counts().unknown, 1);
}

#[tokio::test]
async fn update_only_never_makes_a_person_and_an_identify_does() {
    let api = Api::start(settings()).await;
    let nobody = Identifier::id("u-999999");
    let (status, _) = api.batch(&[identify("u-999999", &json!({ "_update": true, "plan": "pro" }))]).await;
    assert_eq!((status, api.track.profile(&nobody)), (200, None));
    assert_eq!(api.track.counts().failed_changes, 1);

    api.batch(&[identify("u-999999", &json!({ "plan": "pro" }))]).await;
    assert_eq!(api.attribute("u-999999", "plan"), Some("pro".into()));
    assert_eq!(api.attribute("u-999999", "_update"), None);
}

#[tokio::test]
async fn suppress_and_delete_destroy_the_profile_and_are_remembered() {
    let api = Api::start(settings()).await;
    let act =
        |action: &str, id: &str| json!({ "type": "person", "action": action, "identifiers": { "id": id } });
    api.batch(&[act("suppress", "u-000001"), act("delete", "u-000002")]).await;
    let asked: Vec<_> = api.track.destroyed().into_iter().map(|destroyed| destroyed.action).collect();
    assert_eq!(asked, ["delete", "suppress"]);

    api.batch(&[identify("u-000001", &json!({ "a": 1 })), identify("u-000002", &json!({ "a": 1 }))]).await;
    assert_eq!(api.track.profile(&Identifier::id("u-000001")), None, "suppressed: ignored");
    assert_eq!(api.attribute("u-000002", "a"), Some(1.into()), "deleted: made anew");

    api.batch(&[act("unsuppress", "u-000001")]).await;
    api.batch(&[identify("u-000001", &json!({ "a": 1 }))]).await;
    assert_eq!(api.attribute("u-000001", "a"), Some(1.into()));
}

#[tokio::test]
async fn an_event_id_counts_once() {
    let api = Api::start(settings()).await;
    let event = json!({ "type": "person", "action": "event", "name": "e", "id": "01KDVJ00000000000000000001",
        "identifiers": { "id": "u-000001" } });
    for _ in 0..3 {
        assert_eq!(api.post("/api/v2/entity", event.to_string()).await.unwrap().0, 200);
    }
    let counts = api.track.counts();
    assert_eq!((counts.events, counts.duplicate_events), (1, 2));
}

#[tokio::test]
async fn faults_come_in_the_order_asked_for_and_then_all_is_well() {
    let api = Api::start(settings()).await;
    let item = [identify("u-000001", &json!({ "n": 1 }))];
    let body = json!({ "batch": item }).to_string();
    for fault in [Fault::Status(503), Fault::RetryAfter(7), Fault::Hang, Fault::LostAnswer] {
        api.track.fail_next(fault);
    }
    assert_eq!(api.batch(&item).await.0, 503);
    assert_eq!(api.batch(&item).await.0, 429);
    assert!(api.post("/api/v2/batch", body.clone()).await.unwrap_err().is_timeout());
    assert_eq!(api.attribute("u-000001", "n"), None, "nothing was applied so far");
    assert!(api.post("/api/v2/batch", body).await.unwrap_err().is_timeout());
    assert_eq!(api.attribute("u-000001", "n"), Some(1.into()), "applied, though the answer was lost");
    assert_eq!((api.batch(&item).await.0, api.track.counts().injected), (200, 4));
}

#[tokio::test]
async fn a_person_is_rejected_as_often_as_asked_for() {
    let api = Api::start(settings()).await;
    api.track.reject(Identifier::id("u-000001"), 1);
    let items = [identify("u-000001", &json!({ "n": 1 })), identify("u-000002", &json!({ "n": 1 }))];
    let (status, answer) = api.batch(&items).await;
    assert_eq!((status, &answer["errors"][0]["batch_index"]), (207, &json!(0)));
    assert_eq!(api.batch(&items).await.0, 200);
}

#[tokio::test]
async fn the_rate_limit_answers_429() {
    let api = Api::start(Settings { rate_limit_per_s: Some(1), ..settings() }).await;
    let mut refused = 0;
    for _ in 0..5 {
        refused += u64::from(api.batch(&[identify("u-000001", &json!({}))]).await.0 == 429);
    }
    assert!(refused >= 1);
    assert_eq!(api.track.counts().limited, refused);
}

#[test]
fn an_identifier_that_belongs_to_another_fails_and_a_new_one_is_taken() {
    let mut workspace = Workspace::default();
    let profile = |id: &str, cio_id: &str| Profile {
        id: Some(id.to_owned()),
        cio_id: cio_id.to_owned(),
        ..Profile::default()
    };
    workspace.insert(profile("a", "01"));
    workspace.insert(profile("b", "02"));
    apply(&mut workspace, &identify("a", &json!({ "email": "Ada@example.com" })));
    apply(&mut workspace, &identify("b", &json!({ "email": "ada@EXAMPLE.com" })));
    let holder = workspace.profile(&Identifier::email("ADA@example.com")).unwrap();
    assert_eq!((holder.cio_id.as_str(), workspace.counts.failed_changes), ("01", 1));

    apply(&mut workspace, &identify("a", &json!({ "email": "other@example.com" })));
    assert_eq!(workspace.counts.failed_changes, 2, "a set address changes by cio_id only");
    let by_cio_id = json!({ "type": "person", "action": "identify", "identifiers": { "cio_id": "01" },
        "attributes": { "email": "other@example.com" } });
    apply(&mut workspace, &by_cio_id);
    assert!(workspace.profile(&Identifier::email("other@example.com")).is_some());
    assert!(workspace.profile(&Identifier::email("ada@example.com")).is_none());
}

#[test]
fn unsubscribed_is_what_the_vendor_reads_as_true() {
    let cases = [
        (json!(true), true),
        (json!("TRUE"), true),
        (json!(1), true),
        (json!("1"), true),
        (json!(false), false),
        (json!("yes"), false),
        (json!(0), false),
        (Value::Null, false),
    ];
    for (value, expected) in cases {
        let mut profile = Profile::default();
        profile.write("unsubscribed", value.clone(), 1);
        assert_eq!(profile.is_unsubscribed(), expected, "{value}");
    }
}

fn apply(workspace: &mut Workspace, item: &Value) {
    let raw = serde_json::value::to_raw_value(item).unwrap();
    workspace.apply(operation::read(&raw, 1_767_225_600).unwrap(), 1_767_225_600);
}

proptest! {
    /// Whatever order identifies arrive in, an attribute ends with the value of its newest timestamp, and at
    /// equal timestamps with that of the later arrival.
    #[test]
    fn the_newest_timestamp_wins_per_attribute(
        writes in prop::collection::vec((0_usize..3, 1_i64..8, prop::option::of(0_i64..100)), 1..40),
    ) {
        let names = ["a", "b", "c"];
        let mut workspace = Workspace::default();
        for (name, timestamp_s, value) in &writes {
            apply(&mut workspace, &identify_at("u-1", *timestamp_s, &json!({ names[*name]: value })));
        }
        let profile = workspace.profile(&Identifier::id("u-1")).unwrap();
        for (place, name) in names.iter().enumerate() {
            let newest = writes
                .iter()
                .enumerate()
                .filter(|(_, (written, _, _))| *written == place)
                .max_by_key(|(arrival, (_, timestamp_s, _))| (*timestamp_s, *arrival));
            let expected = newest.and_then(|(_, (_, _, value))| *value).map(Value::from);
            prop_assert_eq!(profile.attribute(name).cloned(), expected);
        }
    }
}
