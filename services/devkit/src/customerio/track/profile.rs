//! A profile: what the workspace holds about one person.

use std::collections::BTreeMap;

use serde_json::Value;

use super::operation::ATTRIBUTES_MAX;

/// One attribute of a profile.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// Its value; none once it was removed. The trace of the removal stays, so that an older write can't
    /// bring it back.
    pub value: Option<Value>,
    /// The timestamp of the write, Unix seconds.
    pub timestamp_s: i64,
}

/// What the workspace holds about one person.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// The id another system gave.
    pub id: Option<String>,
    /// The address.
    pub email: Option<String>,
    /// The vendor's own id, without the `cio_` prefix.
    pub cio_id: String,
    /// All attributes ever written, by name.
    pub attributes: BTreeMap<String, Attribute>,
    /// How many identifies this profile took.
    pub identifies: u64,
    /// How many events.
    pub events: u64,
}

/// What became of one attribute of an identify.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Write {
    Taken,
    /// Older than what is there.
    Stale,
    /// One more than a person can have.
    Refused,
}

impl Profile {
    /// The attribute's value, if it has one.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Value> {
        self.attributes.get(name)?.value.as_ref()
    }

    /// Whether messages are stopped: `unsubscribed` is true, 1, `"1"` or "true" in any case. Whatever else it
    /// is, and if it isn't there, the person is subscribed.
    #[must_use]
    pub fn is_unsubscribed(&self) -> bool {
        match self.attribute("unsubscribed") {
            Some(Value::Bool(unsubscribed)) => *unsubscribed,
            Some(Value::Number(number)) => number.as_i64() == Some(1),
            Some(Value::String(text)) => text == "1" || text.eq_ignore_ascii_case("true"),
            _ => false,
        }
    }

    /// Writes an attribute, unless a newer write has been here. At equal times the later arrival wins. Null
    /// removes.
    pub(super) fn write(&mut self, name: &str, value: Value, timestamp_s: i64) -> Write {
        match self.attributes.get(name) {
            Some(held) if held.timestamp_s > timestamp_s => return Write::Stale,
            None if self.attributes.len() >= ATTRIBUTES_MAX => return Write::Refused,
            _ => {}
        }
        let value = (!value.is_null()).then_some(value);
        self.attributes.insert(name.to_owned(), Attribute { value, timestamp_s });
        Write::Taken
    }
}
