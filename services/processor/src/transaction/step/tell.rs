//! What a new event says: its outcome for the warehouse, and its customer with it taken in. Pure but for the buffer.

use kafka::Incoming;
use schemas::codec::{self, EncodeError};
use schemas::header::{EVENT_ID, TRACEPARENT};
use schemas::record::{MessageOutcome, RawView};
use schemas::token::TokenKey;
use schemas::topic::{RECORD_BYTES_MAX, Topic};
use webhook::event::Event;

use super::customers::Customers;
use super::input::Input;
use super::letter::Letter;
use super::{Output, TEXT_BYTES_MAX};
use crate::domain::customer::Customer;
use crate::domain::outcome;

/// Room that a record's key, headers and framing take beside its value, in bytes.
const RECORD_OVERHEAD_BYTES: usize = 16 << 10;

/// What an event means: [`outcome::of`].
pub(super) type Meaning =
    for<'a> fn(&'a Event<'_>, &'a RawView<'_>, &'a str, i64, &TokenKey) -> MessageOutcome<'a>;

/// What a new event says.
pub(super) struct Told<'a> {
    pub(super) outcome: Output,
    /// The customer with the event taken in, where it has one.
    pub(super) customer: Option<Customer<'a>>,
}

pub(super) fn told<'a>(
    meaning: Meaning,
    record: &Incoming,
    input: &Input<'a>,
    tokens: &TokenKey,
    customers: &Customers<'a>,
    buffer: &mut Vec<u8>,
) -> Result<Result<Told<'a>, Letter>, EncodeError> {
    let outcome = meaning(&input.event, &input.raw, input.customer_id, record.timestamp_ms, tokens);
    buffer.clear();
    codec::encode_into(&outcome, buffer)?;
    if buffer.len() + input.key.len() + RECORD_OVERHEAD_BYTES > RECORD_BYTES_MAX as usize {
        return Ok(Err(Letter::of("too_large", &input.raw)));
    }
    let customer = input.is_person.then(|| customers.with(input.key, &outcome::fact(&outcome)));
    let (key, value) = (Some(input.key.to_vec()), Some(buffer.clone()));
    let headers = headers(input.raw.event_id, record);
    Ok(Ok(Told { outcome: Output { topic: Topic::Warehouse, key, value, headers }, customer }))
}

fn headers(event_id: &str, record: &Incoming) -> Vec<(&'static str, Vec<u8>)> {
    let fits = |value: &[u8]| value.len() <= TEXT_BYTES_MAX;
    let traceparent = record.headers.iter().find(|(name, value)| name == TRACEPARENT && fits(value));
    let mut headers = Vec::with_capacity(2);
    headers.push((EVENT_ID, event_id.as_bytes().to_vec()));
    headers.extend(traceparent.map(|(_, value)| (TRACEPARENT, value.clone())));
    headers
}
