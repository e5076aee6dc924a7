//! A customer's traits: a pure function of what is kept.

use schemas::record::CustomerTraits;

use crate::domain::customer::Customer;

/// The traits of `customer`, without revision, time and the list of changes.
#[must_use]
pub(crate) fn derive(customer_id: &str, customer: &Customer<'_>) -> CustomerTraits {
    let mut traits = CustomerTraits { customer_id: customer_id.to_owned(), ..CustomerTraits::default() };
    if customer.last_email.is_some() {
        let complained = customer.complaint.is_some();
        traits.email_bounced = Some(customer.is_bounced());
        traits.spam_complaint = Some(complained);
        traits.complaint_count = Some(customer.complaint_count);
    }
    if is_deliverability_known(customer) {
        traits.email_deliverable = Some(!customer.is_bounced() && customer.complaint.is_none());
    }
    if customer.unsubscribe.is_some() || customer.subscribe.is_some() {
        traits.unsubscribed = Some(customer.is_unsubscribed());
    }
    let bounce = customer.bounce.as_ref();
    traits.email_bounced_at = bounce.map(|mark| mark.at_ms);
    traits.last_bounce_delivery_id = bounce.and_then(|mark| mark.delivery_id).map(str::to_owned);
    traits.spam_complaint_at = customer.complaint.as_ref().map(|mark| mark.at_ms);
    traits.unsubscribed_at = customer.unsubscribe.as_ref().map(|mark| mark.at_ms);
    traits.last_email_click_at = customer.click_at;
    traits.last_email_engaged_at = customer.engaged_at;
    traits.last_email_metric = customer.last_email.as_ref().map(|mark| mark.metric.to_owned());
    traits
}

/// Whether any outcome shows what the address is worth: an e-mail arrived or was refused. That an e-mail was
/// drafted, sent, dropped or the like shows nothing.
fn is_deliverability_known(customer: &Customer<'_>) -> bool {
    let Customer { clear, bounce, complaint, engaged_at, .. } = customer;
    clear.is_some() || bounce.is_some() || complaint.is_some() || engaged_at.is_some()
}

/// Names of the traits in which `new` differs from `old`.
#[must_use]
pub(crate) fn changed(old: &CustomerTraits, new: &CustomerTraits) -> Vec<String> {
    new.changed_since(old).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use schemas::vocabulary::metric;

    use super::*;
    use crate::domain::customer::Fact;

    fn deliverable(facts: &[(&'static str, bool)]) -> Option<bool> {
        let mut customer = Customer::default();
        for (at_ms, (metric, machine)) in (0..).zip(facts) {
            customer.learn(&Fact {
                channel: "email",
                metric,
                at_ms,
                event_id: metric,
                delivery_id: None,
                token: None,
                machine: *machine,
            });
        }
        derive("u1", &customer).email_deliverable
    }

    /// A vendor that was told so would go on sending to an address that the provider suppresses.
    #[test]
    fn what_did_not_arrive_makes_nobody_deliverable() {
        let arrived = [metric::DELIVERED, metric::OPENED, metric::CLICKED, metric::CONVERTED];
        let refused = [metric::BOUNCED, metric::SPAMMED];
        for metric in metric::WORDS {
            let expected = match metric {
                _ if arrived.contains(metric) => Some(true),
                _ if refused.contains(metric) => Some(false),
                _ => None,
            };
            assert_eq!(deliverable(&[(metric, false)]), expected, "{metric}");
            let again = deliverable(&[("delivered", false), (metric, false)]);
            assert_eq!(again, Some(!refused.contains(metric)), "{metric} after a delivery");
        }
        for metric in [metric::OPENED, metric::CLICKED] {
            assert_eq!(deliverable(&[(metric, true)]), None, "{metric} by a machine");
        }
    }

    /// A change of a trait that `changed` forgot would never reach a subscriber.
    #[test]
    fn every_trait_of_the_schema_is_compared() {
        let full = CustomerTraits {
            email_deliverable: Some(true),
            email_bounced: Some(true),
            email_bounced_at: Some(1),
            last_bounce_delivery_id: Some(String::new()),
            spam_complaint: Some(true),
            spam_complaint_at: Some(1),
            complaint_count: Some(1),
            unsubscribed: Some(true),
            unsubscribed_at: Some(1),
            last_email_click_at: Some(1),
            last_email_engaged_at: Some(1),
            last_email_metric: Some(String::new()),
            ..CustomerTraits::default()
        };
        let fields = serde_json::to_value(&full).expect("serialises");
        let mut expected: Vec<String> = fields.as_object().expect("a record").keys().cloned().collect();
        expected.retain(|name| !["customer_id", "revision", "as_of", "changed"].contains(&name.as_str()));
        let mut found = changed(&CustomerTraits::default(), &full);
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
    }
}
