//! One event in its normal form, whoever sent it and however it was spelled.

use std::fmt;

use schemas::id::EVENT_ID_BYTES_MAX;
use schemas::key::{Identifiers, Person};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::content::BODIES;
use crate::metric::{self, Hint, PREFERENCES};
use crate::object::{Found, Object, string, text, truth};
use crate::time::EventTime;

/// An event, its fields found wherever the sender put them: in `data` first, then at the top level.
///
/// Nothing but a metric is required. Ids are texts, given as strings or numbers; null and "" are absent; of a repeated
/// name the first counts. A field of a shape that nobody expects is not lost: it stays in `rest`.
#[derive(Clone, PartialEq, Default)]
pub struct Event {
    /// The sender's id of this event, at most [`EVENT_ID_BYTES_MAX`] bytes.
    pub event_id: Option<String>,
    /// What is to be said of `event_id`.
    pub event_id_state: EventIdState,
    /// email, sms, push, in_app, whatsapp, slack, webhook, customer, another, or unknown. Lower case.
    pub channel: String,
    /// sent, delivered, opened, clicked, bounced, spammed, unsubscribed or another. Lower case, without channel.
    pub metric: String,
    /// When it happened.
    pub time: EventTime,
    /// The message instance.
    pub delivery_id: Option<String>,
    /// Campaign.
    pub campaign_id: Option<String>,
    /// Workflow action.
    pub action_id: Option<String>,
    /// API-triggered broadcast.
    pub broadcast_id: Option<String>,
    /// Newsletter.
    pub newsletter_id: Option<String>,
    /// Transactional message: a number or a trigger name.
    pub transactional_message_id: Option<String>,
    /// Content variant (`content_id`), else another sender's `template_id`.
    pub template_id: Option<String>,
    /// Whom the message was for, as the channel addresses people. Of a flat e-mail event, its `email_address`.
    pub recipient: Option<String>,
    /// The devices that a push was for.
    pub devices: Vec<Device>,
    /// Subject line.
    pub subject: Option<String>,
    /// Clicked link.
    pub href: Option<String>,
    /// Clicked link's id.
    pub link_id: Option<String>,
    /// What the provider replied; free text.
    pub failure_message: Option<String>,
    /// The click was made by a machine; `None` where not said.
    pub machine: Option<bool>,
    /// The open was a prefetch; `None` where not said.
    pub prefetched: Option<bool>,
    /// The open came through a proxy; `None` where not said.
    pub proxied: Option<bool>,
    /// The open was inferred from a click; `None` where not said.
    pub synthetic: Option<bool>,
    /// The person, by the vendor's deprecated field; internal where `identifiers` is there too.
    pub customer_id: Option<String>,
    /// The vendor's `identifiers`, where the event has such an object, empty or not.
    pub identifiers: Option<Ids>,
    /// The person's address, of customer events and flat events.
    pub email_address: Option<String>,
    /// Whether a message body came with it. The body itself stays in the raw bytes.
    pub content_present: bool,
    /// All other fields of `data` and the top level, but message bodies. May hold addresses.
    pub rest: Map<String, Value>,
}

/// Members of `identifiers`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Ids {
    /// The workspace's own id of the person.
    pub id: Option<String>,
    /// The person's e-mail address.
    pub email: Option<String>,
    /// The vendor's id of the person, without prefix.
    pub cio_id: Option<String>,
}

/// A device that a push was for.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Device {
    /// The device's push token: an address (E2).
    pub device_id: String,
    /// ios, android or another.
    pub platform: Option<String>,
    /// Why it could not be reached.
    pub failure_message: Option<String>,
}

/// What is to be said of an event's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventIdState {
    /// Given once.
    Given,
    /// Given more than once: the first counts.
    Repeated,
    /// Not given, null or "".
    #[default]
    Missing,
    /// Neither text nor number, or longer than [`EVENT_ID_BYTES_MAX`] bytes.
    Unusable,
}

/// Why bytes are no event.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NotUnderstood {
    /// Not UTF-8 or not JSON.
    #[error("not JSON")]
    Malformed,
    /// JSON, but no object.
    #[error("not a JSON object")]
    NotAnObject,
    /// An object without a metric, or with one that is no text. What else it says is read nevertheless, so that it can
    /// be kept under its customer's key.
    #[error("no metric")]
    NoMetric(Box<Event>),
}

impl NotUnderstood {
    /// The dead letter's reason.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "malformed_json",
            Self::NotAnObject => "not_an_object",
            Self::NoMetric(_) => "no_metric",
        }
    }
}

impl Event {
    /// Reads one event from its own bytes.
    ///
    /// # Errors
    /// See [`NotUnderstood`]. Depth, repeats, wrong types and missing fields are none.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotUnderstood> {
        let json = std::str::from_utf8(bytes).map_err(|_| NotUnderstood::Malformed)?;
        let Some(top) = Object::read(json) else {
            let is_json = serde_json::from_str::<&RawValue>(json).is_ok();
            return Err(if is_json { NotUnderstood::NotAnObject } else { NotUnderstood::Malformed });
        };
        let event = Self::of(top);
        if event.metric.is_empty() { Err(NotUnderstood::NoMetric(Box::new(event))) } else { Ok(event) }
    }

    /// Whom the event is about, for [`schemas::key::CustomerKey::of`].
    #[must_use]
    pub fn person(&self) -> Person<'_> {
        Person {
            identifiers: self.identifiers.as_ref().map(|ids| Identifiers {
                id: ids.id.as_deref(),
                cio_id: ids.cio_id.as_deref(),
                email: ids.email.as_deref(),
            }),
            customer_id: self.customer_id.as_deref(),
            email_address: self.email_address.as_deref(),
            email_recipient: self
                .recipient
                .as_deref()
                .filter(|recipient| self.channel == "email" && recipient.contains('@')),
        }
    }

    fn of(mut top: Object<'_>) -> Self {
        let ids_given = top.all("event_id").count();
        let event_id = top.take("event_id", |json| text(json).filter(|id| id.len() <= EVENT_ID_BYTES_MAX));
        let event_id_state = match event_id {
            Found::Nothing => EventIdState::Missing,
            Found::Otherwise => EventIdState::Unusable,
            Found::Value(_) if ids_given > 1 => EventIdState::Repeated,
            Found::Value(_) => EventIdState::Given,
        };
        let metric = top.take("metric", string).value();
        let object_type = ["object_type", "object_type_type"].map(|name| top.take(name, string).value());
        let time = match top.take("timestamp", text) {
            Found::Value(text) => EventTime::parse(&text),
            Found::Nothing => EventTime::Missing,
            Found::Otherwise => EventTime::Absurd,
        };
        let data = top.take("data", Object::read).value();
        let flat = data.is_none();
        let mut fields = Fields { data: data.unwrap_or_default(), top, identifiers_rest: Map::new() };
        let mut event =
            Self { event_id: event_id.value(), event_id_state, time, ..Self::of_fields(&mut fields) };
        event.classify(object_type.iter().flatten().next().map(String::as_str), metric.as_deref());
        // In the vendor's envelope an `email_address` tells a person's event from a message's: it stays apart there.
        if flat && event.channel == "email" && event.recipient.is_none() {
            event.recipient.clone_from(&event.email_address);
        }
        // Changed preferences come as `content`: data there, no message body.
        let bodies: &[&str] = if event.metric == PREFERENCES { &[] } else { &BODIES };
        event.content_present = bodies.iter().any(|name| fields.holds(name));
        event.rest = fields.rest(bodies);
        event
    }

    fn of_fields(fields: &mut Fields<'_>) -> Self {
        Self {
            delivery_id: fields.text("delivery_id"),
            campaign_id: fields.text("campaign_id"),
            action_id: fields.text("action_id"),
            broadcast_id: fields.text("broadcast_id"),
            newsletter_id: fields.text("newsletter_id"),
            transactional_message_id: fields.text("transactional_message_id"),
            template_id: fields.text("content_id").or_else(|| fields.text("template_id")),
            recipient: fields.text("recipient"),
            devices: fields.read("recipients", devices).unwrap_or_default(),
            subject: fields.text("subject"),
            href: fields.text("href"),
            link_id: fields.text("link_id"),
            failure_message: fields.text("failure_message"),
            machine: fields.read("machine", truth),
            prefetched: fields.read("prefetched", truth),
            proxied: fields.read("proxied", truth),
            synthetic: fields.read("synthetic", truth),
            customer_id: fields.text("customer_id"),
            identifiers: fields.identifiers(),
            email_address: fields.text("email_address"),
            ..Self::default()
        }
    }

    /// Settles channel and metric.
    fn classify(&mut self, object_type: Option<&str>, metric: Option<&str>) {
        let address =
            self.email_address.is_some() || self.recipient.as_ref().is_some_and(|to| to.contains('@'));
        let hint = Hint { address, devices: !self.devices.is_empty() };
        (self.channel, self.metric) = metric::normalise(object_type, metric.unwrap_or_default(), hint);
    }
}

/// Where fields are looked for: the vendor's `data`, then the top level.
struct Fields<'a> {
    data: Object<'a>,
    top: Object<'a>,
    identifiers_rest: Map<String, Value>,
}

impl<'a> Fields<'a> {
    fn read<T>(&mut self, name: &str, read: impl Fn(&'a str) -> Option<T>) -> Option<T> {
        self.data.take(name, &read).value().or_else(|| self.top.take(name, &read).value())
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.read(name, text)
    }

    /// Takes the three that make a customer key; others (a phone) stay in `rest` under the same name.
    fn identifiers(&mut self) -> Option<Ids> {
        let mut object = self.read("identifiers", Object::read)?;
        let ids = Ids {
            id: object.take("id", text).value(),
            email: object.take("email", text).value(),
            cio_id: object.take("cio_id", text).value(),
        };
        object.leave(&[], &mut self.identifiers_rest);
        Some(ids)
    }

    fn holds(&self, name: &str) -> bool {
        self.data.all(name).chain(self.top.all(name)).any(|value| value.get() != "null")
    }

    fn rest(self, except: &[&str]) -> Map<String, Value> {
        let mut rest = Map::new();
        self.data.leave(except, &mut rest);
        self.top.leave(except, &mut rest);
        if !self.identifiers_rest.is_empty() {
            rest.entry("identifiers").or_insert(Value::Object(self.identifiers_rest));
        }
        rest
    }
}

fn devices(json: &str) -> Option<Vec<Device>> {
    let items = serde_json::from_str::<Vec<&RawValue>>(json).ok()?;
    items.into_iter().map(|item| device(item.get())).collect()
}

fn device(json: &str) -> Option<Device> {
    let mut object = Object::read(json)?;
    Some(Device {
        device_id: object.take("device_id", text).value()?,
        platform: object.take("device_platform", text).value(),
        failure_message: object.take("failure_message", text).value(),
    })
}

/// Says what kind of event it is, never whose (E2).
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("channel", &self.channel)
            .field("metric", &self.metric)
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ids").finish_non_exhaustive()
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").finish_non_exhaustive()
    }
}
