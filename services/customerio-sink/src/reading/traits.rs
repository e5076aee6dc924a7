//! A customer's traits as attributes: the same names, dates in seconds, what is not known cleared.

use std::time::Duration;

use customerio::Attribute;
use customerio::operation::Attributes;
use schemas::record::CustomerTraits;
use schemas::topic::{Cleanup, Topic};

/// Taken off the time for which `changed` holds: the broker's clock and ours may differ.
const CLOCKS_DIFFER: Duration = Duration::from_secs(3600);

/// The attributes that a record of this age sets.
///
/// `changed` names what differs from the revision before, and holds while the topic still has that revision. An older
/// record, or one that names nothing, is written whole.
pub(super) fn attributes(traits: &CustomerTraits, age_ms: i64) -> Attributes {
    let whole = age_ms >= changed_holds_ms() || traits.changed.is_empty();
    all(traits)
        .into_iter()
        .filter(|(name, _)| whole || traits.changed.iter().any(|changed| changed == name))
        .map(|(name, value)| (name.into(), value.unwrap_or(Attribute::Cleared)))
        .collect()
}

fn changed_holds_ms() -> i64 {
    let lag_min = match Topic::Trait.cleanup(Duration::ZERO) {
        Cleanup::Compact { lag_min, .. } => lag_min,
        Cleanup::Delete(_) => Duration::ZERO,
    };
    i64::try_from(lag_min.saturating_sub(CLOCKS_DIFFER).as_millis()).unwrap_or(i64::MAX)
}

/// Every trait that is written. Taken apart by name, so that a new field of the schema doesn't compile until it is decided.
///
/// `unsubscribed` is left to the vendor, whose own attribute of that name decides whether a person gets e-mail, push, SMS and
/// WhatsApp. It is the vendor's outcomes that tell us about it, later than the vendor knew: a webhook that arrives two hours
/// late would undo what the person chose in between, by a write with a newer timestamp. In one direction that silences
/// someone who has subscribed again; in the other it sends to someone who has opted out.
fn all(traits: &CustomerTraits) -> [(&'static str, Option<Attribute>); 11] {
    let CustomerTraits {
        customer_id: _,
        revision: _,
        as_of: _,
        changed: _,
        email_deliverable,
        email_bounced,
        email_bounced_at,
        last_bounce_delivery_id,
        spam_complaint,
        spam_complaint_at,
        complaint_count,
        unsubscribed: _,
        unsubscribed_at,
        last_email_click_at,
        last_email_engaged_at,
        last_email_metric,
    } = traits;
    [
        ("email_deliverable", email_deliverable.map(Attribute::Flag)),
        ("email_bounced", email_bounced.map(Attribute::Flag)),
        ("email_bounced_at", email_bounced_at.map(date)),
        ("last_bounce_delivery_id", text(last_bounce_delivery_id)),
        ("spam_complaint", spam_complaint.map(Attribute::Flag)),
        ("spam_complaint_at", spam_complaint_at.map(date)),
        ("complaint_count", complaint_count.map(Attribute::Integer)),
        ("unsubscribed_at", unsubscribed_at.map(date)),
        ("last_email_click_at", last_email_click_at.map(date)),
        ("last_email_engaged_at", last_email_engaged_at.map(date)),
        ("last_email_metric", text(last_email_metric)),
    ]
}

/// The vendor's dates are Unix seconds.
pub(super) fn date(at_ms: i64) -> Attribute {
    Attribute::Integer(at_ms.div_euclid(1000))
}

fn text(text: &Option<String>) -> Option<Attribute> {
    text.clone().map(Attribute::Text)
}
