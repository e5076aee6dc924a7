//! What happened, and on which channel: the one spelling behind several.

/// Channels that carry messages, as the vendor spells its object types. The set is open: others pass as they are.
const CHANNELS: [&str; 7] = ["email", "sms", "push", "in_app", "whatsapp", "slack", "webhook"];

/// The object type of what is about a person and no message.
pub(crate) const CUSTOMER: &str = "customer";

/// Metric of a changed subscription preference. Its `content` is the preferences themselves, no message body.
pub(crate) const PREFERENCES: &str = "cio_subscription_preferences_changed";

/// What besides its metric tells a channel, where a sender names none.
#[derive(Clone, Copy)]
pub(crate) struct Hint {
    /// An e-mail address is named.
    pub(crate) address: bool,
    /// Devices are named.
    pub(crate) devices: bool,
}

/// The channel and metric of an event, from its own spelling of both.
///
/// A prefix that names a message channel decides (`email_bounced`), since it is the more exact of the two; `customer_`
/// gives way to an object type, since the vendor puts the channel that caused a change there.
pub(crate) fn normalise(object_type: Option<&str>, metric: &str, hint: Hint) -> (String, String) {
    let metric = metric.trim().to_lowercase();
    let object_type = object_type.map(|text| text.trim().to_lowercase()).filter(|text| !text.is_empty());
    for channel in CHANNELS {
        if let Some(bare) = bare(&metric, channel) {
            return (channel.to_owned(), alias(bare));
        }
    }
    if let Some(bare) = bare(&metric, CUSTOMER) {
        return (object_type.unwrap_or_else(|| CUSTOMER.to_owned()), alias(bare));
    }
    let metric = alias(&metric);
    (object_type.unwrap_or_else(|| guess(&metric, hint).to_owned()), metric)
}

fn bare<'a>(metric: &'a str, prefix: &str) -> Option<&'a str> {
    metric.strip_prefix(prefix)?.strip_prefix('_').filter(|bare| !bare.is_empty())
}

fn alias(metric: &str) -> String {
    match metric {
        "complained" | "complaint" => "spammed",
        // The App API's name of the subscription; the vendor sends it with the prefix.
        "subscription_preferences_changed" => PREFERENCES,
        other => other,
    }
    .to_owned()
}

/// A message's channel is never guessed from its metric alone: a wrong guess would mark the wrong address.
fn guess(metric: &str, hint: Hint) -> &'static str {
    match metric {
        "subscribed" | "unsubscribed" | PREFERENCES => CUSTOMER,
        _ if hint.address => "email",
        _ if hint.devices => "push",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Hint = Hint { address: false, devices: false };

    #[test]
    fn spellings_of_one_outcome_are_one_outcome() {
        for (object_type, metric, normal) in [
            (Some("email"), "bounced", ("email", "bounced")),
            (None, "email_bounced", ("email", "bounced")),
            (Some("email"), "email_bounced", ("email", "bounced")),
            (Some("EMAIL"), " Bounced ", ("email", "bounced")),
            (None, "email_complained", ("email", "spammed")),
            (None, "push_opened", ("push", "opened")),
            (None, "in_app_clicked", ("in_app", "clicked")),
            (None, "customer_unsubscribed", ("customer", "unsubscribed")),
            (Some("email"), "customer_unsubscribed", ("email", "unsubscribed")),
            (None, "customer_subscription_preferences_changed", ("customer", PREFERENCES)),
            (None, PREFERENCES, ("customer", PREFERENCES)),
            (Some("telegram"), "poked", ("telegram", "poked")),
            (None, "email_", ("unknown", "email_")),
        ] {
            let (channel, metric) = normalise(object_type, metric, NONE);
            assert_eq!((channel.as_str(), metric.as_str()), normal);
        }
    }

    #[test]
    fn a_channel_is_told_by_what_it_reaches_never_by_its_metric() {
        let channel = |hint| normalise(None, "bounced", hint).0;
        assert_eq!(channel(Hint { address: true, devices: false }), "email");
        assert_eq!(channel(Hint { address: false, devices: true }), "push");
        assert_eq!(channel(NONE), "unknown");
    }
}
