//! An event as the oracle reads it.

use serde_json::Value;

use super::Row;
use super::person::{self, Customer};

/// Consent, not a message: these metrics are no outcome of e-mail whatever channel they name.
const CONSENT: [&str; 2] = ["subscribed", "cio_subscription_preferences_changed"];

/// What the rules ask of an event.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) channel: String,
    pub(super) metric: String,
    pub(super) at_ms: i64,
    pub(super) customer: Customer,
    pub(super) delivery_id: Option<String>,
    /// Of e-mail only.
    pub(super) recipient_token: Option<String>,
    /// Not said to be a machine's.
    pub(super) is_human: bool,
}

impl Event {
    /// Reads one body.
    pub(super) fn read(body: &[u8]) -> Event {
        let event: Value = serde_json::from_slice(body).expect("the vendor sends JSON");
        let data = &event["data"];
        let id = text(&event["event_id"]).expect("the vendor names each event");
        let metric = text(&event["metric"]).expect("the vendor names a metric");
        let channel = text(&event["object_type"])
            .or_else(|| text(&event["object_type_type"]))
            .or_else(|| (metric == CONSENT[1]).then(|| "customer".to_owned()))
            .expect("the vendor leaves the type out of one metric only");
        let seconds = event["timestamp"].as_i64().expect("the vendor tells the time in seconds");
        let said = |mark: &str| data[mark].as_bool() == Some(true);
        let is_machine = match metric.as_str() {
            "opened" => said("prefetched") || said("proxied") || said("synthetic"),
            _ => said("machine"),
        };
        let recipient = text(&data["recipient"]).filter(|_| channel == "email");
        Event {
            customer: person::customer(data, recipient.as_deref(), &id),
            recipient_token: recipient.as_deref().map(person::token),
            delivery_id: text(&data["delivery_id"]),
            at_ms: seconds * 1_000,
            is_human: !is_machine,
            id,
            channel,
            metric,
        }
    }

    /// Whether it tells what became of an e-mail.
    pub(super) fn is_email_outcome(&self) -> bool {
        self.channel == "email" && !CONSENT.contains(&self.metric.as_str())
    }

    /// Whether it is that e-mail outcome.
    pub(super) fn is_email(&self, metric: &str) -> bool {
        self.is_email_outcome() && self.metric == metric
    }

    pub(super) fn row(&self) -> Row {
        Row {
            customer_id: self.customer.key.clone(),
            channel: self.channel.clone(),
            metric: self.metric.clone(),
            occurred_at_ms: self.at_ms,
            delivery_id: self.delivery_id.clone(),
        }
    }
}

/// Null and "" are absent; a number is its JSON text.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
