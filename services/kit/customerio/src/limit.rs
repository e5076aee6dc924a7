//! The limits of the Track API. They are checked before anything is sent: an operation that breaks a limit
//! can't be encoded.
//!
//! Source: the vendor's Track API reference (limits of v1 and v2, `docs.customer.io/api/track`).

use thiserror::Error;

use crate::operation::{Attribute, Identifier, Identify};

/// A batch's body must be smaller than this, in bytes.
pub const BATCH_BYTES: usize = 500_000;
/// Largest operation inside a batch, in bytes of JSON. The vendor says 32 kB, which is read as 32,000 and not
/// as 32,768.
pub const ITEM_BYTES_MAX: usize = 32_000;
/// Largest identifier, in bytes.
pub const ID_BYTES_MAX: usize = 150;
/// Largest attribute name, in bytes.
pub const ATTRIBUTE_NAME_BYTES_MAX: usize = 150;
/// Largest attribute value, in bytes.
pub const ATTRIBUTE_VALUE_BYTES_MAX: usize = 1000;
/// Most attributes in one identify, `_update` included.
pub const ATTRIBUTES_MAX: usize = 300;

/// Attribute names that mean more to the vendor than a value: they identify a person again, or steer the
/// call. None of them may be written as an attribute.
pub const RESERVED: &[&str] =
    &["_timestamp", "_update", "anonymous_id", "cio_id", "cio_relationships", "created_at", "email", "id"];

/// Which limit an operation breaks. It names what is wrong and by how much, and never a value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Breach {
    /// The identifier is empty.
    #[error("identifier is empty")]
    NoIdentifier,
    /// The identifier is longer than [`ID_BYTES_MAX`].
    #[error("identifier has {0} bytes, more than {ID_BYTES_MAX}")]
    IdentifierTooLong(usize),
    /// The identify would change nothing.
    #[error("identify has no attributes")]
    NoAttributes,
    /// More than [`ATTRIBUTES_MAX`].
    #[error("identify has {0} attributes, more than {ATTRIBUTES_MAX}")]
    TooManyAttributes(usize),
    /// An attribute's name is empty or longer than [`ATTRIBUTE_NAME_BYTES_MAX`].
    #[error("an attribute name has {0} bytes: 1 to {ATTRIBUTE_NAME_BYTES_MAX} are allowed")]
    NameLength(usize),
    /// An attribute's name is one of [`RESERVED`].
    #[error("attribute name {0} is reserved by the vendor")]
    Reserved(&'static str),
    /// An attribute's value is longer than [`ATTRIBUTE_VALUE_BYTES_MAX`].
    #[error("value of attribute {name} has {bytes} bytes, more than {ATTRIBUTE_VALUE_BYTES_MAX}")]
    ValueTooLong {
        /// The attribute.
        name: String,
        /// Its value's length.
        bytes: usize,
    },
    /// The operation's JSON is larger than [`ITEM_BYTES_MAX`].
    #[error("operation has {0} bytes, more than {ITEM_BYTES_MAX}")]
    ItemTooLarge(usize),
}

impl Breach {
    /// A short code: a metric label and a dead letter's reason.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoIdentifier => "identifier_empty",
            Self::IdentifierTooLong(_) => "identifier_too_long",
            Self::NoAttributes => "no_attributes",
            Self::TooManyAttributes(_) => "too_many_attributes",
            Self::NameLength(_) => "attribute_name_length",
            Self::Reserved(_) => "attribute_reserved",
            Self::ValueTooLong { .. } => "attribute_value_too_long",
            Self::ItemTooLarge(_) => "operation_too_large",
        }
    }
}

/// Checks everything but the encoded size, which [`Identify::encode`] adds.
///
/// # Errors
/// The first limit that `identify` breaks.
pub fn validate(identify: &Identify) -> Result<(), Breach> {
    validate_identifier(&identify.identifiers)?;
    match identify.attributes.len() {
        0 => return Err(Breach::NoAttributes),
        // The vendor counts `_update` too.
        many if many >= ATTRIBUTES_MAX => return Err(Breach::TooManyAttributes(many + 1)),
        _ => {}
    }
    identify.attributes.iter().try_for_each(|(name, value)| validate_attribute(name, value))
}

fn validate_identifier(identifier: &Identifier) -> Result<(), Breach> {
    match identifier.text().len() {
        0 => Err(Breach::NoIdentifier),
        long if long > ID_BYTES_MAX => Err(Breach::IdentifierTooLong(long)),
        _ => Ok(()),
    }
}

fn validate_attribute(name: &str, value: &Attribute) -> Result<(), Breach> {
    if name.is_empty() || name.len() > ATTRIBUTE_NAME_BYTES_MAX {
        return Err(Breach::NameLength(name.len()));
    }
    if let Some(reserved) = RESERVED.iter().find(|reserved| **reserved == name) {
        return Err(Breach::Reserved(reserved));
    }
    match value {
        Attribute::Text(text) if text.len() > ATTRIBUTE_VALUE_BYTES_MAX => {
            Err(Breach::ValueTooLong { name: name.to_owned(), bytes: text.len() })
        }
        _ => Ok(()),
    }
}
