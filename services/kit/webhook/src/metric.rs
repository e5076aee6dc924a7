//! What happened, and on which channel: the one spelling behind several.

use std::borrow::Cow;

/// Channels that carry messages, as the vendor spells its object types. The set is open: others pass as they
/// are.
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

/// An event's channel and metric.
pub(crate) struct Normal<'a> {
    pub(crate) channel: Cow<'a, str>,
    pub(crate) metric: Cow<'a, str>,
    /// Whether the sender gave the metric another name.
    pub(crate) is_alias: bool,
}

/// The channel and metric of an event, from its own spelling of both.
///
/// A prefix that names a message channel decides (`email_bounced`), since it is the more exact of the two;
/// `customer_` gives way to an object type, since the vendor puts the channel that caused a change there.
pub(crate) fn normalise<'a>(
    object_type: Option<Cow<'a, str>>,
    metric: Cow<'a, str>,
    hint: Hint,
) -> Normal<'a> {
    let metric = normal(metric);
    let object_type = object_type.map(normal).filter(|text| !text.is_empty());
    let (channel, metric) =
        if let Some(channel) = CHANNELS.into_iter().find(|channel| is_prefix(channel, &metric)) {
            (Some(Cow::Borrowed(channel)), without_prefix(metric, channel))
        } else if is_prefix(CUSTOMER, &metric) {
            (Some(object_type.unwrap_or(Cow::Borrowed(CUSTOMER))), without_prefix(metric, CUSTOMER))
        } else {
            (object_type, metric)
        };
    let alias = alias(&metric, channel.as_deref());
    let is_alias = alias.is_some();
    let metric = alias.map_or(metric, Cow::Borrowed);
    let channel = channel.unwrap_or_else(|| Cow::Borrowed(guess(&metric, hint)));
    Normal { channel, metric, is_alias }
}

/// Trimmed, in lower case.
fn normal(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => {
            let text = text.trim();
            let is_lower = text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
            if is_lower { Cow::Borrowed(text) } else { Cow::Owned(text.to_lowercase()) }
        }
        Cow::Owned(text) => Cow::Owned(text.trim().to_lowercase()),
    }
}

/// Whether `metric` is the prefix, `_` and more.
fn is_prefix(prefix: &str, metric: &str) -> bool {
    metric.strip_prefix(prefix).is_some_and(|rest| rest.len() > 1 && rest.starts_with('_'))
}

fn without_prefix<'a>(metric: Cow<'a, str>, prefix: &str) -> Cow<'a, str> {
    let start = prefix.len() + 1;
    match metric {
        Cow::Borrowed(metric) => Cow::Borrowed(&metric[start..]),
        Cow::Owned(metric) => Cow::Owned(metric[start..].to_owned()),
    }
}

/// The vendor's name of a metric that `metric` is another name of.
fn alias(metric: &str, channel: Option<&str>) -> Option<&'static str> {
    match metric {
        "complained" | "complaint" => Some("spammed"),
        // The vendor's pages call a dropped message so. A suppressed person is another thing.
        "suppressed" if channel != Some(CUSTOMER) => Some("dropped"),
        // The App API's name of the subscription; the vendor sends it with the prefix.
        "subscription_preferences_changed" => Some(PREFERENCES),
        _ => None,
    }
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
            (Some("sms"), "Suppressed", ("sms", "dropped")),
            (None, "email_suppressed", ("email", "dropped")),
            (Some("email"), "dropped", ("email", "dropped")),
            (Some("customer"), "suppressed", ("customer", "suppressed")),
            (None, "push_opened", ("push", "opened")),
            (None, "in_app_clicked", ("in_app", "clicked")),
            (None, "customer_unsubscribed", ("customer", "unsubscribed")),
            (Some("email"), "customer_unsubscribed", ("email", "unsubscribed")),
            (None, "customer_subscription_preferences_changed", ("customer", PREFERENCES)),
            (None, PREFERENCES, ("customer", PREFERENCES)),
            (Some("telegram"), "poked", ("telegram", "poked")),
            (None, "email_", ("unknown", "email_")),
        ] {
            let read = normalise(object_type.map(Cow::Borrowed), Cow::Borrowed(metric), NONE);
            assert_eq!((read.channel.as_ref(), read.metric.as_ref()), normal);
            let given = metric.trim().to_lowercase();
            assert_eq!(read.is_alias, !given.ends_with(normal.1), "{metric}");
        }
    }

    #[test]
    fn a_channel_is_told_by_what_it_reaches_never_by_its_metric() {
        let channel = |hint| normalise(None, Cow::Borrowed("bounced"), hint).channel;
        assert_eq!(channel(Hint { address: true, devices: false }), "email");
        assert_eq!(channel(Hint { address: false, devices: true }), "push");
        assert_eq!(channel(NONE), "unknown");
    }
}
