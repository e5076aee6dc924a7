//! A customer's suppression entries: a pure function of what is kept, each with its evidence.
//!
//! [`RULES`] has one row for each rule. Everything here is derived from that table.

use schemas::record::SuppressionEntry;
use schemas::vocabulary::{channel, class, origin, reason, scope, state};

use crate::domain::customer::{Customer, Mark, stands};

/// The version of the rules below, until a policy file brings its own.
pub(crate) const POLICY_VERSION: &str = "builtin-1";

/// The number of [`POLICY_VERSION`], as it stands in stored customers. Change both together.
pub(crate) const POLICY_NUMBER: u16 = 1;

/// Reads a mark that a customer keeps.
type Register = for<'a> fn(&Customer<'a>) -> Option<Mark<'a>>;

/// A suppression rule: what raises an entry, what lifts it, and what the entry says.
struct Rule {
    /// The entry's reason, and the rule's name.
    reason: &'static str,
    /// What is suppressed: an address, a channel or a person.
    scope: &'static str,
    /// The channel, or `all`.
    channel: &'static str,
    /// The entry's class.
    class: &'static str,
    /// Whether the entry names the address, by the token of the outcome that raised it.
    names_address: bool,
    /// The latest outcome that raises the entry.
    raised_by: Register,
    /// The latest outcome that lifts the entry, if it is later than the one that raised it.
    lifted_by: Register,
}

/// Every rule, in the order in which entries are published.
const RULES: [Rule; 3] = [
    Rule {
        reason: reason::BOUNCE,
        scope: scope::ADDRESS,
        channel: channel::EMAIL,
        class: class::HARD,
        names_address: true,
        raised_by: |customer| customer.bounce,
        lifted_by: |customer| customer.clear,
    },
    Rule {
        reason: reason::COMPLAINT,
        scope: scope::CHANNEL,
        channel: channel::EMAIL,
        class: class::COMPLAINT,
        names_address: false,
        raised_by: |customer| customer.complaint,
        // Nothing lifts a complaint in this version.
        lifted_by: |_| None,
    },
    Rule {
        reason: reason::UNSUBSCRIBE,
        scope: scope::PERSON,
        channel: channel::ALL_CHANNELS,
        class: class::UNSUBSCRIBE,
        names_address: false,
        raised_by: |customer| customer.unsubscribe,
        lifted_by: |customer| customer.subscribe,
    },
];

/// What raised an entry, and what lifted it.
struct Cause<'a> {
    raised: Mark<'a>,
    lifted: Option<Mark<'a>>,
}

impl Rule {
    /// What caused this rule's entry; `None` where `customer` has none.
    fn cause<'a>(&self, customer: &Customer<'a>) -> Option<Cause<'a>> {
        let raised = (self.raised_by)(customer)?;
        let lifted = (self.lifted_by)(customer).filter(|lift| !stands(Some(&raised), Some(lift)));
        Some(Cause { raised, lifted })
    }

    fn entry(&self, customer: &Customer<'_>) -> Option<SuppressionEntry> {
        let Cause { raised, lifted } = self.cause(customer)?;
        let token = raised.token.filter(|_| self.names_address);
        Some(SuppressionEntry {
            reason: self.reason.to_owned(),
            scope: self.scope.to_owned(),
            channel: self.channel.to_owned(),
            class: self.class.to_owned(),
            token: token.map(str::to_owned),
            rule: self.reason.to_owned(),
            policy_version: POLICY_VERSION.to_owned(),
            origin: origin::OUTCOME.to_owned(),
            evidence: vec![raised.event_id.to_owned()],
            since: raised.at_ms,
            state: if lifted.is_some() { state::LIFTED } else { state::ACTIVE }.to_owned(),
            until: lifted.map(|lift| lift.at_ms),
            lift_reason: lifted.map(|lift| lift.metric.to_owned()),
            lift_evidence: lifted.map(|lift| lift.event_id.to_owned()).into_iter().collect(),
        })
    }
}

/// Every entry of `customer`, active and lifted, in the order of the rules.
#[must_use]
pub(crate) fn entries(customer: &Customer<'_>) -> Vec<SuppressionEntry> {
    RULES.iter().filter_map(|rule| rule.entry(customer)).collect()
}

/// When the last of `customer`'s suppressions was lifted, Unix milliseconds; `None` where one is active, or
/// there never was one.
#[must_use]
pub(crate) fn all_lifted_at(customer: &Customer<'_>) -> Option<i64> {
    let causes = RULES.iter().filter_map(|rule| rule.cause(customer));
    // One entry that is not lifted makes the whole `None`.
    let lifted: Option<Vec<i64>> = causes.map(|cause| cause.lifted.map(|lift| lift.at_ms)).collect();
    lifted?.into_iter().max()
}

/// The entries of `now`, where they differ from those of `before`.
#[must_use]
pub(crate) fn changed(before: &Customer<'_>, now: &Customer<'_>) -> Option<Vec<SuppressionEntry>> {
    // Most outcomes touch none of the marks that entries are made of, and comparing marks is cheap.
    let is_touched = |rule: &Rule| {
        (rule.raised_by)(before) != (rule.raised_by)(now) || (rule.lifted_by)(before) != (rule.lifted_by)(now)
    };
    let is_any_touched = RULES.iter().any(is_touched);
    is_any_touched.then(|| entries(now)).filter(|entries_now| *entries_now != entries(before))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::customer::Fact;

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
        /// The short way to the last lift agrees with the entries.
        #[test]
        fn the_last_lift_is_that_of_the_entries(times in proptest::array::uniform5(proptest::option::of(0i64..6))) {
            let [bounce, clear, complaint, unsubscribe, subscribe] = times.map(|time| time.and_then(mark));
            let customer = Customer { bounce, clear, complaint, unsubscribe, subscribe, ..Customer::default() };
            let entries = entries(&customer);
            let all = !entries.is_empty() && entries.iter().all(|entry| entry.state == "lifted");
            let last = entries.iter().filter_map(|entry| entry.until).max();
            prop_assert_eq!(all_lifted_at(&customer), last.filter(|_| all));
        }

        /// A change that was overlooked would never reach a subscriber.
        #[test]
        fn whatever_changes_the_entries_is_published(
            facts in proptest::collection::vec((0usize..6, 0i64..3), 0..6), split in 0usize..6,
        ) {
            let (before, now) = (learnt(&facts[..split.min(facts.len())]), learnt(&facts));
            let differ = entries(&before) != entries(&now);
            prop_assert_eq!(changed(&before, &now), differ.then(|| entries(&now)));
        }
    }
}
