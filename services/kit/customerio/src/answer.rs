//! What an answer of `POST /api/v2/batch` means for the operations that were sent. Pure.
//!
//! The vendor documents 200, 207, 400 and 401. The other codes come from its edge, or from a proxy on the
//! way.

use std::time::Duration;

use serde_json::Value;

/// The longest `Retry-After` that is obeyed. An absurd one must not stop a sink for a day.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// Bytes kept of a reason or a field name in an answer.
const TEXT_BYTES_MAX: usize = 200;

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// All operations were accepted. The vendor applies them later, and reports that in its activity log
    /// alone.
    Done,
    /// These operations are refused for good; all others were accepted (207).
    Partly(Vec<Refusal>),
    /// Something in the request is refused for good, and the answer doesn't say what. Halve the request until
    /// one operation is left. Sending accepted operations again is harmless.
    Refused(Refusal),
    /// The request is too large: halve it.
    TooLarge,
    /// Every request would be answered like this one until an operator changes the settings. Stop, and drain
    /// nothing (S4).
    Stop,
    /// The request may or may not have been accepted. Send it again, but not before this wait.
    Retry {
        /// The wait that the vendor asks for, at most [`RETRY_AFTER_MAX`].
        after: Option<Duration>,
    },
}

/// Why an operation is refused, in the vendor's words: a code and the field. Its free text is left out,
/// because it may quote values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The place of the operation in the request; 0 where the answer doesn't say.
    pub index: usize,
    /// The code, such as `invalid` or `required`.
    pub reason: String,
    /// The field, such as `attributes.plan`.
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
        // 401 and 403: the credentials are wrong. 3xx: the region. 404, 405 and the like: the address. An
        // unknown 4xx is a reason to look, not to drain a topic.
        _ => Answer::Stop,
    }
}

/// A 207 is taken at its word where it names every operation that it refuses. Any other 207 is taken apart
/// like a 400.
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

/// The `errors` of a v2 answer; empty where the body is something else.
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

/// Reads the form in seconds. The other form, a date, would need our clock to agree with the vendor's; the
/// backoff is used instead.
fn seconds(retry_after: &str) -> Option<Duration> {
    let seconds = retry_after.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
