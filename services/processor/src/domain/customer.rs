//! What is kept of a customer, and how an outcome changes it.
//!
//! Every field is a register that keeps the greatest mark it has seen, or a count; so the final state does not depend on
//! the order in which outcomes arrive (P4).
//!
//! Texts are borrowed, from the record that told them or from the bytes on disk: a customer is read, changed and written
//! once per transaction, and owning its texts would cost more than all the rest of it.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// Longest metric name kept, in bytes: the set is open, the state is not.
const METRIC_BYTES_MAX: usize = 64;

/// Longest delivery id kept, in bytes; a longer one is none of the vendor's.
const DELIVERY_ID_BYTES_MAX: usize = 256;

/// Metrics from the most to the least restrictive: which one counts as the latest where two share a time.
const RESTRICTIVE_FIRST: [&str; 15] = [
    "spammed",
    "unsubscribed",
    "bounced",
    "dropped",
    "undeliverable",
    "failed",
    "deferred",
    "attempted",
    "clicked",
    "converted",
    "replied",
    "opened",
    "delivered",
    "sent",
    "drafted",
];

/// Metrics of the e-mail channel that tell of consent, not of a message.
const CONSENT: [&str; 2] = ["subscribed", "cio_subscription_preferences_changed"];

/// An outcome, as far as it can change a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact<'a> {
    /// The channel.
    pub channel: &'a str,
    /// The metric.
    pub metric: &'a str,
    /// When it took effect, Unix milliseconds.
    pub at_ms: i64,
    /// The event's id.
    pub event_id: &'a str,
    /// The delivery.
    pub delivery_id: Option<&'a str>,
    /// The recipient's token.
    pub token: Option<&'a str>,
    /// Whether a machine did it: a machine's click, or a prefetched, proxied or synthetic open.
    pub machine: bool,
}

/// A fact that is remembered: when, and which event said so. The later one is the greater; at one time, that of the greater event id.
/// Events of two sources can share even that (P1): then the rest decides, so that the order of arrival never does (P4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark<'a> {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// The event.
    pub event_id: &'a str,
    /// The event's metric.
    pub metric: &'a str,
    /// The delivery.
    pub delivery_id: Option<&'a str>,
    /// The recipient's token.
    pub token: Option<&'a str>,
}

/// Everything that is kept of a customer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub struct Customer<'a> {
    /// Revision of the traits last published.
    pub revision: i64,
    /// The latest e-mail outcome.
    pub last_email: Option<Mark<'a>>,
    /// The latest bounce.
    pub bounce: Option<Mark<'a>>,
    /// The latest outcome that clears a bounce: delivered, or a human click.
    pub clear: Option<Mark<'a>>,
    /// The latest complaint.
    pub complaint: Option<Mark<'a>>,
    /// Complaints so far.
    pub complaint_count: i64,
    /// The latest unsubscribe.
    pub unsubscribe: Option<Mark<'a>>,
    /// The latest subscribe.
    pub subscribe: Option<Mark<'a>>,
    /// The latest human click, Unix milliseconds.
    pub click_at: Option<i64>,
    /// The latest human click, human open or conversion, Unix milliseconds.
    pub engaged_at: Option<i64>,
    /// Up to which deadline lifted suppressions were taken off their topic, Unix milliseconds; `None` where they are on it.
    pub tombstoned_ms: Option<i64>,
}

impl<'a> Customer<'a> {
    /// Takes in one fact. It must be a distinct event: the count relies on it (P1).
    pub fn learn(&mut self, fact: &Fact<'a>) {
        let email = fact.channel == "email";
        match fact.metric {
            "bounced" if email => keep_latest(&mut self.bounce, fact),
            "delivered" if email => keep_latest(&mut self.clear, fact),
            "clicked" if email && !fact.machine => {
                keep_latest(&mut self.clear, fact);
                self.click_at = self.click_at.max(Some(fact.at_ms));
                self.engaged_at = self.engaged_at.max(Some(fact.at_ms));
            }
            "opened" if email && !fact.machine => self.engaged_at = self.engaged_at.max(Some(fact.at_ms)),
            "converted" if email => self.engaged_at = self.engaged_at.max(Some(fact.at_ms)),
            "spammed" if email => {
                keep_latest(&mut self.complaint, fact);
                self.complaint_count += 1;
            }
            // Of any channel: the vendor names the channel that triggered the change, and the change is the person's.
            "unsubscribed" => keep_latest(&mut self.unsubscribe, fact),
            "subscribed" => keep_latest(&mut self.subscribe, fact),
            _ => {}
        }
        if email && !CONSENT.contains(&fact.metric) {
            self.learn_last_email(fact);
        }
    }

    /// Whether a bounce stands: none later clears it. At one time, the bounce wins.
    #[must_use]
    pub fn is_bounced(&self) -> bool {
        stands(self.bounce.as_ref(), self.clear.as_ref())
    }

    /// Whether an unsubscribe stands: no later subscribe. At one time, the unsubscribe wins.
    #[must_use]
    pub fn is_unsubscribed(&self) -> bool {
        stands(self.unsubscribe.as_ref(), self.subscribe.as_ref())
    }

    fn learn_last_email(&mut self, fact: &Fact<'a>) {
        let mark = Mark::of(fact);
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

impl<'a> Mark<'a> {
    fn of(fact: &Fact<'a>) -> Self {
        let metric_end = fact.metric.floor_char_boundary(METRIC_BYTES_MAX);
        Self {
            at_ms: fact.at_ms,
            event_id: fact.event_id,
            metric: &fact.metric[..metric_end],
            delivery_id: fact.delivery_id.filter(|id| id.len() <= DELIVERY_ID_BYTES_MAX),
            token: fact.token,
        }
    }
}

/// Keeps the greater of two marks.
fn keep_latest<'a>(register: &mut Option<Mark<'a>>, fact: &Fact<'a>) {
    *register = (*register).max(Some(Mark::of(fact)));
}

fn stands(fact: Option<&Mark<'_>>, against: Option<&Mark<'_>>) -> bool {
    fact.is_some_and(|fact| against.is_none_or(|against| fact.at_ms >= against.at_ms))
}

fn restriction(metric: &str) -> usize {
    let rank = RESTRICTIVE_FIRST.iter().position(|known| *known == metric);
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
