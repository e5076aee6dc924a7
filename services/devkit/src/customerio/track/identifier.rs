//! How a request names a person.

use serde_json::Value;

use super::violation::Violation;

/// The one identifier by which an operation names a person.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Identifier {
    /// The id another system gave.
    Id(String),
    /// An address, in lower case: the vendor doesn't mind its case.
    Email(String),
    /// The vendor's own id, without the `cio_` prefix.
    CioId(String),
}

/// The vendor's limit for an identifier.
pub(super) const ID_BYTES_MAX: usize = 150;

impl Identifier {
    /// By id.
    #[must_use]
    pub fn id(id: &str) -> Identifier {
        Identifier::Id(id.to_owned())
    }

    /// By address.
    #[must_use]
    pub fn email(address: &str) -> Identifier {
        Identifier::Email(address.to_lowercase())
    }

    /// By cio_id.
    #[must_use]
    pub fn cio_id(cio_id: &str) -> Identifier {
        Identifier::CioId(cio_id.to_owned())
    }

    /// Reads an object with exactly one identifier. A phone number needs a workspace that has it switched on,
    /// and this one hasn't.
    pub(super) fn read(value: Option<&Value>, field: &'static str) -> Result<Identifier, Violation> {
        let Some(Value::Object(identifiers)) = value else {
            return Err(Violation::new("required", field, "an object with one identifier is required"));
        };
        let mut entries = identifiers.iter();
        let (Some((name, value)), None) = (entries.next(), entries.next()) else {
            return Err(Violation::new("invalid", field, "exactly one identifier is required"));
        };
        let field = format!("{field}.{name}");
        let invalid = |message: &str| Violation::new("invalid", field.as_str(), message);
        let Value::String(value) = value else {
            return Err(invalid("must be a string value"));
        };
        match value.len() {
            0 => return Err(invalid("cannot be an empty string")),
            1..=ID_BYTES_MAX => {}
            _ => return Err(invalid("cannot be longer than 150 bytes")),
        }
        match name.as_str() {
            "id" => Ok(Identifier::id(value)),
            "email" => Ok(Identifier::email(value)),
            "cio_id" if value.starts_with("cio_") => Err(invalid("the cio_ prefix is for paths only")),
            "cio_id" => Ok(Identifier::cio_id(value)),
            _ => Err(invalid("is not an identifier of this workspace")),
        }
    }
}
