//! An event as the oracle reads it.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Row;
use super::person::{self, Customer};

/// Consent, not a message: these metrics are no outcome of e-mail whatever channel they name.
const CONSENT: [&str; 2] = ["subscribed", "cio_subscription_preferences_changed"];

/// The source that the deployments of the tests have.
const SOURCE: &[u8] = b"default";

/// What the rules ask of an event.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) id: String,
    /// The identity of the outcome that it becomes.
    pub(super) outcome_id: String,
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
        let customer = person::customer(data, recipient.as_deref(), &id);
        Event {
            outcome_id: outcome_id(&id, &customer.key),
            customer,
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

/// The customer's event: half a SHA-256 over parts, each after its length. The ids that are unique by
/// themselves (ULIDs, UUIDs) stand alone, any other with its source.
fn outcome_id(id: &str, customer: &str) -> String {
    let is_unique = id.len() == 26 || id.len() == 36 && id.matches('-').count() == 4;
    let event = if is_unique {
        half_hash(&[b"ev", id.as_bytes()])
    } else {
        half_hash(&[b"ev", SOURCE, id.as_bytes()])
    };
    let outcome = half_hash(&[b"cust", &event, customer.as_bytes()]);
    outcome.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn half_hash(parts: &[&[u8]]) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u32::try_from(part.len()).expect("parts are short").to_be_bytes());
        hash.update(part);
    }
    hash.finalize()[..16].to_vec()
}

/// Null and "" are absent; a number is its JSON text.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
