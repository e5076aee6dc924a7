//! One operation: read from its JSON, or refused with the field that is at fault.

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use ulid::Ulid;

use super::identifier::Identifier;
use super::violation::Violation;

/// A whole batch must be smaller. The vendor says "500 kb"; the smaller reading is taken, so that who passes
/// here passes there.
pub(super) const BATCH_BYTES_MAX: usize = 500_000;
/// An item may have as much. The vendor says "32kb"; again the smaller reading.
pub(super) const ITEM_BYTES_MAX: usize = 32_000;
/// Attributes of one request, and of one person.
pub(super) const ATTRIBUTES_MAX: usize = 300;
const NAME_BYTES_MAX: usize = 150;
const VALUE_BYTES_MAX: usize = 1_000;
const EVENT_NAME_BYTES_MAX: usize = 100;
/// How far ahead of the clock a timestamp may lie. The vendor documents no bound; milliseconds taken for
/// seconds would silently win over every later update, so that mistake is shown here.
const AHEAD_MAX_S: i64 = 24 * 3_600;

/// One operation that passed all checks.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) identifier: Identifier,
    pub(super) action: Action,
    /// Unix seconds; none means the time of the request.
    pub(super) timestamp_s: Option<i64>,
}

/// What it does to the person.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// Sets attributes; creates the person unless `update_only` (`_update: true`).
    Identify { attributes: Map<String, Value>, update_only: bool },
    /// Something the person did. The id, a ULID, makes it unique.
    Event { id: Option<String> },
    /// Destroys the profile.
    Delete,
    /// Destroys the profile and ignores the person from then on.
    Suppress,
    /// Ends that.
    Unsuppress,
    /// Destroys the other profile.
    Merge { secondary: Identifier },
    /// Documented, and of no consequence here: devices and relationships.
    Other,
}

/// Reads one item, as it stands in the request. `now_s` is Unix seconds.
pub(super) fn read(item: &RawValue, now_s: i64) -> Result<Operation, Violation> {
    if item.get().len() > ITEM_BYTES_MAX {
        return Err(Violation::new("invalid", "", "cannot be larger than 32kb"));
    }
    let Ok(item) = serde_json::from_str::<Map<String, Value>>(item.get()) else {
        return Err(Violation::new("invalid", "", "must be an object"));
    };
    if item.get("type").and_then(Value::as_str) != Some("person") {
        return Err(Violation::new("invalid", "type", "must be person"));
    }
    let action = action(&item)?;
    let whom = if matches!(action, Action::Merge { .. }) { "primary" } else { "identifiers" };
    Ok(Operation {
        identifier: Identifier::read(item.get(whom), whom)?,
        timestamp_s: timestamp(item.get("timestamp"), now_s)?,
        action,
    })
}

fn action(item: &Map<String, Value>) -> Result<Action, Violation> {
    match item.get("action").and_then(Value::as_str) {
        Some("identify") => identify(item),
        Some("event" | "page" | "screen") => event(item),
        Some("delete") => Ok(Action::Delete),
        Some("suppress") => Ok(Action::Suppress),
        Some("unsuppress") => Ok(Action::Unsuppress),
        Some("merge") => {
            Ok(Action::Merge { secondary: Identifier::read(item.get("secondary"), "secondary")? })
        }
        Some("add_device" | "delete_device" | "add_relationships" | "delete_relationships") => {
            Ok(Action::Other)
        }
        Some(_) => Err(Violation::new("invalid", "action", "is not an action of a person")),
        None => Err(Violation::new("required", "action", "is required")),
    }
}

fn timestamp(value: Option<&Value>, now_s: i64) -> Result<Option<i64>, Violation> {
    let invalid = |message: &str| Violation::new("invalid", "timestamp", message);
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_i64() {
            Some(second) if second > now_s + AHEAD_MAX_S => Err(invalid("lies in the future: unix seconds?")),
            Some(second) => Ok(Some(second)),
            None => Err(invalid("must be an integer, unix seconds")),
        },
    }
}

fn identify(item: &Map<String, Value>) -> Result<Action, Violation> {
    let mut attributes = match item.get("attributes") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(attributes)) => attributes.clone(),
        Some(_) => return Err(Violation::new("invalid", "attributes", "must be an object")),
    };
    if attributes.len() > ATTRIBUTES_MAX {
        let message = "cannot identify more than 300 attributes in one request";
        return Err(Violation::new("invalid", "attributes", message));
    }
    for (name, value) in &attributes {
        check_attribute(name, value)?;
    }
    let update_only = match attributes.remove("_update") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(update_only)) => update_only,
        Some(_) => return Err(Violation::new("invalid", "attributes._update", "must be a boolean value")),
    };
    Ok(Action::Identify { attributes, update_only })
}

fn check_attribute(name: &str, value: &Value) -> Result<(), Violation> {
    if name.len() > NAME_BYTES_MAX {
        let message = "attribute name cannot be longer than 150 bytes";
        return Err(Violation::new("invalid", "attributes", message));
    }
    let field = format!("attributes.{name}");
    let size = match value {
        Value::String(text) => text.len(),
        other => other.to_string().len(),
    };
    if size > VALUE_BYTES_MAX {
        return Err(Violation::new("invalid", field, "property value cannot be longer than 1000 bytes"));
    }
    let identifies = matches!(name, "id" | "email" | "cio_id");
    if identifies && !matches!(value, Value::String(text) if !text.is_empty()) {
        return Err(Violation::new("invalid", field, "must be a string value"));
    }
    Ok(())
}

fn event(item: &Map<String, Value>) -> Result<Action, Violation> {
    match item.get("name").and_then(Value::as_str).map(str::trim) {
        None | Some("") => return Err(Violation::new("required", "name", "event name must not be blank")),
        Some(name) if name.len() > EVENT_NAME_BYTES_MAX => {
            let message = "event name cannot be longer than 100 bytes";
            return Err(Violation::new("invalid", "name", message));
        }
        Some(_) => {}
    }
    match item.get("id") {
        None | Some(Value::Null) => Ok(Action::Event { id: None }),
        Some(Value::String(id)) if Ulid::from_string(id).is_ok() => {
            Ok(Action::Event { id: Some(id.clone()) })
        }
        Some(_) => Err(Violation::new("invalid", "id", "must be a ULID")),
    }
}
