//! Normalises an event: from the vendor's payload to the outcome that all consumers read.

use std::borrow::Cow;

use schemas::id::DedupeId;
use schemas::record::{MessageOutcome, RawView};
use schemas::token::{Kind, TokenKey, addresses, domain};
use serde::Serialize;
use webhook::event::{Device, Event};

use crate::domain::bounce::{self, Classification};
use crate::domain::customer::Fact;
use crate::domain::redact::{Privacy, Redactor};

/// The metrics that say why a message has not arrived, or not yet.
const FAILURES: &[&str] = &["bounced", "dropped", "deferred", "failed", "undeliverable", "attempted"];

/// The outcome of `event`: classified, and with tokens in place of addresses. `outcome_id` is the event as
/// seen by its customer. `appended_at` is when the broker appended the raw record, Unix milliseconds.
#[must_use]
pub fn message_outcome<'a>(
    event: &'a Event<'_>,
    raw: &'a RawView<'_>,
    customer_id: &'a str,
    outcome_id: DedupeId,
    appended_at: i64,
    privacy: &Privacy,
) -> MessageOutcome<'a> {
    let occurred = event.time.resolve(raw.received_at);
    let failure = failure(event);
    let tokens = &privacy.tokens;
    let redactor = Redactor::of(event, privacy);
    let id = |text: &'a Option<Cow<'_, str>>| text.as_deref().map(|id| redactor.id(id));
    let redacted = |text: &'a Option<Cow<'_, str>>| text.as_deref().map(|text| redactor.text(text));
    let (channel, metric) = (redactor.id(&event.channel), redactor.id(&event.metric));
    let of_devices = || event.devices.iter().find_map(|device| redacted(&device.failure_message));
    MessageOutcome {
        event_id: raw.event_id.into(),
        event_type: [&*channel, &*metric].join("_").into(),
        channel,
        metric,
        occurred_at: occurred.at_ms,
        time_source: occurred.source.as_str().into(),
        received_at: raw.received_at,
        appended_at,
        customer_id: customer_id.into(),
        recipient_token: recipient_token(event, tokens).map(Cow::Owned),
        recipient_domain: event
            .recipient
            .as_deref()
            .filter(|_| event.channel == "email")
            .and_then(domain)
            .map(Cow::Owned),
        delivery_id: event.delivery_id.as_deref().map(|id| redactor.delivery_id(id)),
        campaign_id: id(&event.campaign_id),
        action_id: id(&event.action_id),
        broadcast_id: id(&event.broadcast_id),
        newsletter_id: id(&event.newsletter_id),
        transactional_message_id: id(&event.transactional_message_id),
        template_id: id(&event.template_id),
        subject: redacted(&event.subject),
        href: event.href.as_deref().map(|href| redactor.link(href)),
        link_id: id(&event.link_id),
        failure_message: redacted(&event.failure_message).or_else(of_devices),
        bounce_class: failure.map(|failure| failure.class.as_str().into()),
        bounce_blame: failure.map(|failure| failure.class.blame().as_str().into()),
        machine: event.machine,
        prefetched: event.prefetched,
        proxied: event.proxied,
        synthetic: event.synthetic,
        source: raw.source.into(),
        metadata: metadata(event, tokens, &redactor).into(),
        outcome_id: outcome_id.to_hex().into(),
        bounce_reason: None,
        bounce_confidence: failure.map(|failure| failure.confidence.as_str().into()),
        bounce_rule: failure.map(|failure| failure.rule.into()),
        classifier: failure.map_or("", |_| bounce::CLASSIFIER).into(),
    }
}

/// What of an outcome can change its customer.
#[must_use]
pub(crate) fn fact<'a>(outcome: &'a MessageOutcome<'_>) -> Fact<'a> {
    let said = |flag: Option<bool>| flag == Some(true);
    let machine = match &*outcome.metric {
        "opened" => said(outcome.prefetched) || said(outcome.proxied) || said(outcome.synthetic),
        _ => said(outcome.machine),
    };
    Fact {
        channel: &outcome.channel,
        metric: &outcome.metric,
        at_ms: outcome.occurred_at,
        event_id: &outcome.event_id,
        delivery_id: outcome.delivery_id.as_deref(),
        token: outcome.recipient_token.as_deref(),
        machine,
    }
}

/// What a failure means. A bounce without a text is one of unknown class; another failure without a text has
/// none.
fn failure(event: &Event<'_>) -> Option<Classification> {
    if !FAILURES.contains(&&*event.metric) {
        return None;
    }
    let of_devices = event.devices.iter().filter_map(|device| device.failure_message.as_ref());
    let reply = match event.failure_message.iter().chain(of_devices).next() {
        Some(reply) => reply,
        None if event.metric == "bounced" => "",
        None => return None,
    };
    Some(bounce::classify(&event.channel, reply))
}

fn recipient_token(event: &Event<'_>, tokens: &TokenKey) -> Option<String> {
    let kind = match event.channel.as_ref() {
        "sms" | "whatsapp" => Kind::Phone,
        "push" => Kind::Device,
        _ => Kind::Email,
    };
    let address =
        event.recipient.as_deref().or(event.email_address.as_deref().filter(|_| kind == Kind::Email));
    // Slack channels and webhook URLs need a token only where they hold an address. Anything else names no
    // person, and stays in raw, because a URL may hold a secret.
    let address = address.filter(|address| kind != Kind::Email || address.contains('@'));
    // Devices name the recipients of a push. On another channel their token would pass for an address of that
    // channel.
    let devices = event.devices.iter().filter(|_| kind == Kind::Device);
    let device = || devices.filter_map(|device| device.device_id.as_deref()).next();
    address.or_else(device).map(|address| tokens.token(kind, address))
}

/// One of several whom a message was for, as the warehouse keeps it: a device, or an address of a list.
#[derive(Serialize)]
struct Recipient<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_message: Option<Cow<'a, str>>,
}

/// Everything that has no field in the schema. Every device is in `recipients`, because a push reaches
/// several devices, and so is every address of an e-mail to several.
fn metadata(event: &Event<'_>, tokens: &TokenKey, redactor: &Redactor<'_>) -> String {
    let mut json = redactor.json(&event.rest);
    let listed =
        event.recipient.as_deref().filter(|_| event.channel == "email").map_or_else(Vec::new, addresses);
    let listed = if listed.len() > 1 { listed } else { Vec::new() };
    if event.devices.is_empty() && listed.is_empty() {
        return json;
    }
    let devices = event.devices.iter().map(|device| of_device(device, tokens, redactor));
    let recipients: Vec<_> =
        devices.chain(listed.into_iter().map(|address| of_address(address, tokens))).collect();
    let recipients = serde_json::to_string(&recipients).expect("texts make JSON");
    json.pop();
    let comma = if event.rest.is_empty() { "" } else { "," };
    json + comma + "\"recipients\":" + &recipients + "}"
}

fn of_device<'a>(device: &'a Device<'_>, tokens: &TokenKey, redactor: &Redactor<'_>) -> Recipient<'a> {
    let redacted = |text: &'a Option<Cow<'_, str>>| text.as_deref().map(|text| redactor.text(text));
    Recipient {
        token: device.device_id.as_deref().map(|id| tokens.token(Kind::Device, id)),
        domain: None,
        platform: redacted(&device.platform),
        failure_message: redacted(&device.failure_message),
    }
}

fn of_address<'a>(address: &str, tokens: &TokenKey) -> Recipient<'a> {
    let token = Some(tokens.token(Kind::Email, address));
    Recipient { token, domain: domain(address), platform: None, failure_message: None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use schemas::record::RawRecord;
    use serde_json::{Value, json};

    use super::*;

    /// The outcome of an event of this channel with this `data`, its metadata parsed.
    fn told(channel: &str, data: &Value) -> Value {
        told_of(&json!({"object_type": channel, "metric": "bounced", "data": data}))
    }

    fn told_of(event: &Value) -> Value {
        let raw = RawRecord { bytes: event.to_string().into_bytes(), ..RawRecord::default() };
        let event = Event::parse(&raw.bytes).expect("an event");
        let raw = RawView::from(&raw);
        let outcome =
            message_outcome(&event, &raw, "u1", DedupeId([7; 16]), 0, &TokenKey::development().into());
        let mut told = serde_json::to_value(&outcome).expect("serialises");
        told["metadata"] = serde_json::from_str(&outcome.metadata).expect("JSON");
        told
    }

    #[test]
    fn a_refused_push_says_why_and_names_each_device_by_its_token() {
        let tokens = TokenKey::development();
        let [one, two, three] = ["tok-1", "tok-2", "tok-3"].map(|id| tokens.token(Kind::Device, id));
        let email = tokens.token(Kind::Email, "ada@x.io");
        let told = told(
            "push",
            &json!({"trigger_id": 1, "recipients": [
                {"device_platform": "ios"}, {"device_id": "tok-1"}, "tok-2", {"device_id": null},
                {"device_id": "tok-3", "device_platform": "ada@x.io", "failure_message": "Unregistered: ada%2540x.io"},
                {"failure_message": "another"}]}),
        );
        let reason = format!("Unregistered: {email}");
        let recipients = json!([{"platform": "ios"}, {"token": one}, {"token": two},
            {"token": three, "platform": email, "failure_message": reason}, {"failure_message": "another"}]);
        assert_eq!((&told["recipient_token"], &told["failure_message"]), (&json!(one), &json!(reason)));
        assert_eq!(told["metadata"], json!({"trigger_id": 1, "recipients": recipients}));
    }

    #[test]
    fn a_message_s_own_failure_comes_before_its_devices() {
        let devices = json!([{"device_id": "tok-1", "failure_message": "theirs"}]);
        let told = told("push", &json!({"failure_message": "its own", "recipients": devices}));
        assert_eq!(told["failure_message"], "its own");
        assert_eq!(told["metadata"]["recipients"][0]["failure_message"], "theirs");
    }

    /// Class and blame of this channel's event of this metric.
    fn failure_told(channel: &str, metric: &str, data: &Value) -> [Value; 2] {
        let mut told = told_of(&json!({"object_type": channel, "metric": metric, "data": data}));
        [told["bounce_class"].take(), told["bounce_blame"].take()]
    }

    #[test]
    fn a_failure_has_the_class_and_the_blame_of_its_text() {
        let unsigned = json!({"failure_message": "550-5.7.26 This mail has been blocked because the sender is unauthenticated."});
        assert_eq!(failure_told("email", "bounced", &unsigned), ["authentication", "sender"]);
        assert_eq!(failure_told("email", "deferred", &unsigned), ["authentication", "sender"]);
        assert_eq!(failure_told("email", "delivered", &unsigned), [Value::Null, Value::Null]);
        let optout = json!({"failure_message": "21610"});
        assert_eq!(failure_told("sms", "failed", &optout), ["opted_out", "recipient"]);
        let removed = json!({"recipients": [{"device_id": "tok", "failure_message": "Unregistered"}]});
        assert_eq!(failure_told("push", "bounced", &removed), ["device_unregistered", "recipient"]);
    }

    #[test]
    fn a_failure_names_the_rule_and_the_classifier_that_read_it() {
        let told = |metric: &str| {
            let data = json!({"failure_message": "550-5.7.26 This mail has been blocked because the sender is unauthenticated."});
            told_of(&json!({"object_type": "email", "metric": metric, "data": data}))
        };
        let (bounced, delivered) = (told("bounced"), told("delivered"));
        assert_eq!(
            (&bounced["bounce_confidence"], &bounced["classifier"]),
            (&json!("high"), &json!("rules-1"))
        );
        assert!(bounced["bounce_rule"].as_str().is_some_and(|rule| rule != bounce::NO_RULE));
        assert_eq!(delivered["bounce_rule"], Value::Null);
        assert_eq!((&delivered["bounce_confidence"], &delivered["classifier"]), (&Value::Null, &json!("")));
    }

    #[test]
    fn a_bounce_without_a_text_is_unknown_and_nobody_else_s_failure() {
        assert_eq!(failure_told("email", "bounced", &json!({})), ["unknown", "infrastructure"]);
        assert_eq!(failure_told("email", "failed", &json!({})), [Value::Null, Value::Null]);
    }

    #[test]
    fn a_name_beside_an_address_is_no_part_of_it() {
        let tokens = TokenKey::development();
        let token = tokens.token(Kind::Email, "q14@victim.example");
        let told = told("email", &json!({"recipient": "Ada Person <q14@victim.example>"}));
        assert_eq!(
            (&told["recipient_token"], &told["recipient_domain"]),
            (&json!(token), &json!("victim.example"))
        );
        assert_eq!(told["metadata"], json!({}));
    }

    #[test]
    fn each_address_of_a_list_has_its_token() {
        let tokens = TokenKey::development();
        let [one, two] = ["q15@victim.example", "q15b@other.example"].map(|to| tokens.token(Kind::Email, to));
        let told = told("email", &json!({"recipient": "q15@victim.example, B <q15b@other.example>", "x": 1}));
        assert_eq!(
            (&told["recipient_token"], &told["recipient_domain"]),
            (&json!(one), &json!("victim.example"))
        );
        let recipients =
            json!([{"token": one, "domain": "victim.example"}, {"token": two, "domain": "other.example"}]);
        assert_eq!(told["metadata"], json!({"recipients": recipients, "x": 1}));
    }

    #[test]
    fn a_device_is_nobody_s_address_on_another_channel() {
        let told = told("email", &json!({"recipients": ["ada@x.io"]}));
        assert_eq!(told["recipient_token"], Value::Null);
        assert_eq!(told["metadata"]["recipients"].as_array().map(Vec::len), Some(1));
    }

    /// Recipients of any shape, the push token in each of them.
    fn recipients() -> impl Strategy<Value = Value> {
        let token = Just(json!("push-token"));
        let device = prop_oneof![
            token.clone(),
            token.clone().prop_map(|token| json!({"device_id": token, "device_platform": "ios"})),
            token.clone().prop_map(|token| json!({"device_id": null, "device": token})),
            token.clone().prop_map(|token| json!({"device_id": {"token": token}})),
            proptest::sample::select(vec![json!(null), json!(true), json!({}), json!("")]),
        ];
        device.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                inner.prop_map(|inner| json!({"recipients": inner})),
            ]
        })
    }

    proptest! {
        /// E2: whatever stands where devices are listed, once or at both places.
        #[test]
        fn a_push_token_never_survives(data in recipients(), top in recipients(), channel in "push|email|") {
            let told = told_of(&json!({"object_type": channel, "metric": "sent", "recipients": top,
                "data": {"recipients": data}}));
            prop_assert!(!told.to_string().contains("push-token"), "{}", told);
        }
    }
}
