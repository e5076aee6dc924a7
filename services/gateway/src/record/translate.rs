//! A verified body becomes records: a pure decision over bytes and times.

use bytes::Bytes;
use schemas::id::EventId;
use schemas::key::CustomerKey;
use schemas::token::TokenKey;
use webhook::body::{self, Item};
use webhook::event::{Event, EventIdState, NotUnderstood};
use webhook::time::{EventTime, TimeSource};

use super::outbound::{DeadReason, Form, Identity, Outbound, Receipt};
use crate::signature::Verified;

/// What the decision depends on besides the request.
pub(crate) struct Rules<'a> {
    pub(crate) tokens: &'a TokenKey,
    /// G5: signed longer ago than this, an event is kept apart. Milliseconds.
    pub(crate) stale_after_ms: i64,
    /// A body with more events than this is refused whole.
    pub(crate) batch_items_max: usize,
    /// The producer's limit; a dead letter that can't fit it is cut from the start. Bytes.
    pub(crate) message_max_bytes: usize,
}

/// A body that holds more events than one request may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyEvents;

/// The events of one body, each with the form in which it is to be kept, and what is odd about them.
#[derive(Debug)]
pub(crate) struct Translation {
    pub(crate) outbound: Vec<Outbound>,
    pub(crate) oddities: Vec<&'static str>,
}

/// Decides for each event of a body.
///
/// Only [`Verified`] bytes come in here, and only here is a raw record begun (G4).
pub(crate) fn translate(
    verified: &Verified<Bytes>,
    receipt: &Receipt,
    traceparent: Option<&str>,
    rules: &Rules<'_>,
) -> Result<Translation, TooManyEvents> {
    let whole = verified.body();
    let items = match body::items(whole) {
        Ok(items) if items.len() > rules.batch_items_max => return Err(TooManyEvents),
        Ok(items) => items,
        Err(why) => {
            let reason = DeadReason::Unreadable(why);
            let traceparent = traceparent.map(ToOwned::to_owned);
            let form = dead(reason, whole, rules);
            let outbound = Outbound { form, bytes: whole.clone(), identity: None, traceparent };
            return Ok(Translation { outbound: vec![outbound], oddities: Vec::new() });
        }
    };
    let oddities = items.iter().filter_map(|item| item.event.as_ref().ok());
    let oddities = oddities.flat_map(|event| oddities_of(event, receipt.received_at_ms)).collect();
    let outbound = items.iter().map(|item| one(item, whole, receipt, traceparent, rules)).collect();
    Ok(Translation { outbound, oddities })
}

fn one(
    item: &Item<'_>,
    body: &Bytes,
    receipt: &Receipt,
    traceparent: Option<&str>,
    rules: &Rules<'_>,
) -> Outbound {
    let bytes = body.slice_ref(item.bytes);
    let (event, form) = match &item.event {
        Ok(event) if is_stale(event, receipt, rules.stale_after_ms) => {
            (Some(event), dead(DeadReason::Stale, &bytes, rules))
        }
        Ok(event) => (Some(event), Form::Raw),
        Err(why) => {
            let event = if let NotUnderstood::NoMetric(event) = why { Some(&**event) } else { None };
            (event, dead(DeadReason::NotUnderstood(why.code()), &bytes, rules))
        }
    };
    let identity = event.map(|event| identify(event, receipt, item.bytes, rules.tokens));
    let own_trace = || identity.as_ref().map(trace_of);
    let traceparent = traceparent.map(ToOwned::to_owned).or_else(own_trace);
    Outbound { form, bytes, identity, traceparent }
}

/// The id is made from the event's own bytes, here and once: before anything is stripped.
fn identify(event: &Event, receipt: &Receipt, bytes: &[u8], tokens: &TokenKey) -> Identity {
    let id = EventId::of(&receipt.source, event.event_id.as_deref(), bytes);
    let key = CustomerKey::of(&event.person(), event.delivery_id.as_deref(), &id.text, tokens);
    Identity { dedupe: id.dedupe, event_id: id.text, key }
}

/// By the signed time; where that is no time, by the event's own.
fn is_stale(event: &Event, receipt: &Receipt, stale_after_ms: i64) -> bool {
    let time = receipt.signed_at_ms.or(event.time.known_ms());
    time.is_some_and(|time| time < receipt.received_at_ms.saturating_sub(stale_after_ms))
}

/// A dead letter keeps the whole event where it surely fits, with room for the key and the record's other fields.
fn dead(reason: DeadReason, bytes: &Bytes, rules: &Rules<'_>) -> Form {
    const OTHER_FIELDS_BYTES: usize = 8 << 10;
    let fits = bytes.len() + OTHER_FIELDS_BYTES <= rules.message_max_bytes;
    if fits { Form::Dead(reason) } else { Form::DeadHead(reason) }
}

/// A trace of its own for a request that came without: the same for every copy of the event.
fn trace_of(identity: &Identity) -> String {
    let trace = u128::from_be_bytes(identity.dedupe.0).max(1);
    let span = u64::try_from(trace >> 64).unwrap_or_default().max(1);
    format!("00-{trace:032x}-{span:016x}-00")
}

/// A request's `traceparent`, where it is one: version, trace, parent and flags in lower-case hex, none all zero.
/// See <https://www.w3.org/TR/trace-context/#traceparent-header>.
pub(crate) fn valid_traceparent(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() == 55)?;
    let parts = text.split('-').collect::<Vec<_>>();
    let [version, trace, parent, flags] = parts.as_slice() else { return None };
    let hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    let lengths = [version, trace, parent, flags].map(|part| part.len()) == [2, 32, 16, 2];
    (lengths && parts.iter().all(|part| hex(part)) && *version != "ff" && !zero(trace) && !zero(parent))
        .then_some(text)
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
    id.into_iter().chain(time)
}

#[cfg(test)]
mod tests;
