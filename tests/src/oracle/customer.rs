//! A customer's traits and suppression entries, definition by definition.

use schemas::record::{CustomerTraits, SuppressionEntry};

use super::event::Event;

/// Which of two e-mail outcomes of one time counts as the later: the first in this list, then any other.
const RESTRICTIVE_FIRST: &str = "spammed unsubscribed bounced dropped undeliverable failed deferred attempted clicked converted \
                                 replied opened delivered sent drafted";

/// The traits of the customer who has these events, in any order.
pub(super) fn traits(key: &str, events: &[Event]) -> CustomerTraits {
    let knows_email = events.iter().any(Event::is_email_outcome);
    let knows_consent = events.iter().any(|event| is_unsubscribed(event) || is_subscribed(event));
    let bounce = latest(events, is_bounce);
    let complaints = events.iter().filter(|event| event.is_email("spammed")).count();
    let shows_deliverability =
        |event: &Event| is_bounce(event) || is_complaint(event) || clears(event) || is_engagement(event);
    let (bounced, complained) = (stands(bounce, latest(events, clears)), complaints > 0);
    let at = |fact: Option<&Event>| fact.map(|event| event.at_ms);
    let unsubscribe = latest(events, is_unsubscribed);
    CustomerTraits {
        customer_id: key.to_owned(),
        email_bounced: knows_email.then_some(bounced),
        email_bounced_at: at(bounce),
        last_bounce_delivery_id: bounce.and_then(|event| event.delivery_id.clone()),
        spam_complaint: knows_email.then_some(complained),
        spam_complaint_at: at(latest(events, is_complaint)),
        complaint_count: knows_email.then_some(i64::try_from(complaints).expect("a count fits")),
        email_deliverable: events.iter().any(shows_deliverability).then_some(!bounced && !complained),
        unsubscribed: knows_consent.then_some(stands(unsubscribe, latest(events, is_subscribed))),
        unsubscribed_at: at(unsubscribe),
        last_email_click_at: at(latest(events, is_human_click)),
        last_email_engaged_at: at(latest(events, is_engagement)),
        last_email_metric: last_email_metric(events),
        ..CustomerTraits::default()
    }
}

/// The entries of the customer who has these events, in any order.
pub(super) fn entries(events: &[Event]) -> Vec<SuppressionEntry> {
    let bounce = latest(events, is_bounce).map(|event| SuppressionEntry {
        scope: "address".to_owned(),
        channel: "email".to_owned(),
        token: event.recipient_token.clone(),
        class: "hard".to_owned(),
        ..entry("bounce", event, latest(events, clears))
    });
    let complaint = latest(events, is_complaint).map(|event| SuppressionEntry {
        scope: "channel".to_owned(),
        channel: "email".to_owned(),
        ..entry("complaint", event, None)
    });
    let unsubscribe = latest(events, is_unsubscribed).map(|event| SuppressionEntry {
        scope: "person".to_owned(),
        channel: "all".to_owned(),
        ..entry("unsubscribe", event, latest(events, is_subscribed))
    });
    [bounce, complaint, unsubscribe].into_iter().flatten().collect()
}

fn entry(reason: &str, cause: &Event, cleared_by: Option<&Event>) -> SuppressionEntry {
    let lifted = cleared_by.filter(|_| !stands(Some(cause), cleared_by));
    SuppressionEntry {
        reason: reason.to_owned(),
        class: reason.to_owned(),
        rule: reason.to_owned(),
        policy_version: "builtin-1".to_owned(),
        origin: "outcome".to_owned(),
        evidence: vec![cause.id.clone()],
        since: cause.at_ms,
        state: if lifted.is_some() { "lifted" } else { "active" }.to_owned(),
        until: lifted.map(|event| event.at_ms),
        lift_reason: lifted.map(|event| event.metric.clone()),
        lift_evidence: lifted.map(|event| event.id.clone()).into_iter().collect(),
        ..SuppressionEntry::default()
    }
}

fn is_bounce(event: &Event) -> bool {
    event.is_email("bounced")
}

fn is_complaint(event: &Event) -> bool {
    event.is_email("spammed")
}

fn is_human_click(event: &Event) -> bool {
    event.is_email("clicked") && event.is_human
}

fn is_engagement(event: &Event) -> bool {
    is_human_click(event) || (event.is_email("opened") && event.is_human) || event.is_email("converted")
}

fn clears(event: &Event) -> bool {
    event.is_email("delivered") || is_human_click(event)
}

fn is_unsubscribed(event: &Event) -> bool {
    event.metric == "unsubscribed"
}

fn is_subscribed(event: &Event) -> bool {
    event.metric == "subscribed"
}

/// The greatest time; at equal times, the greater event id.
fn latest(events: &[Event], is: impl Fn(&Event) -> bool) -> Option<&Event> {
    events.iter().filter(|event| is(event)).max_by_key(|event| (event.at_ms, event.id.as_bytes()))
}

/// A fact stands unless a clearing one is later; at equal times the more restrictive wins, which is the fact.
fn stands(fact: Option<&Event>, clearing: Option<&Event>) -> bool {
    fact.is_some_and(|fact| clearing.is_none_or(|clearing| clearing.at_ms <= fact.at_ms))
}

fn last_email_metric(events: &[Event]) -> Option<String> {
    let rank = |metric: &str| {
        let order: Vec<&str> = RESTRICTIVE_FIRST.split_whitespace().collect();
        order.iter().position(|known| *known == metric).map_or(0, |place| order.len() - place)
    };
    let last = events.iter().filter(|event| event.is_email_outcome());
    let last = last.max_by_key(|event| (event.at_ms, rank(&event.metric), event.id.as_bytes()))?;
    assert!(last.metric.len() <= 64, "the oracle knows no longer metrics");
    Some(last.metric.clone())
}
