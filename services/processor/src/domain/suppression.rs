//! A customer's suppression entries: a pure reading of what is kept, each with its evidence (P6).

use schemas::record::SuppressionEntry;

use super::customer::{Customer, Mark};

/// The version of the rules below, until a policy file brings its own.
pub const POLICY_VERSION: &str = "builtin-1";

/// Every entry of `customer`, active and lifted, in the order bounce, complaint, unsubscribe.
#[must_use]
pub fn of(customer: &Customer) -> Vec<SuppressionEntry> {
    let bounce = customer.bounce.as_ref().map(|bounce| {
        let entry = SuppressionEntry {
            scope: "address".to_owned(),
            channel: "email".to_owned(),
            token: bounce.token.clone(),
            class: "hard".to_owned(),
            ..caused_by("bounce", bounce)
        };
        lifted(entry, customer.clear.as_ref().filter(|_| !customer.is_bounced()))
    });
    let complaint = customer.complaint.as_ref().map(|complaint| SuppressionEntry {
        scope: "channel".to_owned(),
        channel: "email".to_owned(),
        ..caused_by("complaint", complaint)
    });
    let unsubscribe = customer.unsubscribe.as_ref().map(|unsubscribe| {
        let entry = SuppressionEntry {
            scope: "person".to_owned(),
            channel: "all".to_owned(),
            ..caused_by("unsubscribe", unsubscribe)
        };
        lifted(entry, customer.subscribe.as_ref().filter(|_| !customer.is_unsubscribed()))
    });
    [bounce, complaint, unsubscribe].into_iter().flatten().collect()
}

fn caused_by(reason: &str, mark: &Mark) -> SuppressionEntry {
    SuppressionEntry {
        reason: reason.to_owned(),
        class: reason.to_owned(),
        rule: reason.to_owned(),
        policy_version: POLICY_VERSION.to_owned(),
        origin: "outcome".to_owned(),
        evidence: vec![mark.event_id.clone()],
        since: mark.at_ms,
        state: "active".to_owned(),
        ..SuppressionEntry::default()
    }
}

fn lifted(entry: SuppressionEntry, by: Option<&Mark>) -> SuppressionEntry {
    match by {
        Some(by) => SuppressionEntry {
            state: "lifted".to_owned(),
            until: Some(by.at_ms),
            lift_reason: Some(by.metric.clone()),
            lift_evidence: vec![by.event_id.clone()],
            ..entry
        },
        None => entry,
    }
}
