//! A customer's suppression entries as attributes: the policy's default action, `attribute`.
//!
//! The attributes stop no message by themselves. Campaigns and segments read them. The vendor's own
//! `unsubscribed` would stop SMS and push too, and its `suppress` would destroy the person (P7).

use customerio::Attribute;
use customerio::limit::ATTRIBUTE_VALUE_BYTES_MAX;
use customerio::operation::Attributes;
use schemas::record::{Suppression, SuppressionEntry};
use schemas::vocabulary::{channel, scope, state};

use super::traits::date;

/// Whether any entry forbids e-mail to this customer.
pub(crate) const SUPPRESSED: &str = "email_suppressed";
/// Why, as a comma list without repeats, in alphabetic order.
pub(crate) const REASONS: &str = "email_suppression_reasons";
/// Since when: the beginning of the oldest entry that still forbids it.
pub(crate) const SINCE: &str = "email_suppressed_at";

/// All three, always: a suppression record is the customer's whole set.
pub(super) fn attributes(suppression: &Suppression) -> Attributes {
    let active: Vec<&SuppressionEntry> =
        suppression.entries.iter().filter(|entry| forbids_email(entry)).collect();
    let reasons =
        active.iter().map(|entry| entry.reason.as_str()).filter(|reason| !reason.is_empty()).collect();
    let since = active.iter().map(|entry| entry.since).min();
    Attributes::from([
        (SUPPRESSED.into(), Attribute::Flag(!active.is_empty())),
        (REASONS.into(), list(reasons)),
        (SINCE.into(), since.map_or(Attribute::Cleared, date)),
    ])
}

/// A state that this version doesn't know counts as active, which is the safer choice.
fn forbids_email(entry: &SuppressionEntry) -> bool {
    let of_channel = [channel::EMAIL, channel::ALL_CHANNELS].contains(&entry.channel.as_str());
    entry.state != state::LIFTED && (of_channel || entry.scope == scope::PERSON)
}

/// As many whole reasons as an attribute's value holds.
fn list(mut reasons: Vec<&str>) -> Attribute {
    reasons.sort_unstable();
    reasons.dedup();
    let mut list = String::new();
    for reason in reasons {
        let comma = if list.is_empty() { "" } else { "," };
        if list.len() + comma.len() + reason.len() > ATTRIBUTE_VALUE_BYTES_MAX {
            break;
        }
        list.push_str(comma);
        list.push_str(reason);
    }
    if list.is_empty() { Attribute::Cleared } else { Attribute::Text(list) }
}
