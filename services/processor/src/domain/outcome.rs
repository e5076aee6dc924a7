//! A raw record's event in the form that everybody else reads.

use std::borrow::Cow;

use schemas::record::{MessageOutcome, RawView};
use schemas::token::{Kind, TokenKey, domain};
use webhook::event::Event;

use super::customer::Fact;
use super::redact;

/// An event as the warehouse keeps it: classified, its addresses replaced by tokens.
#[must_use]
pub fn of<'a>(
    event: &'a Event<'_>,
    raw: &'a RawView<'_>,
    customer_id: &'a str,
    appended_at: i64,
    tokens: &TokenKey,
) -> MessageOutcome<'a> {
    let occurred = event.time.resolve(raw.received_at);
    let bounced = event.metric == "bounced";
    let borrowed = |text: &'a Option<Cow<'_, str>>| text.as_deref().map(Cow::Borrowed);
    let redacted = |text: &'a Option<Cow<'_, str>>| text.as_deref().map(|text| redact::text(text, tokens));
    MessageOutcome {
        event_id: raw.event_id.into(),
        event_type: [&*event.channel, &*event.metric].join("_").into(),
        channel: (&*event.channel).into(),
        metric: (&*event.metric).into(),
        occurred_at: occurred.at_ms,
        time_source: occurred.source.as_str().into(),
        received_at: raw.received_at,
        appended_at,
        customer_id: customer_id.into(),
        recipient_token: recipient_token(event, tokens).map(Cow::Owned),
        recipient_domain: event
            .recipient
            .as_deref()
            .filter(|_| event.channel == "email")
            .and_then(domain)
            .map(Cow::Owned),
        delivery_id: borrowed(&event.delivery_id),
        campaign_id: borrowed(&event.campaign_id),
        action_id: borrowed(&event.action_id),
        broadcast_id: borrowed(&event.broadcast_id),
        newsletter_id: borrowed(&event.newsletter_id),
        transactional_message_id: borrowed(&event.transactional_message_id),
        template_id: borrowed(&event.template_id),
        subject: redacted(&event.subject),
        href: redacted(&event.href),
        link_id: borrowed(&event.link_id),
        failure_message: redacted(&event.failure_message),
        // Without a classifier every bounce counts as hard.
        bounce_class: bounced.then_some(Cow::Borrowed("hard")),
        bounce_blame: bounced.then_some(Cow::Borrowed("recipient")),
        machine: event.machine,
        prefetched: event.prefetched,
        proxied: event.proxied,
        synthetic: event.synthetic,
        source: raw.source.into(),
        metadata: redact::json(&event.rest, tokens).into(),
    }
}

/// What of an outcome can change its customer.
#[must_use]
pub fn fact<'a>(outcome: &'a MessageOutcome<'_>) -> Fact<'a> {
    let said = |flag: Option<bool>| flag == Some(true);
    let machine = match &*outcome.metric {
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
