//! One event in its normal form, whoever sent it and however it was spelled.

mod fields;
mod oddity;

use std::borrow::Cow;
use std::fmt;

use schemas::id::EVENT_ID_BYTES_MAX;
use schemas::key::{Identifiers, Person};
use serde_json::value::RawValue;
use thiserror::Error;

use self::fields::{BODIES, Fields};
use crate::field::{Field, Level};
use crate::metric::{self, Hint, PREFERENCES};
use crate::object::{Found, Object, string, text, truth};
use crate::rest::Rest;
use crate::time::{self, EventTime};

pub use self::oddity::{Oddities, Oddity};

/// An event, its fields found wherever the sender put them: in `data` first, then at the top level; its id,
/// metric, object type and time at the top level only.
///
/// Nothing but a metric is required. Ids are texts, given as strings or numbers; null and "" are absent; of a
/// repeated name the first counts. A field of a shape that nobody expects is not lost: it stays in `rest`,
/// but for `recipients`, which never does. Texts are borrowed from the event's bytes where they hold no
/// escapes.
#[derive(Clone, PartialEq, Default)]
pub struct Event<'a> {
    /// The sender's id of this event, at most [`EVENT_ID_BYTES_MAX`] bytes.
    pub event_id: Option<Cow<'a, str>>,
    /// What is to be said of `event_id`.
    pub event_id_state: EventIdState,
    /// email, sms, push, in_app, whatsapp, slack, webhook, customer, another, or unknown. Lower case.
    pub channel: Cow<'a, str>,
    /// sent, delivered, opened, clicked, bounced, spammed, unsubscribed or another. Lower case, without
    /// channel.
    pub metric: Cow<'a, str>,
    /// When it happened.
    pub time: EventTime,
    /// The message instance.
    pub delivery_id: Option<Cow<'a, str>>,
    /// Campaign.
    pub campaign_id: Option<Cow<'a, str>>,
    /// Workflow action.
    pub action_id: Option<Cow<'a, str>>,
    /// API-triggered broadcast.
    pub broadcast_id: Option<Cow<'a, str>>,
    /// Newsletter.
    pub newsletter_id: Option<Cow<'a, str>>,
    /// Transactional message: a number or a trigger name.
    pub transactional_message_id: Option<Cow<'a, str>>,
    /// Content variant (`content_id`), else another sender's `template_id`.
    pub template_id: Option<Cow<'a, str>>,
    /// Whom the message was for, as the channel addresses people. Of a flat e-mail event, its
    /// `email_address`.
    pub recipient: Option<Cow<'a, str>>,
    /// The devices that a push was for: what `recipients` lists, but for items that say nothing of a device.
    pub devices: Vec<Device<'a>>,
    /// Subject line.
    pub subject: Option<Cow<'a, str>>,
    /// Clicked link.
    pub href: Option<Cow<'a, str>>,
    /// Clicked link's id.
    pub link_id: Option<Cow<'a, str>>,
    /// What the provider replied; free text. Of an object or a list, its texts and numbers; the original
    /// stays in `rest`.
    pub failure_message: Option<Cow<'a, str>>,
    /// The click was made by a machine; `None` where not said.
    pub machine: Option<bool>,
    /// The open was a prefetch; `None` where not said.
    pub prefetched: Option<bool>,
    /// The open came through a proxy; `None` where not said.
    pub proxied: Option<bool>,
    /// The open was inferred from a click; `None` where not said.
    pub synthetic: Option<bool>,
    /// The person, by the vendor's deprecated field; internal where `identifiers` is there too.
    pub customer_id: Option<Cow<'a, str>>,
    /// The vendor's `identifiers`, where the event has such an object, empty or not.
    pub identifiers: Option<Ids<'a>>,
    /// The person's address, of customer events and flat events.
    pub email_address: Option<Cow<'a, str>>,
    /// Whether a message body came with it. The body itself stays in the raw bytes.
    pub content_present: bool,
    /// All other fields of `data` and the top level, but message bodies. May hold addresses.
    pub rest: Rest<'a>,
    /// What was odd about its form, and understood all the same.
    pub oddities: Oddities,
}

/// Members of `identifiers`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Ids<'a> {
    /// The workspace's own id of the person.
    pub id: Option<Cow<'a, str>>,
    /// The person's e-mail address.
    pub email: Option<Cow<'a, str>>,
    /// The vendor's id of the person, with or without the prefix `cio_`.
    pub cio_id: Option<Cow<'a, str>>,
}

/// A device that a push was for. Of what the sender lists as a text, that is the push token; other shapes are
/// no device.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Device<'a> {
    /// The device's push token: an address (E2).
    pub device_id: Option<Cow<'a, str>>,
    /// ios, android or another.
    pub platform: Option<Cow<'a, str>>,
    /// Why it could not be reached.
    pub failure_message: Option<Cow<'a, str>>,
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
pub enum NotUnderstood<'a> {
    /// Not UTF-8 or not JSON.
    #[error("not JSON")]
    Malformed,
    /// JSON, but no object.
    #[error("not a JSON object")]
    NotAnObject,
    /// An object without a metric, or with one that is no text. What else it says is read nevertheless, so
    /// that it can be kept under its customer's key.
    #[error("no metric")]
    NoMetric(Box<Event<'a>>),
}

impl NotUnderstood<'_> {
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

impl<'a> Event<'a> {
    /// Reads one event from its own bytes.
    ///
    /// # Errors
    /// See [`NotUnderstood`]. Depth, repeats, wrong types and missing fields are none.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NotUnderstood<'a>> {
        let json = std::str::from_utf8(bytes).map_err(|_| NotUnderstood::Malformed)?;
        let Some((top, data)) = Level::read_both(json) else {
            let is_json = serde_json::from_str::<&RawValue>(json).is_ok();
            return Err(if is_json { NotUnderstood::NotAnObject } else { NotUnderstood::Malformed });
        };
        let is_text = data.is_none() && top.all(Field::Data).next().is_some_and(|json| json.starts_with('"'));
        let event = is_text.then(|| Self::of_text_data(json)).flatten();
        let event = event.unwrap_or_else(|| Self::of(top, data));
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
            email_recipient: self.recipient.as_deref().filter(|_| self.channel == "email"),
        }
    }

    /// Reads an event whose `data` is a text that holds an object: some relays encode it twice.
    fn of_text_data(json: &str) -> Option<Self> {
        let top = Object::read(json)?;
        let data = string(top.all("data").next()?)?;
        Object::read(&data)?;
        let mut whole = String::with_capacity(json.len());
        for member in top.members().iter().filter(|member| member.name != "data") {
            whole.push(if whole.is_empty() { '{' } else { ',' });
            whole.push_str(&serde_json::Value::from(&*member.name).to_string());
            whole.push(':');
            whole.push_str(member.json);
        }
        whole.push_str(if whole.is_empty() { "{\"data\":" } else { ",\"data\":" });
        whole.push_str(&data);
        whole.push('}');
        let (top, data) = Level::read_both(&whole)?;
        let mut event = Event::of(top, data).into_owned();
        event.oddities.add(Oddity::DataAsText);
        Some(event)
    }

    fn of(mut top: Level<'a>, data: Option<Level<'a>>) -> Self {
        let ids_given = top.all(Field::EventId).count();
        let event_id =
            top.take(Field::EventId, |json| text(json).filter(|id| id.len() <= EVENT_ID_BYTES_MAX));
        let event_id_state = match event_id {
            Found::Nothing => EventIdState::Missing,
            Found::Otherwise => EventIdState::Unusable,
            Found::Value(_) if ids_given > 1 => EventIdState::Repeated,
            Found::Value(_) => EventIdState::Given,
        };
        let metric = top.take(Field::Metric, string).value();
        let object_type =
            [Field::ObjectType, Field::ObjectTypeType].map(|field| top.take(field, string).value());
        let mut oddities = Oddities::default();
        let time = match top.take(Field::Timestamp, text) {
            Found::Value(text) => {
                let time = EventTime::parse(&text);
                oddities.add_if(time != EventTime::Absurd && time::is_date(&text), Oddity::TimeAsDate);
                time
            }
            Found::Nothing => EventTime::Missing,
            Found::Otherwise => EventTime::Absurd,
        };
        let flat = data.is_none();
        let mut fields = Fields { data: data.unwrap_or_default(), top, identifiers_rest: Rest::default() };
        let mut event = Self {
            event_id: event_id.value(),
            event_id_state,
            time,
            oddities,
            ..Self::of_fields(&mut fields)
        };
        event.classify(object_type.into_iter().flatten().next(), metric.unwrap_or_default());
        // In the vendor's envelope an `email_address` tells a person's event from a message's: it stays apart
        // there.
        if flat && event.channel == "email" && event.recipient.is_none() {
            event.recipient.clone_from(&event.email_address);
        }
        if event.failure_message.is_none() {
            event.failure_message = fields.failure_of_parts();
            event.oddities.add_if(event.failure_message.is_some(), Oddity::FailureNotText);
        }
        // Changed preferences come as `content`: data there, no message body.
        let is_silent = event.metric == PREFERENCES && !fields.holds(Field::Content);
        event.oddities.add_if(is_silent, Oddity::PreferencesMissing);
        let bodies: &[Field] = if event.metric == PREFERENCES { &[] } else { &BODIES };
        event.content_present = bodies.iter().any(|body| fields.holds(*body));
        event.rest = fields.rest(bodies);
        event
    }

    fn of_fields(fields: &mut Fields<'a>) -> Self {
        Self {
            delivery_id: fields.text(Field::DeliveryId),
            campaign_id: fields.text(Field::CampaignId),
            action_id: fields.text(Field::ActionId),
            broadcast_id: fields.text(Field::BroadcastId),
            newsletter_id: fields.text(Field::NewsletterId),
            transactional_message_id: fields.text(Field::TransactionalMessageId),
            template_id: fields.text(Field::ContentId).or_else(|| fields.text(Field::TemplateId)),
            recipient: fields.text(Field::Recipient),
            devices: fields.devices(),
            subject: fields.text(Field::Subject),
            href: fields.text(Field::Href),
            link_id: fields.text(Field::LinkId),
            failure_message: fields.text(Field::FailureMessage),
            machine: fields.read(Field::Machine, truth),
            prefetched: fields.read(Field::Prefetched, truth),
            proxied: fields.read(Field::Proxied, truth),
            synthetic: fields.read(Field::Synthetic, truth),
            customer_id: fields.text(Field::CustomerId),
            identifiers: fields.identifiers(),
            email_address: fields.text(Field::EmailAddress),
            ..Self::default()
        }
    }

    /// Settles channel and metric.
    fn classify(&mut self, object_type: Option<Cow<'a, str>>, metric: Cow<'a, str>) {
        let address =
            self.email_address.is_some() || self.recipient.as_ref().is_some_and(|to| to.contains('@'));
        let hint = Hint { address, devices: !self.devices.is_empty() };
        let normal = metric::normalise(object_type, metric, hint);
        (self.channel, self.metric) = (normal.channel, normal.metric);
        self.oddities.add_if(normal.is_alias, Oddity::MetricAlias);
    }

    /// The same event with texts of its own.
    fn into_owned(self) -> Event<'static> {
        let own = |text: Option<Cow<'a, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        let own_ids = |ids: Ids<'a>| Ids { id: own(ids.id), email: own(ids.email), cio_id: own(ids.cio_id) };
        let own_device = |device: Device<'a>| Device {
            device_id: own(device.device_id),
            platform: own(device.platform),
            failure_message: own(device.failure_message),
        };
        Event {
            event_id: own(self.event_id),
            channel: Cow::Owned(self.channel.into_owned()),
            metric: Cow::Owned(self.metric.into_owned()),
            delivery_id: own(self.delivery_id),
            campaign_id: own(self.campaign_id),
            action_id: own(self.action_id),
            broadcast_id: own(self.broadcast_id),
            newsletter_id: own(self.newsletter_id),
            transactional_message_id: own(self.transactional_message_id),
            template_id: own(self.template_id),
            recipient: own(self.recipient),
            devices: self.devices.into_iter().map(own_device).collect(),
            subject: own(self.subject),
            href: own(self.href),
            link_id: own(self.link_id),
            failure_message: own(self.failure_message),
            customer_id: own(self.customer_id),
            identifiers: self.identifiers.map(own_ids),
            email_address: own(self.email_address),
            rest: self.rest.into_owned(),
            event_id_state: self.event_id_state,
            time: self.time,
            machine: self.machine,
            prefetched: self.prefetched,
            proxied: self.proxied,
            synthetic: self.synthetic,
            content_present: self.content_present,
            oddities: self.oddities,
        }
    }
}

/// Says what kind of event it is, never whose (E2).
impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("channel", &self.channel)
            .field("metric", &self.metric)
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Ids<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ids").finish_non_exhaustive()
    }
}

impl fmt::Debug for Device<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").finish_non_exhaustive()
    }
}
