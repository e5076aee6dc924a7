//! A customer's suppression entries: a pure reading of what is kept, each with its evidence.

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

/// When the last of `customer`'s suppressions was lifted; `None` where one is active, or there never was one.
#[must_use]
pub fn all_lifted_at(customer: &Customer<'_>) -> Option<i64> {
    let at = |mark: &Option<Mark<'_>>| mark.as_ref().map(|mark| mark.at_ms);
    let bounce = customer.bounce.is_some().then(|| at(&customer.clear).filter(|_| !customer.is_bounced()));
    let unsubscribe = customer
        .unsubscribe
        .is_some()
        .then(|| at(&customer.subscribe).filter(|_| !customer.is_unsubscribed()));
    let complaint = customer.complaint.is_some().then_some(None);
    // Of each kind that there is, when it was lifted; one that was not makes the whole `None`.
    let lifted: Option<Vec<i64>> = [bounce, unsubscribe, complaint].into_iter().flatten().collect();
    lifted?.into_iter().max()
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

    fn mark(at_ms: i64) -> Option<Mark<'static>> {
        Some(Mark { at_ms, event_id: "e", metric: "m", delivery_id: None, token: None })
    }

    proptest! {
        /// The short way to the last lift and the entries say the same.
        #[test]
        fn the_last_lift_is_that_of_the_entries(times in proptest::array::uniform5(proptest::option::of(0i64..6))) {
            let [bounce, clear, complaint, unsubscribe, subscribe] = times.map(|time| time.and_then(mark));
            let customer = Customer { bounce, clear, complaint, unsubscribe, subscribe, ..Customer::default() };
            let entries = of(&customer);
            let all = !entries.is_empty() && entries.iter().all(|entry| entry.state == "lifted");
            let last = entries.iter().filter_map(|entry| entry.until).max();
            prop_assert_eq!(all_lifted_at(&customer), last.filter(|_| all));
        }

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
