//! Interprets a new event: its outcome for the warehouse, and its customer with the outcome taken in.
//!
//! Pure, apart from the buffer that is reused for encoding.

use kafka::Incoming;
use schemas::codec::{self, EncodeError};
use schemas::header::{EVENT_ID, OUTCOME_ID, TRACEPARENT};
use schemas::record::RawView;
use schemas::topic::{RECORD_BYTES_MAX, Topic};
use schemas::vocabulary::dead_letter_reason;

use super::customers::Customers;
use super::dead_letter::DeadLetterDraft;
use super::input::Input;
use super::{Output, TEXT_BYTES_MAX};
use crate::domain::customer::Customer;
use crate::domain::event::normalise;
use crate::domain::redact::Privacy;

/// Room for a record's key, headers and framing besides its value, in bytes.
const RECORD_OVERHEAD_BYTES: usize = 16 << 10;

/// What a new event comes to.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every event has the large one, and it is dropped at once"
)]
pub(super) enum Interpreted<'a> {
    /// The event takes effect.
    Effect {
        /// The record for the warehouse topic.
        outcome: Output,
        /// The customer with the outcome taken in; `None` where the key belongs to no person.
        customer: Option<Customer<'a>>,
    },
    /// The event can't take effect, and is kept as a dead letter.
    DeadLetter(DeadLetterDraft),
}

/// Interprets the event of `input`.
///
/// # Errors
/// Where the outcome does not fit its schema.
pub(super) fn interpret<'a>(
    record: &Incoming,
    input: &Input<'a>,
    privacy: &Privacy,
    customers: &Customers<'a>,
    buffer: &mut Vec<u8>,
) -> Result<Interpreted<'a>, EncodeError> {
    #[cfg(test)]
    super::tests::panic_if_planted(&input.event);
    let Input { event, raw, customer_id, sighting, .. } = input;
    let outcome =
        normalise::message_outcome(event, raw, customer_id, sighting.id, record.timestamp_ms, privacy);
    buffer.clear();
    codec::encode_into(&outcome, buffer)?;
    if buffer.len() + input.key.len() + RECORD_OVERHEAD_BYTES > RECORD_BYTES_MAX as usize {
        return Ok(Interpreted::DeadLetter(DeadLetterDraft::of_raw(
            dead_letter_reason::TOO_LARGE,
            &input.raw,
        )));
    }
    let customer = input.is_person.then(|| customers.with(input.key, &normalise::fact(&outcome)));
    let outcome = Output {
        topic: Topic::Warehouse,
        key: Some(input.key.to_vec()),
        value: Some(buffer.clone()),
        headers: headers(raw, &outcome.outcome_id, record),
    };
    Ok(Interpreted::Effect { outcome, customer })
}

fn headers(raw: &RawView<'_>, outcome_id: &str, record: &Incoming) -> Vec<(&'static str, Vec<u8>)> {
    let fits = |value: &[u8]| value.len() <= TEXT_BYTES_MAX;
    let traceparent = record.headers.iter().find(|(name, value)| name == TRACEPARENT && fits(value));
    let mut headers = Vec::with_capacity(3);
    headers.push((EVENT_ID, raw.event_id.as_bytes().to_vec()));
    headers.push((OUTCOME_ID, outcome_id.as_bytes().to_vec()));
    headers.extend(traceparent.map(|(_, value)| (TRACEPARENT, value.clone())));
    headers
}
