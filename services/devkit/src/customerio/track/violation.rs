//! Why the Track API refuses an item or a request.

use serde_json::{Value, json};

/// One entry of the `errors` of an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Violation {
    /// `required` or `invalid`.
    pub(super) reason: &'static str,
    /// The field, dotted: `attributes.plan`.
    pub(super) field: String,
    /// What is wrong with it.
    pub(super) message: String,
}

impl Violation {
    pub(super) fn new(
        reason: &'static str,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Violation {
        Violation { reason, field: field.into(), message: message.into() }
    }

    /// The entry for a request as a whole.
    pub(super) fn to_json(&self) -> Value {
        json!({ "reason": self.reason, "field": self.field, "message": self.message })
    }

    /// The entry for one item of a batch.
    pub(super) fn to_json_at(&self, batch_index: usize) -> Value {
        let mut entry = self.to_json();
        entry["batch_index"] = Value::from(batch_index);
        entry
    }
}
