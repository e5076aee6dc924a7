//! What is kept about a customer, and how an outcome changes it.
//!
//! Every field is a count, or a register that keeps the greatest mark it has seen. So the final state does
//! not depend on the order in which outcomes arrive (P4).
//!
//! Texts are borrowed, from the record that holds them or from the bytes on disk. A customer is read, changed
//! and written once per transaction, and owned texts would cost more than all the rest of it.

mod fact;

use std::cmp::Ordering;

use schemas::vocabulary::{channel, metric};

pub(crate) use fact::{Fact, Mark};

/// Metrics from the most to the least restrictive. They decide which outcome counts as the latest where two
/// share a time.
const RESTRICTIVE_FIRST: [&str; 15] = [
    metric::SPAMMED,
    metric::UNSUBSCRIBED,
    metric::BOUNCED,
    metric::DROPPED,
    metric::UNDELIVERABLE,
    metric::FAILED,
    metric::DEFERRED,
    metric::ATTEMPTED,
    metric::CLICKED,
    metric::CONVERTED,
    metric::REPLIED,
    metric::OPENED,
    metric::DELIVERED,
    metric::SENT,
    metric::DRAFTED,
];

/// Metrics of the e-mail channel that are about consent, not about a message.
const CONSENT: [&str; 2] = [metric::SUBSCRIBED, metric::PREFERENCES_CHANGED];

/// Everything that is kept about a customer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Customer<'a> {
    /// Revision of the traits that were published last.
    pub(crate) revision: i64,
    /// The latest e-mail outcome.
    pub(crate) last_email: Option<Mark<'a>>,
    /// The latest bounce.
    pub(crate) bounce: Option<Mark<'a>>,
    /// The latest outcome that clears a bounce: delivered, or a human click.
    pub(crate) clear: Option<Mark<'a>>,
    /// The latest complaint.
    pub(crate) complaint: Option<Mark<'a>>,
    /// Complaints so far.
    pub(crate) complaint_count: i64,
    /// The latest unsubscribe.
    pub(crate) unsubscribe: Option<Mark<'a>>,
    /// The latest subscribe.
    pub(crate) subscribe: Option<Mark<'a>>,
    /// The latest human click, Unix milliseconds.
    pub(crate) click_at: Option<i64>,
    /// The latest human click, human open or conversion, Unix milliseconds.
    pub(crate) engaged_at: Option<i64>,
    /// The deadline of the tombstone that took the suppressions off their topic, Unix milliseconds; `None`
    /// while they are on it.
    pub(crate) tombstoned_ms: Option<i64>,
}

impl<'a> Customer<'a> {
    /// Takes in one fact. Each fact must be a distinct event, because the count relies on it (P1).
    pub(crate) fn learn(&mut self, fact: &Fact<'a>) {
        let email = fact.channel == channel::EMAIL;
        match fact.metric {
            metric::BOUNCED if email => keep_latest(&mut self.bounce, fact),
            metric::DELIVERED if email => keep_latest(&mut self.clear, fact),
            metric::CLICKED if email && !fact.machine => {
                keep_latest(&mut self.clear, fact);
                self.click_at = self.click_at.max(Some(fact.at_ms));
                self.engaged_at = self.engaged_at.max(Some(fact.at_ms));
            }
            metric::OPENED if email && !fact.machine => {
                self.engaged_at = self.engaged_at.max(Some(fact.at_ms));
            }
            metric::CONVERTED if email => self.engaged_at = self.engaged_at.max(Some(fact.at_ms)),
            metric::SPAMMED if email => {
                keep_latest(&mut self.complaint, fact);
                self.complaint_count += 1;
            }
            // Of any channel: the vendor names the channel that triggered the change, but the change is the
            // person's.
            metric::UNSUBSCRIBED => keep_latest(&mut self.unsubscribe, fact),
            metric::SUBSCRIBED => keep_latest(&mut self.subscribe, fact),
            _ => {}
        }
        if email && !CONSENT.contains(&fact.metric) {
            self.learn_last_email(fact);
        }
    }

    /// Whether a bounce stands, which means that no later outcome clears it. At the same time, the bounce
    /// wins.
    #[must_use]
    pub(crate) fn is_bounced(&self) -> bool {
        stands(self.bounce.as_ref(), self.clear.as_ref())
    }

    /// Whether an unsubscribe stands, which means that there is no later subscribe. At the same time, the
    /// unsubscribe wins.
    #[must_use]
    pub(crate) fn is_unsubscribed(&self) -> bool {
        stands(self.unsubscribe.as_ref(), self.subscribe.as_ref())
    }

    fn learn_last_email(&mut self, fact: &Fact<'a>) {
        let mark = Mark::from_fact(fact);
        let later = self.last_email.as_ref().is_none_or(|kept| {
            let order = mark.at_ms.cmp(&kept.at_ms);
            let order = order.then_with(|| restriction(mark.metric).cmp(&restriction(kept.metric)));
            order.then_with(|| mark.cmp(kept)) == Ordering::Greater
        });
        if later {
            self.last_email = Some(mark);
        }
    }
}

/// Keeps the greater of two marks.
fn keep_latest<'a>(register: &mut Option<Mark<'a>>, fact: &Fact<'a>) {
    *register = (*register).max(Some(Mark::from_fact(fact)));
}

/// Whether `fact` stands: no mark `against` it is later. At the same time, the fact wins.
pub(crate) fn stands(fact: Option<&Mark<'_>>, against: Option<&Mark<'_>>) -> bool {
    fact.is_some_and(|fact| against.is_none_or(|against| fact.at_ms >= against.at_ms))
}

fn restriction(of: &str) -> usize {
    let rank = RESTRICTIVE_FIRST.iter().position(|known| *known == of);
    rank.map_or(0, |rank| RESTRICTIVE_FIRST.len() - rank)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fact() -> impl Strategy<Value = Fact<'static>> {
        let metric = prop_oneof![
            proptest::sample::select(RESTRICTIVE_FIRST.to_vec()),
            proptest::sample::select(vec!["subscribed", "unknown", "cio_subscription_preferences_changed"])
        ];
        let channel = proptest::sample::select(vec!["email", "sms", "customer"]);
        (metric, channel, 0i64..4, 0u8..6, any::<bool>()).prop_map(|(metric, channel, at_ms, id, machine)| {
            Fact {
                channel,
                metric,
                at_ms,
                event_id: ["7", "8"][usize::from(id % 2)],
                delivery_id: Some(["0", "1", "2", "3", "4", "5"][usize::from(id)]),
                token: None,
                machine,
            }
        })
    }

    fn learn_all<'a>(facts: &[Fact<'a>]) -> Customer<'a> {
        facts.iter().fold(Customer::default(), |mut customer, fact| {
            customer.learn(fact);
            customer
        })
    }

    proptest! {
        /// P4: the same facts in any order leave the same customer.
        #[test]
        fn the_order_of_arrival_does_not_matter(
            (facts, shuffled) in proptest::collection::vec(fact(), 0..24)
                .prop_flat_map(|facts| (Just(facts.clone()), Just(facts).prop_shuffle()))
        ) {
            prop_assert_eq!(learn_all(&facts), learn_all(&shuffled));
        }
    }

    #[test]
    fn at_one_time_the_more_restrictive_fact_wins() {
        let at = |metric: &'static str| Fact {
            channel: "email",
            metric,
            at_ms: 7,
            event_id: metric,
            delivery_id: None,
            token: None,
            machine: false,
        };
        let customer = learn_all(&[at("bounced"), at("delivered"), at("unsubscribed"), at("subscribed")]);
        assert!(customer.is_bounced() && customer.is_unsubscribed());
        assert_eq!(customer.last_email.expect("four outcomes").metric, "unsubscribed");
    }
}
