use serde::{Deserialize, Serialize};

use super::Record;

/// One outcome of one message, normalised; each event once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MessageOutcome {
    /// The event's id; unique.
    pub event_id: String,
    /// object type and metric, such as email_bounced.
    pub event_type: String,
    /// email, sms, push, in_app, whatsapp, slack, webhook, customer or another.
    pub channel: String,
    /// sent, delivered, opened, clicked, bounced, spammed, unsubscribed or another.
    pub metric: String,
    /// When it happened, by the sender's clock; received_at where time_source says so. Unix milliseconds.
    pub occurred_at: i64,
    /// event, or received where the event's own time was missing or absurd.
    pub time_source: String,
    /// When the gateway received it. Unix milliseconds.
    pub received_at: i64,
    /// When the raw topic took it: the broker's clock. Unix milliseconds.
    pub appended_at: i64,
    /// The customer key.
    pub customer_id: String,
    /// The recipient's keyed token, never the address.
    pub recipient_token: Option<String>,
    /// The recipient's e-mail domain.
    pub recipient_domain: Option<String>,
    /// The message instance.
    pub delivery_id: Option<String>,
    /// Campaign.
    pub campaign_id: Option<String>,
    /// Workflow action.
    pub action_id: Option<String>,
    /// API-triggered broadcast.
    pub broadcast_id: Option<String>,
    /// Newsletter.
    pub newsletter_id: Option<String>,
    /// Transactional message.
    pub transactional_message_id: Option<String>,
    /// Template or content variant.
    pub template_id: Option<String>,
    /// Subject, addresses in it replaced by their tokens.
    pub subject: Option<String>,
    /// Clicked link, addresses in it replaced by their tokens.
    pub href: Option<String>,
    /// Clicked link's id.
    pub link_id: Option<String>,
    /// Provider's reply, addresses in it replaced by their tokens.
    pub failure_message: Option<String>,
    /// Class of a bounce; null where the event is none.
    pub bounce_class: Option<String>,
    /// Whose fault a bounce is: recipient, domain, infrastructure, sender or content.
    pub bounce_blame: Option<String>,
    /// The click was made by a machine; null where not said.
    pub machine: Option<bool>,
    /// The open was a prefetch; null where not said.
    pub prefetched: Option<bool>,
    /// The open came through a proxy; null where not said.
    pub proxied: Option<bool>,
    /// The open was inferred from a click; null where not said.
    pub synthetic: Option<bool>,
    /// The source that it came from.
    pub source: String,
    /// All other fields as one JSON object; message bodies left out, addresses replaced by their tokens.
    pub metadata: String,
}

impl Record for MessageOutcome {
    const SCHEMA: &'static str = include_str!("../../avro/message_outcome.avsc");
}
