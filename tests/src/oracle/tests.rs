use serde_json::json;

use super::*;

/// An event of customer `u-1`, id and time spelled short.
fn event(id: &str, channel: &str, metric: &str, second: i64, more: &Value) -> Vec<u8> {
    let mut data = json!({ "identifiers": { "id": "u-1" }, "delivery_id": format!("d-{id}") });
    if let (Value::Object(data), Value::Object(more)) = (&mut data, more) {
        data.extend(more.clone());
    }
    json!({ "event_id": id, "object_type": channel, "metric": metric, "timestamp": second, "data": data })
        .to_string()
        .into_bytes()
}

fn oracle(events: &[Vec<u8>]) -> Oracle {
    Oracle::of(events.iter().map(Vec::as_slice))
}

fn traits(events: &[Vec<u8>]) -> CustomerTraits {
    oracle(events).traits().remove("u-1").unwrap_or_default()
}

fn entries(events: &[Vec<u8>]) -> Vec<SuppressionEntry> {
    oracle(events).suppressions().remove("u-1").unwrap_or_default()
}

#[test]
fn a_bounce_stands_until_something_later_clears_it() {
    let bounce = event("b", "email", "bounced", 10, &json!({ "recipient": "a@example.com" }));
    let delivered = |second| event("d", "email", "delivered", second, &json!({}));
    for (second, stands) in [(9, true), (10, true), (11, false)] {
        let both = [bounce.clone(), delivered(second)];
        let entry = &entries(&both)[0];
        assert_eq!(traits(&both).email_bounced, Some(stands));
        assert_eq!(traits(&both).email_deliverable, Some(!stands));
        assert_eq!(traits(&both).email_bounced_at, Some(10_000), "it stays when cleared");
        assert_eq!(entry.state, if stands { "active" } else { "lifted" });
        assert_eq!(entry.lift_reason.as_deref(), (!stands).then_some("delivered"));
        assert_eq!(entry.until, (!stands).then_some(11_000));
        assert_eq!((entry.evidence.as_slice(), entry.since), (&["b".to_owned()][..], 10_000));
        assert!(entry.token.as_deref().is_some_and(|token| token.starts_with("t0.") && token.len() == 25));
    }
}

#[test]
fn an_address_is_deliverable_only_once_something_arrived() {
    let of = |metric| traits(&[event("e", "email", metric, 10, &json!({}))]).email_deliverable;
    for metric in [
        "drafted",
        "attempted",
        "sent",
        "deferred",
        "failed",
        "dropped",
        "undeliverable",
        "unsubscribed",
        "subscribed",
    ] {
        assert_eq!(of(metric), None, "{metric}");
    }
    for metric in ["delivered", "opened", "clicked", "converted"] {
        assert_eq!(of(metric), Some(true), "{metric}");
    }
    assert_eq!((of("bounced"), of("spammed")), (Some(false), Some(false)));
}

#[test]
fn a_machine_clears_nothing_and_engages_nobody() {
    let bounce = event("b", "email", "bounced", 10, &json!({}));
    let click = |machine: Value| event("c", "email", "clicked", 20, &json!({ "machine": machine }));
    assert_eq!(traits(&[bounce.clone(), click(json!(true))]).email_bounced, Some(true));
    assert_eq!(traits(&[bounce.clone(), click(json!(false))]).email_bounced, Some(false));
    assert_eq!(traits(&[click(Value::Null)]).last_email_click_at, Some(20_000));
    for mark in ["prefetched", "proxied", "synthetic"] {
        let open = event("o", "email", "opened", 30, &json!({ mark: true }));
        assert_eq!(traits(&[open]).last_email_engaged_at, None, "{mark}");
    }
    assert_eq!(traits(&[event("o", "email", "opened", 30, &json!({}))]).last_email_engaged_at, Some(30_000));
}

#[test]
fn complaints_are_counted_and_never_cleared() {
    let complaint = |id, second| event(id, "email", "spammed", second, &json!({}));
    let traits =
        traits(&[complaint("1", 5), complaint("2", 7), event("d", "email", "delivered", 9, &json!({}))]);
    assert_eq!((traits.spam_complaint, traits.complaint_count), (Some(true), Some(2)));
    assert_eq!((traits.spam_complaint_at, traits.email_deliverable), (Some(7_000), Some(false)));
}

#[test]
fn consent_is_of_any_channel_and_no_email_outcome() {
    let out = event("u", "customer", "unsubscribed", 10, &json!({}));
    let back = |second| event("s", "email", "subscribed", second, &json!({}));
    assert_eq!(traits(&[out.clone(), back(10)]).unsubscribed, Some(true));
    let cleared = traits(&[out.clone(), back(11)]);
    assert_eq!((cleared.unsubscribed, cleared.unsubscribed_at), (Some(false), Some(10_000)));
    assert_eq!((cleared.last_email_metric, cleared.email_bounced), (None, None));
    assert_eq!(entries(&[out])[0].scope, "person");
}

#[test]
fn at_one_time_the_more_restrictive_metric_is_the_last() {
    let at = |id: &str, metric: &str| event(id, "email", metric, 10, &json!({}));
    assert_eq!(traits(&[at("9", "sent"), at("1", "dropped")]).last_email_metric.as_deref(), Some("dropped"));
    assert_eq!(traits(&[at("9", "novel"), at("1", "drafted")]).last_email_metric.as_deref(), Some("drafted"));
}

/// Computed with Python's hashlib.
#[test]
fn an_outcome_has_an_id_of_its_customer_and_its_event() {
    let ids = |id: &str| oracle(&[event(id, "email", "sent", 10, &json!({}))]).rows().keys().next().cloned();
    assert_eq!(ids("7").as_deref(), Some("de796896d6e877b63fca30ff0ced7c0c"));
    assert_eq!(ids("01E4C4CT6YDC7Y5M7FE1GWWPQJ").as_deref(), Some("7b0a306e83fd0e7a5e1fdf8a99393674"));
}

#[test]
fn whoever_is_told_of_nothing_has_nothing() {
    let push = oracle(&[event("p", "push", "bounced", 10, &json!({}))]);
    assert!(push.traits().is_empty() && push.suppressions().is_empty() && push.profiles().is_empty());
    assert_eq!(push.rows().len(), 1);
}

#[test]
fn a_customer_is_known_by_the_first_that_is_there() {
    let token = person::token("Ada@Example.com ");
    assert_eq!(token, person::token("ada@example.com"));
    let by_address = format!("~eml:{token}");
    for (data, key) in [
        (json!({ "identifiers": { "id": 7, "cio_id": "c", "email": "e@x.io" }, "customer_id": "x" }), "7"),
        (json!({ "identifiers": { "id": "", "cio_id": "c" }, "customer_id": "x" }), "~cio:c"),
        (json!({ "identifiers": { "id": " ", "cio_id": "cio_c" }, "customer_id": "x" }), "~cio:c"),
        (json!({ "identifiers": { "email": "ada@example.com" }, "customer_id": "x" }), by_address.as_str()),
        (json!({ "identifiers": {}, "email_address": "ADA@example.com" }), by_address.as_str()),
        (json!({ "identifiers": {}, "customer_id": "x" }), "x"),
        (json!({ "customer_id": "~x", "email_address": "ada@example.com" }), "~~x"),
        (json!({ "customer_id": "", "delivery_id": "d" }), "~dlv:d"),
        (json!({}), "~evt:e"),
    ] {
        assert_eq!(person::customer(&data, None, "e").key, key, "{data}");
    }
    assert_eq!(person::customer(&json!({}), Some("ada@example.com"), "e").key, by_address);
}

#[test]
fn a_profile_says_what_the_sink_s_readme_says() {
    let events = [
        event("b", "email", "bounced", 10, &json!({ "recipient": "a@example.com" })),
        event("s", "email", "spammed", 8, &json!({})),
    ];
    let profile = oracle(&events).profiles().remove("u-1").expect("a profile");
    assert_eq!(profile["email_suppression_reasons"], "bounce,complaint");
    assert_eq!((&profile["email_suppressed"], &profile["email_suppressed_at"]), (&json!(true), &json!(8)));
    assert_eq!((&profile["email_bounced_at"], &profile["complaint_count"]), (&json!(10), &json!(1)));
    assert!(!profile.contains_key("unsubscribed") && !profile.contains_key("last_email_click_at"));
}

#[test]
#[should_panic(expected = "distinct events")]
fn an_event_that_comes_twice_is_refused() {
    let one = event("b", "email", "bounced", 10, &json!({}));
    let _ = oracle(&[one.clone(), one]);
}
