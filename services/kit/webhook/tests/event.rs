//! The normal form: of the vendor's examples, of other senders' spellings, and of bytes that mean nothing.

use proptest::prelude::*;
use schemas::key::CustomerKey;
use schemas::token::TokenKey;
use serde_json::{Value, json};
use webhook::event::{Event, EventIdState, NotUnderstood, Oddity};
use webhook::time::EventTime;
use webhook::{body, content};

const VENDOR_EVENTS: &str = include_str!("../fixtures/vendor-events.jsonl");

fn event(json: &Value) -> Event<'static> {
    Event::parse(json.to_string().leak().as_bytes()).expect("an event")
}

fn key(event: &Event<'_>) -> String {
    let key =
        CustomerKey::of(&event.person(), event.delivery_id.as_deref(), "E", &TokenKey::development().into());
    key.as_str().to_owned()
}

#[test]
fn every_vendor_example_is_understood_and_nothing_of_it_is_lost() {
    for line in VENDOR_EVENTS.lines() {
        let items = body::items(line.as_bytes()).expect("an object");
        let [item] = items.as_slice() else { panic!("one event per line") };
        assert_eq!(item.bytes, line.as_bytes());
        let event = item.event.as_ref().expect("understood");
        let told: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(told["object_type"], *event.channel);
        assert_eq!(told["metric"], *event.metric);
        assert_eq!(event.event_id.as_deref(), told["event_id"].as_str());
        assert_eq!(event.time.known_ms(), told["timestamp"].as_i64().map(|seconds| seconds * 1_000));
        assert_eq!(event.failure_message.as_deref(), told["data"]["failure_message"].as_str());
        assert_eq!(event.machine, told["data"]["machine"].as_bool());
        assert_eq!(event.prefetched, told["data"]["prefetched"].as_bool());
        let known = [
            "customer_id",
            "identifiers",
            "delivery_id",
            "campaign_id",
            "action_id",
            "broadcast_id",
            "newsletter_id",
            "content_id",
            "transactional_message_id",
            "recipient",
            "recipients",
            "subject",
            "href",
            "link_id",
            "failure_message",
            "machine",
            "prefetched",
            "proxied",
            "synthetic",
            "email_address",
        ];
        let preferences = event.metric == "cio_subscription_preferences_changed";
        let bodies: &[&str] = if preferences { &[] } else { &["content", "headers"] };
        let data = told["data"].as_object().expect("an object").iter();
        let rest =
            data.filter(|(name, _)| !known.contains(&name.as_str()) && !bodies.contains(&name.as_str()));
        assert_eq!(event.rest.to_map(), rest.map(|(name, value)| (name.clone(), value.clone())).collect());
        assert_eq!(event.content_present, !preferences && told["data"].get("content").is_some());
    }
    assert_eq!(VENDOR_EVENTS.lines().count(), 72);
}

#[test]
fn a_flat_event_and_a_prefixed_metric_are_the_same_event() {
    let flat = json!({"event_id": "7", "metric": "email_bounced", "timestamp": "1767226740", "customer_id": 42,
        "email_address": "ada@example.com", "href": "https://example.com", "delivery_id": "d1", "x": 1});
    let enveloped = json!({"event_id": "7", "object_type": "email", "metric": "bounced", "timestamp": 1_767_226_740,
        "data": {"customer_id": "42", "email_address": "ada@example.com", "recipient": "ada@example.com",
            "href": "https://example.com", "delivery_id": "d1", "x": 1}});
    assert!(event(&flat) == event(&enveloped));
    let unprefixed = json!({"event_id": "7", "metric": "bounced", "timestamp": 1_767_226_740.0, "customer_id": "42",
        "email_address": "ada@example.com", "href": "https://example.com", "delivery_id": "d1", "x": 1});
    assert!(event(&unprefixed) == event(&enveloped));
}

#[test]
fn null_and_the_empty_string_are_absent_and_numbers_are_their_text() {
    let one = event(&json!({"metric": "sent", "event_id": "", "timestamp": null, "data": {"customer_id": "",
        "identifiers": {"id": null, "email": "", "cio_id": "c1"}, "campaign_id": 23, "action_id": null}}));
    assert_eq!((one.event_id.as_deref(), one.event_id_state), (None, EventIdState::Missing));
    assert_eq!(
        (one.time, one.customer_id.as_deref(), one.action_id.as_deref()),
        (EventTime::Missing, None, None)
    );
    assert_eq!(one.campaign_id.as_deref(), Some("23"));
    assert_eq!(key(&one), "~cio:c1");
    let exact = Event::parse(br#"{"metric":"sent","event_id":12345678901234567890123,"customer_id":1.50}"#);
    let exact = exact.expect("an event");
    assert_eq!(exact.event_id.as_deref(), Some("12345678901234567890123"));
    assert_eq!(key(&exact), "1.50");
}

#[test]
fn empty_identifiers_still_decide_where_to_look_first() {
    let data = |identifiers: Value| {
        json!({"metric": "delivered", "object_type": "email", "data": {"identifiers": identifiers, "customer_id": "9",
            "recipient": "ada@example.com", "delivery_id": "d1"}})
    };
    assert!(key(&event(&data(json!({})))).starts_with("~eml:"));
    assert_eq!(key(&event(&data(Value::Null))), "9");
    assert_eq!(key(&event(&data(json!("none")))), "9");
    assert_eq!(event(&data(json!("none"))).rest.to_map()["identifiers"], "none");
    let phone = event(&data(json!({"id": "u", "phone": "+1"})));
    assert_eq!((key(&phone).as_str(), &phone.rest.to_map()["identifiers"]), ("u", &json!({"phone": "+1"})));
}

#[test]
fn a_repeated_name_is_no_fault_and_the_first_counts() {
    let bytes = br#"{"event_id":"a","event_id":"b","metric":"sent","metric":"opened","data":{"x":1,"x":2,"delivery_id":"d","delivery_id":"e"},"data":{"y":1},"x":3}"#;
    let event = Event::parse(bytes).expect("an event");
    assert_eq!((event.event_id.as_deref(), event.event_id_state), (Some("a"), EventIdState::Repeated));
    assert_eq!((event.metric.as_ref(), event.delivery_id.as_deref()), ("sent", Some("d")));
    assert_eq!(Value::Object(event.rest.to_map()), json!({"x": 1}));
}

#[test]
fn what_has_another_shape_stays_in_the_rest() {
    let event = event(&json!({"metric": "sent", "object_type": 7, "event_id": ["a"], "timestamp": {"at": 1},
        "data": {"recipient": {"to": "x"}, "machine": "perhaps", "synthetic": "true"}}));
    assert_eq!((event.event_id_state, event.time), (EventIdState::Unusable, EventTime::Absurd));
    assert_eq!((event.channel.as_ref(), event.synthetic, event.machine), ("unknown", Some(true), None));
    let rest = json!({"object_type": 7, "event_id": ["a"], "timestamp": {"at": 1}, "recipient": {"to": "x"},
        "machine": "perhaps"});
    assert_eq!(Value::Object(event.rest.to_map()), rest);
}

/// E2: a push token is an address, so that nothing that was listed with it may be kept unread.
#[test]
fn an_odd_recipient_hides_no_other_and_none_is_left_over() {
    let ids = |recipients: Value| {
        let data = json!({"metric": "sent", "object_type": "push", "recipients": [{"device_id": "top"}],
            "data": {"recipients": recipients}});
        let event = event(&data);
        assert!(event.rest.is_empty(), "{data}");
        let ids = event.devices.iter().map(|device| device.device_id.as_deref().unwrap_or("-").to_owned());
        ids.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids(json!([{"device_id": "a"}, {"device_id": "b", "device_platform": 1}])), "a b");
    assert_eq!(ids(json!([{"device_id": "a"}, {"device_id": null}])), "a");
    assert_eq!(ids(json!([{}, 7, "", null, true, "a", ["x"], {"device": "x"}, {"device_id": ["x"]}])), "7 a");
    assert_eq!(
        ids(json!([{"device_id": null, "failure_message": "Unregistered"}, {"device_id": "a"}])),
        "- a"
    );
    assert_eq!(ids(json!({"device_id": "a"})), "a");
    assert_eq!(ids(json!("a")), "a");
    for nothing in [json!(null), json!([]), json!(""), json!({}), json!(true), json!([[["x"]]])] {
        assert_eq!(ids(nothing), "top");
    }
    let given = event(&json!({"metric": "bounced", "recipients": ["a"]}));
    assert_eq!((&*given.channel, given.rest.is_empty()), ("push", true));
}

#[test]
fn depth_huge_numbers_and_half_surrogates_are_no_fault() {
    let deep = format!(
        r#"{{"metric":"sent","a":{}{},"b":1e999,"c":"\ud800!"}}"#,
        "[".repeat(90_000),
        "]".repeat(90_000)
    );
    let event = Event::parse(deep.as_bytes()).expect("an event");
    assert_eq!(event.rest.to_map()["a"].as_str().map(str::len), Some(180_000));
    assert_eq!(event.rest.to_map()["b"], "1e999");
    let subject =
        Event::parse(br#"{"metric":"sent","subject":"\ud800!","\udc00":1}"#).expect("an event").subject;
    assert_eq!(subject.as_deref().map(|text| text.ends_with('!')), Some(true));
}

#[test]
fn an_object_without_a_metric_still_says_whose_it_is() {
    for metric in [json!(null), json!(""), json!("  "), json!(7), json!({})] {
        let bytes = json!({"metric": metric, "event_id": "7", "customer_id": "42"}).to_string();
        let Err(NotUnderstood::NoMetric(event)) = Event::parse(bytes.as_bytes()) else { panic!("{bytes}") };
        assert_eq!((event.event_id.as_deref(), key(&event).as_str()), (Some("7"), "42"));
    }
}

#[test]
fn an_event_never_shows_whose_it_is() {
    let shown = format!(
        "{:?}",
        event(&json!({"metric": "sent", "recipient": "ada@example.com", "customer_id": "u-1"}))
    );
    assert!(!shown.contains("ada") && !shown.contains("u-1"), "{shown}");
}

fn oddities(event: &Event<'_>) -> Vec<Oddity> {
    event.oddities.iter().collect()
}

/// Some relays encode `data` twice.
#[test]
fn data_that_is_a_text_is_read_as_what_it_holds() {
    let data = json!({"customer_id": "7", "recipient": "ada@example.com", "subject": "\u{e9}\"q\"", "x": [1, {"y": null}],
        "identifiers": {"id": "7", "email": "ada@example.com", "phone": "+1"},
        "recipients": [{"device_id": "d", "device_platform": "ios", "failure_message": "gone"}]});
    let given = |data: Value| {
        json!({"event_id": "e", "metric": "bounced", "object_type": "email", "timestamp": 1_613_063_089,
        "data": data, "z": "top"})
    };
    let (plain, mut text) = (event(&given(data.clone())), event(&given(json!(data.to_string()))));
    assert_eq!((oddities(&plain), oddities(&text)), (vec![], vec![Oddity::DataAsText]));
    text.oddities = plain.oddities;
    assert!(text == plain);
    for other in [json!("no JSON"), json!("[1]"), json!("{"), json!("")] {
        let kept = event(&given(other.clone()));
        assert_eq!(oddities(&kept), []);
        assert_eq!(kept.rest.to_map().get("data"), Some(&other).filter(|text| **text != ""));
    }
}

#[test]
fn a_calendar_date_is_a_time_and_counted() {
    let at = |timestamp: Value| event(&json!({"metric": "sent", "timestamp": timestamp}));
    let date = at(json!("2021-02-11T17:04:49Z"));
    assert_eq!((date.time, oddities(&date)), (at(json!(1_613_063_089)).time, vec![Oddity::TimeAsDate]));
    let absurd = at(json!("2021-02-31T17:04:49Z"));
    assert_eq!((absurd.time, oddities(&absurd)), (EventTime::Absurd, vec![]));
    assert_eq!(oddities(&at(json!("1613063089"))), []);
}

#[test]
fn suppressed_is_another_name_of_dropped_and_counted() {
    for metric in ["suppressed", "email_suppressed"] {
        let event = event(&json!({"metric": metric, "object_type": "email"}));
        assert_eq!((&*event.metric, oddities(&event)), ("dropped", vec![Oddity::MetricAlias]), "{metric}");
    }
}

/// The vendor leaves the change itself out where "Include body content" is off.
#[test]
fn changed_preferences_without_content_are_counted() {
    let changed =
        |data: Value| event(&json!({"metric": "cio_subscription_preferences_changed", "data": data}));
    assert_eq!(oddities(&changed(json!({"customer_id": "7"}))), [Oddity::PreferencesMissing]);
    assert_eq!(oddities(&changed(json!({"content": null}))), [Oddity::PreferencesMissing]);
    assert_eq!(oddities(&changed(json!({"content": "{\"topics\":{}}"}))), []);
}

#[test]
fn a_failure_message_of_parts_is_read_as_text_and_kept_as_it_came() {
    for (given, text) in [
        (json!({"code": 550, "text": "5.1.1 unknown", "fatal": true}), Some("550 5.1.1 unknown")),
        (json!(["550 5.1.1 unknown"]), Some("550 5.1.1 unknown")),
        (json!([{"a": ["550", ""]}, null, "x"]), Some("550 x")),
        (json!([null, {}]), None),
        (json!(true), None),
    ] {
        let event = event(&json!({"metric": "bounced", "data": {"failure_message": given}}));
        assert_eq!(event.failure_message.as_deref(), text, "{given}");
        assert_eq!(event.rest.to_map()["failure_message"], given);
        assert_eq!(
            oddities(&event).as_slice(),
            if text.is_some() { &[Oddity::FailureNotText][..] } else { &[] }
        );
    }
    let written = Event::parse(br#"{"metric":"bounced","failure_message":{"text":"no","code":550}}"#);
    assert_eq!(written.expect("an event").failure_message.as_deref(), Some("no 550"));
    let deep = format!(
        r#"{{"metric":"bounced","failure_message":{}"x"{}}}"#,
        "[".repeat(90_000),
        "]".repeat(90_000)
    );
    assert_eq!(Event::parse(deep.as_bytes()).expect("an event").failure_message, None);
    let push = event(
        &json!({"metric": "bounced", "recipients": [{"device_id": "d", "failure_message": {"code": 404}}]}),
    );
    assert_eq!(push.devices[0].failure_message.as_deref(), Some("404"));
}

/// JSON as a person might write it: any values, any whitespace.
fn loose_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|truth| truth.to_string()),
        any::<f64>().prop_map(|number| json!(number).to_string()),
        any::<String>().prop_map(|text| json!(text).to_string()),
    ];
    let space = "[ \t\r\n]{0,2}";
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let name = prop_oneof![
            proptest::sample::select(vec![
                "metric",
                "data",
                "events",
                "event_id",
                "timestamp",
                "identifiers",
                "content"
            ])
            .prop_map(ToOwned::to_owned),
            any::<String>(),
        ];
        let member = (name, space, inner.clone(), space)
            .prop_map(|(name, before, value, after)| format!("{}:{before}{value}{after}", json!(name)));
        prop_oneof![
            (proptest::collection::vec(inner, 0..4), space)
                .prop_map(|(items, space)| format!("[{space}{}]", items.join(","))),
            proptest::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        let _ = body::items(&bytes);
        let _ = Event::parse(&bytes);
        let _ = content::strip(&bytes);
    }

    #[test]
    fn any_json_is_read_or_refused(json in loose_json()) {
        let items = body::items(json.as_bytes());
        prop_assert_eq!(items.is_ok(), json.starts_with(['{', '[']));
        if let Some(stripped) = content::strip(json.as_bytes()) {
            prop_assert_eq!(content::strip(&stripped), None);
            prop_assert!(serde_json::from_slice::<Value>(&stripped).is_ok());
        }
    }

    #[test]
    fn a_batch_gives_back_each_item_byte_for_byte(
        written in proptest::collection::vec(loose_json(), 0..6), before in "[ \t\r\n]{0,3}", after in "[ \t\r\n]{0,3}",
    ) {
        let list = written.iter().map(|json| format!("{before}{json}{after}")).collect::<Vec<_>>().join(",");
        let body = format!("{after}{{\"source\":1,\"events\":{before}[{list}]{after}}}{before}");
        let items = body::items(body.as_bytes()).expect("a batch");
        let read = items.iter().map(|item| std::str::from_utf8(item.bytes).expect("JSON")).collect::<Vec<_>>();
        prop_assert_eq!(read, written);
    }
}
