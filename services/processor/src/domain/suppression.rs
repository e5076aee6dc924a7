//! A customer's suppression entries: a pure reading of what is kept, each with its evidence (P6).

use schemas::record::SuppressionEntry;

use super::customer::{Customer, Mark};

/// The version of the rules below, until a policy file brings its own.
pub const POLICY_VERSION: &str = "builtin-1";

/// Every entry of `customer`, active and lifted, in the order bounce, complaint, unsubscribe.
#[must_use]
pub fn of(customer: &Customer<'_>) -> Vec<SuppressionEntry> {
    let bounce = customer.bounce.as_ref().map(|bounce| {
        let entry = SuppressionEntry {
            scope: "address".to_owned(),
            channel: "email".to_owned(),
            token: bounce.token.map(str::to_owned),
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

/// The entries of `now`, where they are not those of `before`. Most outcomes touch nothing that an entry is made of.
#[must_use]
pub fn changed(before: &Customer<'_>, now: &Customer<'_>) -> Option<Vec<SuppressionEntry>> {
    (causes(before) != causes(now)).then(|| of(now)).filter(|entries| *entries != of(before))
}

fn causes<'a>(of: &Customer<'a>) -> [Option<Mark<'a>>; 5] {
    [of.bounce, of.clear, of.complaint, of.unsubscribe, of.subscribe]
}

fn caused_by(reason: &str, mark: &Mark<'_>) -> SuppressionEntry {
    SuppressionEntry {
        reason: reason.to_owned(),
        class: reason.to_owned(),
        rule: reason.to_owned(),
        policy_version: POLICY_VERSION.to_owned(),
        origin: "outcome".to_owned(),
        evidence: vec![mark.event_id.to_owned()],
        since: mark.at_ms,
        state: "active".to_owned(),
        ..SuppressionEntry::default()
    }
}

fn lifted(entry: SuppressionEntry, by: Option<&Mark<'_>>) -> SuppressionEntry {
    match by {
        Some(by) => SuppressionEntry {
            state: "lifted".to_owned(),
            until: Some(by.at_ms),
            lift_reason: Some(by.metric.to_owned()),
            lift_evidence: vec![by.event_id.to_owned()],
            ..entry
        },
        None => entry,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::customer::Fact;
    use super::*;

    fn learnt(facts: &[(usize, i64)]) -> Customer<'static> {
        const METRICS: [&str; 6] =
            ["bounced", "delivered", "spammed", "unsubscribed", "subscribed", "opened"];
        let mut customer = Customer::default();
        for (metric, at_ms) in facts {
            let metric = METRICS[*metric];
            customer.learn(&Fact {
                channel: "email",
                metric,
                at_ms: *at_ms,
                event_id: metric,
                delivery_id: None,
                token: None,
                machine: false,
            });
        }
        customer
    }

    proptest! {
        /// A change that was passed over would never reach anybody.
        #[test]
        fn whatever_changes_the_entries_is_told(
            facts in proptest::collection::vec((0usize..6, 0i64..3), 0..6), split in 0usize..6,
        ) {
            let (before, now) = (learnt(&facts[..split.min(facts.len())]), learnt(&facts));
            let differ = of(&before) != of(&now);
            prop_assert_eq!(changed(&before, &now), differ.then(|| of(&now)));
        }
    }
}
