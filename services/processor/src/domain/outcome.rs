//! A raw record's event in the form that everybody else reads.

use std::borrow::Cow;

use schemas::record::{MessageOutcome, RawView};
use schemas::token::{Kind, TokenKey, domain};
use webhook::event::Event;

use super::customer::Fact;
use super::redact;

/// An event as the warehouse keeps it: classified, its addresses replaced by tokens.
#[must_use]
pub fn of(
    event: &Event<'_>,
    raw: &RawView<'_>,
    customer_id: &str,
    appended_at: i64,
    tokens: &TokenKey,
) -> MessageOutcome {
    let occurred = event.time.resolve(raw.received_at);
    let bounced = event.metric == "bounced";
    let owned = |text: &Option<Cow<'_, str>>| text.as_deref().map(str::to_owned);
    let redacted =
        |text: &Option<Cow<'_, str>>| text.as_deref().map(|text| redact::text(text, tokens).into_owned());
    MessageOutcome {
        event_id: raw.event_id.to_owned(),
        event_type: [&*event.channel, &*event.metric].join("_"),
        channel: event.channel.to_string(),
        metric: event.metric.to_string(),
        occurred_at: occurred.at_ms,
        time_source: occurred.source.as_str().to_owned(),
        received_at: raw.received_at,
        appended_at,
        customer_id: customer_id.to_owned(),
        recipient_token: recipient_token(event, tokens),
        recipient_domain: event.recipient.as_deref().filter(|_| event.channel == "email").and_then(domain),
        delivery_id: owned(&event.delivery_id),
        campaign_id: owned(&event.campaign_id),
        action_id: owned(&event.action_id),
        broadcast_id: owned(&event.broadcast_id),
        newsletter_id: owned(&event.newsletter_id),
        transactional_message_id: owned(&event.transactional_message_id),
        template_id: owned(&event.template_id),
        subject: redacted(&event.subject),
        href: redacted(&event.href),
        link_id: owned(&event.link_id),
        failure_message: redacted(&event.failure_message),
        // Without a classifier every bounce counts as hard.
        bounce_class: bounced.then(|| "hard".to_owned()),
        bounce_blame: bounced.then(|| "recipient".to_owned()),
        machine: event.machine,
        prefetched: event.prefetched,
        proxied: event.proxied,
        synthetic: event.synthetic,
        source: raw.source.to_owned(),
        metadata: redact::json(&event.rest, tokens),
    }
}

/// What of an outcome can change its customer.
#[must_use]
pub fn fact(outcome: &MessageOutcome) -> Fact<'_> {
    let said = |flag: Option<bool>| flag == Some(true);
    let machine = match outcome.metric.as_str() {
        "opened" => said(outcome.prefetched) || said(outcome.proxied) || said(outcome.synthetic),
        _ => said(outcome.machine),
    };
    Fact {
        channel: &outcome.channel,
        metric: &outcome.metric,
        at_ms: outcome.occurred_at,
        event_id: &outcome.event_id,
        delivery_id: outcome.delivery_id.as_deref(),
        token: outcome.recipient_token.as_deref(),
        machine,
    }
}

fn recipient_token(event: &Event<'_>, tokens: &TokenKey) -> Option<String> {
    let device = || event.devices.first().map(|device| tokens.token(Kind::Device, &device.device_id));
    let kind = match event.channel.as_ref() {
        "sms" | "whatsapp" => Kind::Phone,
        "push" => Kind::Device,
        _ => Kind::Email,
    };
    let address =
        event.recipient.as_deref().or(event.email_address.as_deref().filter(|_| kind == Kind::Email));
    // Of Slack channels and webhook URLs only what is an address needs a token; the rest is nobody's.
    let address = address.filter(|address| kind != Kind::Email || address.contains('@'));
    address.map(|address| tokens.token(kind, address)).or_else(device)
}
