//! What can be asked of the Track API v2: to update the attributes of a person, and nothing else.
//!
//! The vendor's `delete`, `suppress` and `merge` destroy a profile, and with it the opt-out. No value of this
//! module's types serialises to any of them, so no bug in a caller can send one (P7). An identify can't
//! create or revive a person either. Every identify carries `_update: true`: where the person is gone, the
//! vendor answers 200 and ignores it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

use crate::limit::{self, Breach};

/// The person whose attributes are set: exactly one identifier, in the vendor's v2 form.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Identifier {
    /// The workspace's own id.
    Id(String),
    /// The vendor's id, without the `cio_` prefix that only paths want.
    CioId(String),
    /// An e-mail address.
    Email(String),
}

impl Identifier {
    /// The identifier itself.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Id(text) | Self::CioId(text) | Self::Email(text) => text,
        }
    }

    fn field(&self) -> &'static str {
        match self {
            Self::Id(_) => "id",
            Self::CioId(_) => "cio_id",
            Self::Email(_) => "email",
        }
    }
}

impl fmt::Debug for Identifier {
    /// Names the kind of identifier. The identifier itself stays out of logs (E2).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identifier({})", self.field())
    }
}

impl Serialize for Identifier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.field(), self.text())?;
        map.end()
    }
}

/// An attribute's value. The vendor takes booleans, integers and strings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// True or false.
    Flag(bool),
    /// A number; a date where it is Unix seconds.
    Integer(i64),
    /// A text of at most [`limit::ATTRIBUTE_VALUE_BYTES_MAX`] bytes.
    Text(String),
    /// No value. It travels as null, by which the vendor removes the attribute. The vendor's reference
    /// doesn't say so. Integrations that were tested against it send null (Grouparoo) or `""` (an older SDK),
    /// and null can't be taken for a text.
    Cleared,
}

impl Serialize for Attribute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Cleared => serializer.serialize_unit(),
        }
    }
}

/// Attributes by name.
pub type Attributes = BTreeMap<Cow<'static, str>, Attribute>;

/// Sets attributes of a person who exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identify {
    /// The person.
    pub identifiers: Identifier,
    /// The time that orders the updates of a person, in Unix seconds. The vendor ignores an attribute that is
    /// older than the one it holds.
    pub timestamp_s: i64,
    /// What to set. `_update` is added on the wire.
    pub attributes: Attributes,
}

impl Identify {
    /// The operation as it travels, within every limit.
    ///
    /// # Errors
    /// The first limit that it breaks.
    pub fn encode(&self) -> Result<Encoded, Breach> {
        limit::validate(self)?;
        let json = serde_json::to_vec(self).expect("strings, integers and flags always serialise");
        if json.len() > limit::ITEM_BYTES_MAX {
            Err(Breach::ItemTooLarge(json.len()))
        } else {
            Ok(Encoded(json))
        }
    }
}

impl Serialize for Identify {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut operation = serializer.serialize_struct("Identify", 5)?;
        operation.serialize_field("type", "person")?;
        operation.serialize_field("action", "identify")?;
        operation.serialize_field("identifiers", &self.identifiers)?;
        operation.serialize_field("timestamp", &self.timestamp_s)?;
        operation.serialize_field("attributes", &UpdateOnly(&self.attributes))?;
        operation.end()
    }
}

/// An operation within every limit, as JSON. Only [`Identify::encode`] makes it.
#[derive(Clone, PartialEq, Eq)]
pub struct Encoded(Vec<u8>);

impl Encoded {
    /// Its length inside a batch, in bytes, with the comma that separates it from the next operation.
    #[must_use]
    pub fn batched_bytes(&self) -> usize {
        self.0.len() + 1
    }
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoded({} bytes)", self.0.len())
    }
}

/// Bytes of a batch's body around its operations.
pub const ENVELOPE_BYTES: usize = OPEN.len() + CLOSE.len();

const OPEN: &[u8] = b"{\"batch\":[";
const CLOSE: &[u8] = b"]}";

/// The body of a batch of `operations`, in their order.
#[must_use]
pub fn body(operations: &[&Encoded]) -> Vec<u8> {
    let bytes = operations.iter().map(|operation| operation.batched_bytes()).sum::<usize>() + ENVELOPE_BYTES;
    let mut body = Vec::with_capacity(bytes);
    body.extend_from_slice(OPEN);
    for (index, operation) in operations.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&operation.0);
    }
    body.extend_from_slice(CLOSE);
    body
}

/// Attributes with `_update: true` in front, so that no write of ours creates a person.
struct UpdateOnly<'a>(&'a Attributes);

impl Serialize for UpdateOnly<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len() + 1))?;
        map.serialize_entry("_update", &true)?;
        for (name, value) in self.0.iter().filter(|(name, _)| *name != "_update") {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
#[path = "operation_tests.rs"]
mod tests;
