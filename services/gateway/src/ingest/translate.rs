//! What becomes of a verified body: its events, each in the form in which it is to be written. Pure.

use bytes::Bytes;
use schemas::id::EventId;
use schemas::key::{CustomerKey, KeyRules, is_address};
use webhook::body::{self, Item};
use webhook::event::{Event, EventIdState, NotUnderstood, Oddity};
use webhook::time::{EventTime, TimeSource};

use super::fallback::{DeadLetterReason, Form, Identity, Outbound, Receipt};
use super::trace;
use crate::signature::Verified;

/// What the decision depends on besides the request.
pub(super) struct Rules<'a> {
    pub(super) keys: &'a KeyRules,
    /// An event that was signed longer ago is a dead letter (G5). Milliseconds.
    pub(super) stale_after_ms: i64,
    /// A body with more events is refused as a whole.
    pub(super) batch_items_max: usize,
    /// The producer's limit. A dead letter that would be larger is cut at once. Bytes.
    pub(super) message_max_bytes: usize,
}

/// A body that holds more events than one request may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooManyEvents;

/// The events of one body, and what is odd about them.
#[derive(Debug)]
pub(super) struct Translation {
    pub(super) events: Vec<Outbound>,
    pub(super) oddities: Vec<&'static str>,
}

/// Decides the form of each event of a body.
///
/// It takes only [`Verified`] bytes, and no other code begins a raw record (G4).
pub(super) fn translate(
    verified: &Verified<Bytes>,
    receipt: &Receipt,
    traceparent: Option<&str>,
    rules: &Rules<'_>,
) -> Result<Translation, TooManyEvents> {
    let body = verified.body();
    let items = match body::items(body) {
        Ok(items) if items.len() > rules.batch_items_max => return Err(TooManyEvents),
        Ok(items) => items,
        Err(why) => {
            let event = Outbound {
                form: dead_letter(DeadLetterReason::Unreadable(why), body, rules),
                bytes: body.clone(),
                identity: None,
                traceparent: traceparent.map(ToOwned::to_owned),
            };
            return Ok(Translation { events: vec![event], oddities: Vec::new() });
        }
    };
    let understood = items.iter().filter_map(|item| item.event.as_ref().ok());
    let oddities = understood.flat_map(|event| oddities_of(event, receipt.received_at_ms)).collect();
    let events = items.iter().map(|item| translate_item(item, body, receipt, traceparent, rules)).collect();
    Ok(Translation { events, oddities })
}

fn translate_item(
    item: &Item<'_>,
    body: &Bytes,
    receipt: &Receipt,
    traceparent: Option<&str>,
    rules: &Rules<'_>,
) -> Outbound {
    let bytes = body.slice_ref(item.bytes);
    let (event, form) = match &item.event {
        Ok(event) if is_stale(event, receipt, rules.stale_after_ms) => {
            (Some(event), dead_letter(DeadLetterReason::Stale, &bytes, rules))
        }
        Ok(event) => (Some(event), Form::Raw),
        Err(why) => {
            // An event without a metric still says whose it is.
            let event = if let NotUnderstood::NoMetric(event) = why { Some(&**event) } else { None };
            (event, dead_letter(DeadLetterReason::NotUnderstood(why.code()), &bytes, rules))
        }
    };
    let identity = event.map(|event| identify(event, receipt, item.bytes, rules.keys));
    let own_trace = || identity.as_ref().map(|identity| trace::of_event(identity.dedupe));
    let traceparent = traceparent.map(ToOwned::to_owned).or_else(own_trace);
    Outbound { form, bytes, identity, traceparent }
}

/// The dedupe id is made here and only here, of the event's own bytes, before anything is stripped from them.
fn identify(event: &Event, receipt: &Receipt, bytes: &[u8], keys: &KeyRules) -> Identity {
    let id = EventId::of(&receipt.source, event.event_id.as_deref(), bytes);
    let key = CustomerKey::of(&event.person(), event.delivery_id.as_deref(), &id.text, keys);
    Identity { dedupe: id.dedupe, event_id: id.text, key }
}

/// Judges by the signed time, or by the event's own time where the signed one is not a time.
fn is_stale(event: &Event, receipt: &Receipt, stale_after_ms: i64) -> bool {
    let time = receipt.signed_at_ms.or(event.time.known_ms());
    time.is_some_and(|time| time < receipt.received_at_ms.saturating_sub(stale_after_ms))
}

/// A dead letter keeps the whole event where it surely fits, with room for the key and the record's other
/// fields.
fn dead_letter(reason: DeadLetterReason, bytes: &Bytes, rules: &Rules<'_>) -> Form {
    const OTHER_FIELDS_BYTES: usize = 8 << 10;
    let fits = bytes.len() + OTHER_FIELDS_BYTES <= rules.message_max_bytes;
    if fits { Form::DeadLetter(reason) } else { Form::DeadLetterHead(reason) }
}

fn oddities_of(event: &Event, received_at_ms: i64) -> impl Iterator<Item = &'static str> {
    let id = match event.event_id_state {
        EventIdState::Given => None,
        EventIdState::Repeated => Some("event_id_repeated"),
        EventIdState::Missing => Some("event_id_missing"),
        EventIdState::Unusable => Some("event_id_unusable"),
    };
    let time = match event.time {
        EventTime::Missing => Some("time_missing"),
        EventTime::Absurd => Some("time_absurd"),
        time => (time.resolve(received_at_ms).source == TimeSource::Received).then_some("time_ahead"),
    };
    let form = event.oddities.iter().map(Oddity::code);
    let id_is_address = event.person().id().is_some_and(is_address).then_some("id_is_address");
    id.into_iter().chain(time).chain(id_is_address).chain(form)
}

#[cfg(test)]
mod tests;
