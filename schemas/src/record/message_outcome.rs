use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Record;
use crate::id::DedupeId;

/// One outcome of one message, normalised. Each `outcome_id` has one record. A writer borrows the texts of
/// the event that the record comes from; a reader owns them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MessageOutcome<'a> {
    /// The event's id, as its sender gave it. Two customers or two sources may have the same one.
    pub event_id: Cow<'a, str>,
    /// Object type and metric, such as `email_bounced`.
    pub event_type: Cow<'a, str>,
    /// A word of [`channel`](crate::vocabulary::channel), or another.
    pub channel: Cow<'a, str>,
    /// A word of [`metric`](crate::vocabulary::metric), or another.
    pub metric: Cow<'a, str>,
    /// When it happened, by the sender's clock, or `received_at` where `time_source` says so. Unix
    /// milliseconds.
    pub occurred_at: i64,
    /// A word of [`time_source`](crate::vocabulary::time_source).
    pub time_source: Cow<'a, str>,
    /// When the gateway received it. Unix milliseconds.
    pub received_at: i64,
    /// When the raw topic took it: the broker's clock. Unix milliseconds.
    pub appended_at: i64,
    /// The customer key.
    pub customer_id: Cow<'a, str>,
    /// The recipient's keyed token, never the address.
    pub recipient_token: Option<Cow<'a, str>>,
    /// The recipient's e-mail domain.
    pub recipient_domain: Option<Cow<'a, str>>,
    /// The message instance.
    pub delivery_id: Option<Cow<'a, str>>,
    /// Campaign.
    pub campaign_id: Option<Cow<'a, str>>,
    /// Workflow action.
    pub action_id: Option<Cow<'a, str>>,
    /// API-triggered broadcast.
    pub broadcast_id: Option<Cow<'a, str>>,
    /// Newsletter.
    pub newsletter_id: Option<Cow<'a, str>>,
    /// Transactional message.
    pub transactional_message_id: Option<Cow<'a, str>>,
    /// Template or content variant.
    pub template_id: Option<Cow<'a, str>>,
    /// Subject, with tokens in place of addresses.
    pub subject: Option<Cow<'a, str>>,
    /// Clicked link, with tokens in place of addresses.
    pub href: Option<Cow<'a, str>>,
    /// Clicked link's id.
    pub link_id: Option<Cow<'a, str>>,
    /// Provider's reply, with tokens in place of addresses.
    pub failure_message: Option<Cow<'a, str>>,
    /// Class of a bounce; null for any other event.
    pub bounce_class: Option<Cow<'a, str>>,
    /// Whose fault a bounce is: a word of [`blame`](crate::vocabulary::blame).
    pub bounce_blame: Option<Cow<'a, str>>,
    /// The click was made by a machine; null where not said.
    pub machine: Option<bool>,
    /// The open was a prefetch; null where not said.
    pub prefetched: Option<bool>,
    /// The open came through a proxy; null where not said.
    pub proxied: Option<bool>,
    /// The open was inferred from a click; null where not said.
    pub synthetic: Option<bool>,
    /// The source that it came from.
    pub source: Cow<'a, str>,
    /// All other fields as one JSON object, without message bodies, and with tokens in place of addresses.
    pub metadata: Cow<'a, str>,
    /// The identity of this outcome, made from the customer key and the event's id: 32 hexadecimal digits
    /// ([`DedupeId::to_hex`](crate::id::DedupeId::to_hex)). Empty in records of version 1.
    pub outcome_id: Cow<'a, str>,
    /// The provider's own code for a failure, such as `5.1.1` or `21610`; null where it gave none.
    pub bounce_reason: Option<Cow<'a, str>>,
    /// How sure the classifier is of `bounce_class`: a word of [`confidence`](crate::vocabulary::confidence).
    /// Null where it read nothing.
    pub bounce_confidence: Option<Cow<'a, str>>,
    /// The classifier's rule that gave `bounce_class`; null where it read nothing.
    pub bounce_rule: Option<Cow<'a, str>>,
    /// The version of the classifier that gave `bounce_class`; empty where it read nothing.
    pub classifier: Cow<'a, str>,
}

impl MessageOutcome<'_> {
    /// The outcome with its identity, which it lacks where version 1 of the schema wrote it.
    #[must_use]
    pub fn identified(mut self) -> Self {
        if self.outcome_id.is_empty() {
            let id = DedupeId::of_published(&self.customer_id, &self.source, &self.event_id);
            self.outcome_id = id.to_hex().into();
        }
        self
    }
}

impl Record for MessageOutcome<'_> {
    const SCHEMA: &'static str = include_str!("../../avro/message_outcome.avsc");
    const VERSIONS: &'static [&'static str] = &[
        include_str!("../../avro/history/message_outcome/1.avsc"),
        include_str!("../../avro/history/message_outcome/2.avsc"),
    ];
}
