//! What a record asks for. Pure: a record and the time in, a [`Write`] out, or the reason why there is none.

mod suppression;
mod traits;

use customerio::operation::Attributes;
use customerio::{Identifier, Identify, limit};
use kafka::Incoming;
use schemas::codec::{self, DecodeError};
use schemas::key::Holder;
use schemas::record::{CustomerTraits, Record, Suppression};
use schemas::vocabulary::dead_letter_reason;

/// What the records of a topic are about. Each subject has attributes of its own, so the two never write the
/// same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    Suppression,
    Traits,
}

/// Why nothing is sent for a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotWritten {
    /// The vendor can't be told about this customer.
    Skipped(Skip),
    /// The processor has nothing more to say about this customer. What was written stands.
    Tombstone,
    /// The record holds nothing that this version writes.
    Unchanged,
    /// The record can never be written: a dead letter.
    Malformed { reason: &'static str, detail: String },
    /// A newer version wrote the record, with a schema of this fingerprint. It stops the partition, and is
    /// never a dead letter.
    UnknownSchema(u64),
}

/// Attributes to set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) subject: Subject,
    pub(crate) identify: Identify,
}

/// Why the vendor can't be told about a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Skip {
    /// The customer is known by the token of an address alone, and this version has no addresses.
    EmailToken,
    /// The customer is known by a delivery alone.
    Delivery,
    /// The customer is known by nothing but the event.
    Event,
}

impl Skip {
    /// A metric label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::EmailToken => "email_token",
            Self::Delivery => "delivery",
            Self::Event => "event",
        }
    }
}

/// Reads `record` as its topic's `subject`.
pub(crate) fn read(record: &Incoming, subject: Subject, now_ms: i64) -> Result<Write, NotWritten> {
    let value = record.value.as_deref().ok_or(NotWritten::Tombstone)?;
    let key = record.key.as_deref().unwrap_or_default();
    let identifiers = identifier(key)?;
    let facts = match subject {
        Subject::Traits => {
            Facts::of_traits(&decoded::<CustomerTraits>(value)?, now_ms.saturating_sub(record.timestamp_ms))
        }
        Subject::Suppression => Facts::of_suppression(&decoded::<Suppression>(value)?),
    };
    facts.check(key)?;
    let timestamp_s = facts.as_of_ms.div_euclid(1000);
    let identify = Identify { identifiers, timestamp_s, attributes: facts.attributes };
    limit::validate(&identify).map_err(|breach| malformed(breach.code(), &breach.to_string()))?;
    Ok(Write { subject, identify })
}

/// The vendor's identifier for a customer key.
fn identifier(key: &[u8]) -> Result<Identifier, NotWritten> {
    match Holder::parse(key) {
        Some(Holder::Id(id)) => Ok(Identifier::Id(id.to_owned())),
        Some(Holder::CioId(id)) => Ok(Identifier::CioId(id.to_owned())),
        Some(Holder::EmailToken(_)) => Err(NotWritten::Skipped(Skip::EmailToken)),
        Some(Holder::Delivery(_)) => Err(NotWritten::Skipped(Skip::Delivery)),
        Some(Holder::Event(_)) => Err(NotWritten::Skipped(Skip::Event)),
        None => Err(malformed(
            dead_letter_reason::NOT_A_CUSTOMER_KEY,
            "record key is missing, not UTF-8, or has an unknown mark",
        )),
    }
}

fn decoded<R: Record>(value: &[u8]) -> Result<R, NotWritten> {
    codec::decode(value).map_err(|err| match err {
        DecodeError::UnknownFingerprint(fingerprint) => NotWritten::UnknownSchema(fingerprint),
        DecodeError::NotFramed { .. } => malformed(dead_letter_reason::NOT_FRAMED, &err.to_string()),
        DecodeError::Malformed(_) => malformed(dead_letter_reason::MALFORMED, &err.to_string()),
    })
}

/// What records of both topics have in common.
struct Facts {
    customer_id: String,
    as_of_ms: i64,
    attributes: Attributes,
}

impl Facts {
    fn of_traits(traits: &CustomerTraits, age_ms: i64) -> Self {
        Self {
            customer_id: traits.customer_id.clone(),
            as_of_ms: traits.as_of,
            attributes: traits::attributes(traits, age_ms),
        }
    }

    fn of_suppression(suppression: &Suppression) -> Self {
        Self {
            customer_id: suppression.customer_id.clone(),
            as_of_ms: suppression.as_of,
            attributes: suppression::attributes(suppression),
        }
    }

    fn check(&self, key: &[u8]) -> Result<(), NotWritten> {
        if self.customer_id.as_bytes() != key {
            return Err(malformed(dead_letter_reason::KEY_MISMATCH, "record key and customer_id differ"));
        }
        if self.as_of_ms <= 0 {
            return Err(malformed(
                dead_letter_reason::NO_AS_OF,
                "as_of is missing: the write could not be ordered",
            ));
        }
        if self.attributes.is_empty() { Err(NotWritten::Unchanged) } else { Ok(()) }
    }
}

fn malformed(reason: &'static str, detail: &str) -> NotWritten {
    NotWritten::Malformed { reason, detail: detail.to_owned() }
}

#[cfg(test)]
mod tests;
