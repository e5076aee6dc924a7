//! What an answer of `POST /api/v2/batch` means for the operations that were sent. Pure.
//!
//! The vendor documents 200, 207, 400 and 401; the rest is what its edge and any proxy on the way may say.

use std::time::Duration;

use serde_json::Value;

/// Longest wait that a `Retry-After` is believed for: an absurd one must not stop a sink for a day.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// Bytes kept of a reason or a field name that the vendor gives.
const TEXT_BYTES_MAX: usize = 200;

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// All operations were accepted. Not yet applied: that the vendor does later, and tells only its activity log.
    Done,
    /// These operations are refused for good; all others were accepted (207).
    Partly(Vec<Refusal>),
    /// Something in the request is refused for good and it isn't said what: halve it until it is one operation.
    /// Sending the accepted ones again is harmless.
    Refused(Refusal),
    /// The request is too large: halve it.
    TooLarge,
    /// Every request would be answered like this one until somebody changes the settings: stop, and drain nothing (S4).
    Stop,
    /// It may or may not have been accepted: send it again, but not before this long.
    Retry {
        /// The vendor's own wish, at most [`RETRY_AFTER_MAX`].
        after: Option<Duration>,
    },
}

/// Why an operation is refused, in the vendor's words: a code and the field, never its free text, which may quote values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which operation of the request; 0 where it isn't said.
    pub index: usize,
    /// Such as `invalid` or `required`.
    pub reason: String,
    /// Such as `attributes.plan`.
    pub field: String,
}

/// Reads the answer to a request of `count` operations.
#[must_use]
pub fn classify(status: u16, retry_after: Option<&str>, body: &[u8], count: usize) -> Answer {
    match status {
        207 => partly(body, count),
        200..=299 => Answer::Done,
        400 | 422 => {
            Answer::Refused(errors(body).into_iter().next().map_or_else(unexplained, |error| error.refusal))
        }
        408 | 425 | 429 | 500..=599 => Answer::Retry { after: retry_after.and_then(seconds) },
        413 => Answer::TooLarge,
        // 401 and 403: the credentials. 3xx: the region. 404, 405 and the like: the address. A 4xx nobody foresaw is a
        // reason to look, not to drain a topic.
        _ => Answer::Stop,
    }
}

/// A 207 that names every operation it refuses is believed; any other is taken apart like a 400.
fn partly(body: &[u8], count: usize) -> Answer {
    let errors = errors(body);
    let mut refusals: Vec<Refusal> = Vec::with_capacity(errors.len());
    for error in &errors {
        match error.index {
            Some(index) if index < count => refusals.push(Refusal { index, ..error.refusal.clone() }),
            _ => return Answer::Refused(error.refusal.clone()),
        }
    }
    refusals.sort_by_key(|refusal| refusal.index);
    refusals.dedup_by_key(|refusal| refusal.index);
    if refusals.is_empty() { Answer::Refused(unexplained()) } else { Answer::Partly(refusals) }
}

struct Reported {
    index: Option<usize>,
    refusal: Refusal,
}

/// The `errors` of a v2 answer; none where the body is something else.
fn errors(body: &[u8]) -> Vec<Reported> {
    let Ok(Value::Object(answer)) = serde_json::from_slice::<Value>(body) else {
        return Vec::new();
    };
    let errors = answer.get("errors").and_then(Value::as_array);
    errors.into_iter().flatten().map(reported).collect()
}

fn reported(error: &Value) -> Reported {
    let text = |name: &str| error.get(name).and_then(Value::as_str).map(shortened).unwrap_or_default();
    let index =
        error.get("batch_index").and_then(Value::as_u64).and_then(|index| usize::try_from(index).ok());
    Reported { index, refusal: Refusal { index: 0, reason: text("reason"), field: text("field") } }
}

fn shortened(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()
}

fn unexplained() -> Refusal {
    Refusal { index: 0, reason: "unexplained".to_owned(), field: String::new() }
}

/// Delta seconds. The other form, a date, would need our clock to agree with the vendor's: the backoff serves instead.
fn seconds(retry_after: &str) -> Option<Duration> {
    let seconds = retry_after.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
