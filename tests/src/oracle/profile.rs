//! A customer's profile at Customer.io, as the sink's README says it is written.

use std::collections::BTreeMap;

use devkit::customerio::track::Profile;
use schemas::record::{CustomerTraits, SuppressionEntry};
use serde_json::{Value, json};

use super::person::escaped;

/// The attributes with a value. The vendor's dates are seconds.
pub(super) fn attributes(
    traits: Option<&CustomerTraits>,
    entries: Option<&Vec<SuppressionEntry>>,
) -> BTreeMap<String, Value> {
    let mut attributes = traits.map(of_traits).unwrap_or_default();
    attributes.extend(entries.map(|entries| of_entries(entries)).unwrap_or_default());
    let present = attributes.into_iter().filter(|(_, value)| !value.is_null());
    present.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The customer key of that profile: how the sink must have named it.
#[must_use]
pub fn key_of(profile: &Profile) -> String {
    profile.id.as_ref().map_or_else(|| format!("~cio:{}", profile.cio_id), |id| escaped(id))
}

fn of_traits(traits: &CustomerTraits) -> BTreeMap<&'static str, Value> {
    let date = |millis: Option<i64>| json!(millis.map(|millis| millis / 1_000));
    BTreeMap::from([
        ("email_deliverable", json!(traits.email_deliverable)),
        ("email_bounced", json!(traits.email_bounced)),
        ("email_bounced_at", date(traits.email_bounced_at)),
        ("last_bounce_delivery_id", json!(traits.last_bounce_delivery_id)),
        ("spam_complaint", json!(traits.spam_complaint)),
        ("spam_complaint_at", date(traits.spam_complaint_at)),
        ("complaint_count", json!(traits.complaint_count)),
        ("unsubscribed_at", date(traits.unsubscribed_at)),
        ("last_email_click_at", date(traits.last_email_click_at)),
        ("last_email_engaged_at", date(traits.last_email_engaged_at)),
        ("last_email_metric", json!(traits.last_email_metric)),
    ])
}

fn of_entries(entries: &[SuppressionEntry]) -> BTreeMap<&'static str, Value> {
    let active: Vec<&SuppressionEntry> = entries.iter().filter(|entry| entry.state == "active").collect();
    let mut reasons: Vec<&str> = active.iter().map(|entry| entry.reason.as_str()).collect();
    reasons.sort_unstable();
    let since = active.iter().map(|entry| entry.since / 1_000).min();
    BTreeMap::from([
        ("email_suppressed", json!(!active.is_empty())),
        ("email_suppression_reasons", if active.is_empty() { Value::Null } else { json!(reasons.join(",")) }),
        ("email_suppressed_at", json!(since)),
    ])
}
