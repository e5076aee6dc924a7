//! A customer's traits as attributes. Names are the same, dates are in seconds, and a null trait clears the
//! attribute.

use std::time::Duration;

use customerio::Attribute;
use customerio::operation::Attributes;
use schemas::record::CustomerTraits;
use schemas::topic::{Cleanup, Topic};
use schemas::trait_table::{self, TRAITS, TraitRow, TraitValue};

/// Subtracted from the time for which `changed` holds, because the broker's clock and ours may differ.
const CLOCKS_DIFFER: Duration = Duration::from_secs(3600);

/// The attributes that a record of this age sets: those of the table's traits that are written.
///
/// `changed` names what differs from the revision before. It can be used while the topic still has that
/// revision. An older record is written whole, and so is a record whose `changed` is empty.
///
/// `unsubscribed` is left to the vendor. The vendor's own attribute of that name decides whether a person
/// gets e-mail, push, SMS and WhatsApp. We learn of it from the vendor's webhooks, later than the vendor
/// itself. A webhook that arrives two hours late would undo what the person chose in between, by a write with
/// a newer timestamp. That could silence a person who has subscribed again, or send to a person who has opted
/// out.
pub(super) fn attributes(traits: &CustomerTraits, age_ms: i64) -> Attributes {
    let whole = age_ms >= changed_holds_ms() || traits.changed.is_empty();
    let written = |row: &TraitRow| match row.attribute {
        trait_table::Attribute::SameName => whole || traits.changed.iter().any(|changed| changed == row.name),
        trait_table::Attribute::NotWritten => false,
    };
    TRAITS
        .iter()
        .zip(traits.values())
        .filter(|(row, _)| written(row))
        .map(|(row, value)| (row.name.into(), value.map_or(Attribute::Cleared, attribute)))
        .collect()
}

fn changed_holds_ms() -> i64 {
    let lag_min = match Topic::Trait.cleanup(Duration::ZERO) {
        Cleanup::Compact { lag_min, .. } => lag_min,
        Cleanup::Delete(_) => Duration::ZERO,
    };
    i64::try_from(lag_min.saturating_sub(CLOCKS_DIFFER).as_millis()).unwrap_or(i64::MAX)
}

fn attribute(value: TraitValue<'_>) -> Attribute {
    match value {
        TraitValue::Flag(flag) => Attribute::Flag(flag),
        TraitValue::Time(at_ms) => date(at_ms),
        TraitValue::Count(count) => Attribute::Integer(count),
        TraitValue::Text(text) => Attribute::Text(text.to_owned()),
    }
}

/// The vendor's dates are Unix seconds.
pub(super) fn date(at_ms: i64) -> Attribute {
    Attribute::Integer(at_ms.div_euclid(1000))
}
