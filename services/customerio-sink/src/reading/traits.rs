//! A customer's traits as attributes. Names are the same, dates are in seconds, and a null trait clears the
//! attribute.

use std::time::Duration;

use customerio::Attribute;
use customerio::operation::Attributes;
use schemas::record::CustomerTraits;
use schemas::topic::{Cleanup, Topic};

/// Subtracted from the time for which `changed` holds, because the broker's clock and ours may differ.
const CLOCKS_DIFFER: Duration = Duration::from_secs(3600);

/// The attributes that a record of this age sets.
///
/// `changed` names what differs from the revision before. It can be used while the topic still has that
/// revision. An older record is written whole, and so is a record whose `changed` is empty.
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

/// Every trait that is written. The record is taken apart by name: a new field of the schema doesn't compile
/// until its attribute is decided here.
///
/// `unsubscribed` is left to the vendor. The vendor's own attribute of that name decides whether a person
/// gets e-mail, push, SMS and WhatsApp. We learn of it from the vendor's webhooks, later than the vendor
/// itself. A webhook that arrives two hours late would undo what the person chose in between, by a write with
/// a newer timestamp. That could silence a person who has subscribed again, or send to a person who has opted
/// out.
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
