//! One event on its way to Kafka, and the ladder it goes down where Kafka won't take it (G7).

use bytes::Bytes;
use kafka::PublishError;
use schemas::codec::{self, EncodeError};
use schemas::dead_letter::{self, Draft, Extent, HEAD_BYTES};
use schemas::id::{DedupeId, sha256};
use schemas::key::CustomerKey;
use schemas::record::RawRecord;
use schemas::topic::Topic;
use schemas::vocabulary::{dead_letter_reason, kind, scheme, stage};

/// What one event is kept as. Each form is smaller than the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Form {
    /// Its exact bytes, in raw.
    Raw,
    /// Without its message bodies, flagged, in raw.
    Stripped(Vec<u8>),
    /// Its exact bytes, in the dead letters.
    Dead(DeadReason),
    /// Its first [`HEAD_BYTES`], length and hash, in the dead letters.
    DeadHead(DeadReason),
}

/// Why an event is in the dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeadReason {
    /// The body as a whole can't be understood.
    Unreadable(webhook::body::Unreadable),
    /// The event can't be understood: its code, as the webhook crate gives it.
    NotUnderstood(&'static str),
    /// Signed too long ago (G5).
    Stale,
    /// The topic can't hold it, not even without its message bodies.
    TooLarge,
    /// The broker refuses it for good: Kafka's name of the error.
    Rejected(&'static str),
}

impl DeadReason {
    /// `DeadLetter.reason`, and the metric's label.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Unreadable(why) => why.code(),
            Self::NotUnderstood(code) => code,
            Self::Stale => dead_letter_reason::STALE,
            Self::TooLarge => dead_letter_reason::TOO_LARGE,
            Self::Rejected(_) => dead_letter_reason::REJECTED,
        }
    }

    fn detail(self) -> String {
        match self {
            Self::Unreadable(why) => why.to_string(),
            Self::NotUnderstood(_) => "an event is a JSON object with a non-empty metric".to_owned(),
            Self::Stale => {
                "signed longer ago than gateway.stale_after: a captured request, or a very late retry"
                    .to_owned()
            }
            Self::TooLarge => "larger than gateway.message_max, without its message bodies too".to_owned(),
            Self::Rejected(code) => format!("kafka refuses the record for good: {code}"),
        }
    }
}

/// What a request says of each of its events.
#[derive(Debug, Clone)]
pub(crate) struct Receipt {
    pub(crate) source: String,
    pub(crate) signed_at_ms: Option<i64>,
    pub(crate) received_at_ms: i64,
    pub(crate) verified_at_ms: i64,
}

/// One event: everything that is known of it, and the form in which it is to be kept.
#[derive(Debug, Clone)]
pub(crate) struct Outbound {
    pub(crate) form: Form,
    /// The exact slice of the body.
    pub(crate) bytes: Bytes,
    /// `None` only where there is no event to speak of.
    pub(crate) identity: Option<Identity>,
    pub(crate) traceparent: Option<String>,
}

/// Whose event it is, and which.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) dedupe: DedupeId,
    pub(crate) event_id: String,
    pub(crate) key: CustomerKey,
}

impl Outbound {
    pub(crate) fn topic(&self) -> Topic {
        match self.form {
            Form::Raw | Form::Stripped(_) => Topic::Raw,
            Form::Dead(_) | Form::DeadHead(_) => Topic::DeadLetter,
        }
    }

    /// The record's key. Where it has none, the client chooses a partition at random.
    pub(crate) fn key(&self) -> Option<&[u8]> {
        let customer_key = self.identity.as_ref().map(|identity| identity.key.as_bytes());
        match self.topic() {
            Topic::DeadLetter => dead_letter::key(customer_key, self.event_id()),
            _ => customer_key,
        }
    }

    pub(crate) fn event_id(&self) -> Option<&str> {
        self.identity.as_ref().map(|identity| identity.event_id.as_str())
    }

    /// The record's value.
    pub(crate) fn value(&self, receipt: &Receipt) -> Result<Vec<u8>, EncodeError> {
        match &self.form {
            Form::Raw => codec::encode(&self.raw(receipt, &self.bytes, false)),
            Form::Stripped(bytes) => codec::encode(&self.raw(receipt, bytes, true)),
            Form::Dead(reason) => self.dead(receipt, *reason, Extent::Whole),
            Form::DeadHead(reason) => self.dead(receipt, *reason, Extent::Head),
        }
    }

    /// Goes one rung down, for an error that trying again can't mend; false where there is none left.
    pub(crate) fn demote(&mut self, error: &PublishError) -> bool {
        let reason = match error {
            PublishError::Rejected { code } => DeadReason::Rejected(code),
            _ => DeadReason::TooLarge,
        };
        let whole = if self.bytes.len() > HEAD_BYTES { Form::DeadHead(reason) } else { Form::Dead(reason) };
        self.form = match &self.form {
            Form::Raw if reason == DeadReason::TooLarge => {
                webhook::content::strip(&self.bytes).map_or(whole, Form::Stripped)
            }
            Form::Raw | Form::Stripped(_) => whole,
            Form::Dead(reason) if self.bytes.len() > HEAD_BYTES => Form::DeadHead(*reason),
            Form::Dead(_) | Form::DeadHead(_) => return false,
        };
        true
    }

    fn raw(&self, receipt: &Receipt, bytes: &[u8], stripped: bool) -> RawRecord {
        let (id, event_id) = self.identity.as_ref().map_or_else(Default::default, |identity| {
            (identity.dedupe.0.to_vec(), identity.event_id.clone())
        });
        RawRecord {
            kind: kind::WEBHOOK.to_owned(),
            id,
            event_id,
            source: receipt.source.clone(),
            verified_by: scheme::V0.to_owned(),
            signed_at: receipt.signed_at_ms,
            verified_at: receipt.verified_at_ms,
            received_at: receipt.received_at_ms,
            bytes: bytes.to_vec(),
            stripped,
            original_sha256: stripped.then(|| sha256(&self.bytes)),
        }
    }

    fn dead(&self, receipt: &Receipt, reason: DeadReason, extent: Extent) -> Result<Vec<u8>, EncodeError> {
        let detail = reason.detail();
        let draft = Draft {
            stage: stage::GATEWAY,
            reason: reason.code(),
            detail: Some(&detail),
            event_id: self.event_id(),
            origin: None,
            source: Some(&receipt.source),
            kept_at_ms: receipt.verified_at_ms,
            customer_key: self.identity.as_ref().map(|identity| identity.key.as_bytes()),
            bytes: &self.bytes,
            extent,
        };
        draft.value()
    }
}
