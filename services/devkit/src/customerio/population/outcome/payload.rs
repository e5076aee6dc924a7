//! An event's JSON, field by field as the vendor's payloads have them, bare of what they leave out.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::delivery::Delivery;
use super::failure;
use super::funnel::{Channel, Step};
use crate::customerio::population::dice::Dice;
use crate::customerio::population::person::Device;

/// An event without its frame.
#[derive(Debug)]
pub(super) struct Payload {
    /// The value of `object_type`, where it has that field.
    pub(super) object_type: Option<&'static str>,
    /// The exact bytes of the request.
    pub(super) body: Bytes,
}

/// The event of `step`, which happened in that second.
pub(super) fn payload(
    delivery: &Delivery<'_>,
    step: Step,
    event_id: &str,
    second: i64,
    dice: &mut Dice,
) -> Payload {
    let (metric, (type_field, type_name), data) = match step {
        Step::Message(metric) => {
            (metric, ("object_type", delivery.channel.name()), message_data(delivery, metric, dice))
        }
        Step::Person(metric) => {
            (metric, person_type(delivery, metric, dice), person_data(delivery, metric, dice))
        }
    };
    let mut event = Map::new();
    event.insert("event_id".to_owned(), Value::from(event_id));
    event.insert("metric".to_owned(), Value::from(metric));
    event.insert("timestamp".to_owned(), Value::from(second));
    event.insert("data".to_owned(), Value::Object(data));
    if !type_field.is_empty() {
        event.insert(type_field.to_owned(), Value::from(type_name));
    }
    Payload {
        object_type: (type_field == "object_type").then_some(type_name),
        body: Bytes::from(Value::Object(event).to_string()),
    }
}

/// The type of a subscription event is the channel that caused it, else `customer`. The specification of
/// preference changes misspells the field and doesn't require it: all three forms occur here.
fn person_type(delivery: &Delivery<'_>, metric: &str, dice: &mut Dice) -> (&'static str, &'static str) {
    let name = delivery.channel.name();
    if metric != "cio_subscription_preferences_changed" {
        return ("object_type", name);
    }
    dice.one_of(&[("object_type", name), ("object_type", name), ("object_type_type", name), ("", "")])
}

fn person_data(delivery: &Delivery<'_>, metric: &str, dice: &mut Dice) -> Map<String, Value> {
    let mut data = Map::new();
    put_person(delivery, &mut data, dice);
    let address = delivery.person.and_then(|person| person.email.as_deref());
    data.insert("email_address".to_owned(), json!(address));
    if metric == "cio_subscription_preferences_changed" {
        if delivery.channel != Channel::Customer {
            data.insert("delivery_id".to_owned(), json!(delivery.id));
            put_sender(delivery, &mut data, dice);
        }
        // The vendor tells what changed only where body content is switched on, as JSON in a string.
        if dice.percent(60) {
            let topics = json!({ "topics": { "topic_1": dice.percent(50), "topic_3": dice.percent(50) } });
            data.insert("content".to_owned(), Value::from(topics.to_string()));
        }
    }
    data
}

fn message_data(delivery: &Delivery<'_>, metric: &str, dice: &mut Dice) -> Map<String, Value> {
    let mut data = Map::new();
    put_person(delivery, &mut data, dice);
    put_sender(delivery, &mut data, dice);
    data.insert("delivery_id".to_owned(), json!(delivery.id));
    if names_recipient(delivery.channel, metric, dice) {
        data.insert("recipient".to_owned(), json!(delivery.recipient));
    }
    if names_devices(delivery.channel, metric) {
        data.insert("recipients".to_owned(), devices(delivery, metric, dice));
    } else if fails(metric) {
        let message = failure::message(delivery.channel, metric, &delivery.recipient, dice);
        data.insert("failure_message".to_owned(), Value::from(message));
    }
    if delivery.channel == Channel::Email && metric != "attempted" && (metric != "opened" || dice.percent(80))
    {
        data.insert("subject".to_owned(), json!(delivery.message.subject));
    }
    match metric {
        "clicked" => put_click(delivery, &mut data, dice),
        "opened" if delivery.channel == Channel::Email => put_open(&mut data, dice),
        "sent" if dice.percent(4) => put_content(delivery, &mut data),
        "replied" => {
            data.insert("to".to_owned(), Value::from("+15550001111"));
            data.insert("inbound_event_id".to_owned(), Value::from(dice.ulid(0)));
        }
        _ => {}
    }
    data
}

fn put_person(delivery: &Delivery<'_>, data: &mut Map<String, Value>, dice: &mut Dice) {
    if let Some(person) = delivery.person {
        data.insert("identifiers".to_owned(), person.identifiers());
        person.put_customer_id(data, dice);
    } else if dice.percent(30) {
        data.insert("identifiers".to_owned(), json!({}));
    }
}

fn put_sender(delivery: &Delivery<'_>, data: &mut Map<String, Value>, dice: &mut Dice) {
    delivery.message.sender.put_ids(data, &delivery.journey, &delivery.trigger_event, dice);
}

fn fails(metric: &str) -> bool {
    matches!(metric, "attempted" | "failed" | "undeliverable" | "bounced" | "dropped" | "deferred")
}

/// The specification requires a recipient of a failed e-mail and doesn't declare one: it comes half of the
/// time.
fn names_recipient(channel: Channel, metric: &str, dice: &mut Dice) -> bool {
    match (channel, metric) {
        (Channel::Push | Channel::Customer, _)
        | (Channel::Email, "attempted")
        | (Channel::InApp, "opened") => false,
        (Channel::Email, "failed") => dice.percent(50),
        (Channel::Email, _) => true,
        (_, metric) => !matches!(metric, "drafted" | "attempted" | "failed" | "undeliverable"),
    }
}

fn names_devices(channel: Channel, metric: &str) -> bool {
    channel == Channel::Push && !matches!(metric, "drafted" | "attempted" | "failed" | "undeliverable")
}

/// `sent` names all devices, the rest the one it happened on; a refusal tells why, per device.
fn devices(delivery: &Delivery<'_>, metric: &str, dice: &mut Dice) -> Value {
    let devices: &[Device] = delivery.person.map_or(&[], |person| &person.devices);
    let count = if metric == "sent" { devices.len() } else { devices.len().min(1) };
    let rows = devices[..count].iter().map(|device| {
        let mut row = Map::new();
        row.insert("device_id".to_owned(), json!(device.token));
        if fails(metric) {
            let message = failure::message(Channel::Push, metric, "", dice);
            row.insert("failure_message".to_owned(), Value::from(message));
            row.insert("device_platform".to_owned(), json!(device.platform));
        } else if dice.percent(80) {
            row.insert("device_platform".to_owned(), json!(device.platform));
        }
        Value::Object(row)
    });
    Value::Array(rows.collect())
}

fn put_click(delivery: &Delivery<'_>, data: &mut Map<String, Value>, dice: &mut Dice) {
    let links = delivery.message.links;
    let place = dice.below(links.len());
    let href = links[place].replace("{recipient}", &delivery.recipient);
    data.insert("href".to_owned(), Value::from(href));
    data.insert("link_id".to_owned(), dice.id(place as u64 + 1));
    match (delivery.channel, dice.maybe()) {
        (Channel::Email, Some(machine)) => {
            data.insert("machine".to_owned(), Value::from(machine));
        }
        (Channel::InApp, Some(true)) => {
            data.insert("tracked_response".to_owned(), Value::from("cta-primary"));
        }
        _ => {}
    }
}

/// The three marks of an open: each may be absent, and absent doesn't mean false.
fn put_open(data: &mut Map<String, Value>, dice: &mut Dice) {
    const OPENS: &[[(&str, Option<bool>); 3]] = &[
        [("proxied", Some(false)), ("prefetched", Some(false)), ("synthetic", Some(false))],
        [("proxied", Some(false)), ("prefetched", Some(false)), ("synthetic", None)],
        [("proxied", None), ("prefetched", None), ("synthetic", None)],
        [("proxied", Some(true)), ("prefetched", Some(true)), ("synthetic", Some(false))],
        [("proxied", Some(true)), ("prefetched", Some(false)), ("synthetic", None)],
        [("proxied", None), ("prefetched", Some(true)), ("synthetic", None)],
        [("proxied", None), ("prefetched", None), ("synthetic", Some(true))],
    ];
    for (name, mark) in dice.one_of(OPENS) {
        if let Some(mark) = mark {
            data.insert(name.to_owned(), Value::from(mark));
        }
    }
}

/// What body content adds where it is switched on. Headers come only with content.
fn put_content(delivery: &Delivery<'_>, data: &mut Map<String, Value>) {
    let content = match delivery.channel {
        Channel::Email => format!("<html><p>Dear {},</p><p>thank you.</p></html>", delivery.recipient),
        Channel::Push => json!({ "message": { "notification": { "title": "Hello" } } }).to_string(),
        _ => "Hello, and thank you.".to_owned(),
    };
    data.insert("content".to_owned(), Value::from(content));
    if delivery.channel == Channel::Email {
        data.insert("headers".to_owned(), json!({ "X-Mailing": ["letters", "monthly"] }));
    }
}
