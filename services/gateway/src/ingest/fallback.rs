//! One event on its way to Kafka, and the smaller forms that it falls back to where Kafka refuses it for good
//! (G7).
//!
//! The order of the forms: whole in raw, without its message bodies in raw, whole in the dead letters, cut in
//! the dead letters. The last form always fits.

use bytes::Bytes;
use kafka::PublishError;
use schemas::codec::{self, EncodeError};
use schemas::dead_letter::{self, Draft, Extent, HEAD_BYTES};
use schemas::id::{DedupeId, sha256};
use schemas::key::CustomerKey;
use schemas::record::RawRecord;
use schemas::topic::Topic;
use schemas::vocabulary::{dead_letter_reason, kind, scheme, stage};

/// The form in which an event is written. Each form is smaller than the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// To raw: the event's exact bytes.
    Raw,
    /// To raw: the event without its message bodies, flagged.
    Stripped(Vec<u8>),
    /// To the dead letters: the event's exact bytes.
    DeadLetter(DeadLetterReason),
    /// To the dead letters: the event's first [`HEAD_BYTES`], its length and its hash.
    DeadLetterHead(DeadLetterReason),
}

/// Why an event is a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DeadLetterReason {
    /// The body as a whole can't be understood.
    Unreadable(webhook::body::Unreadable),
    /// The event can't be understood: its code, as the webhook crate gives it.
    NotUnderstood(&'static str),
    /// The event was signed too long ago (G5).
    Stale,
    /// The topic can't hold the event, not even without its message bodies.
    TooLarge,
    /// The broker refuses the event for good: Kafka's name of the error.
    Rejected(&'static str),
}

impl DeadLetterReason {
    /// The dead letter's `reason`, and the metric's label.
    pub(super) fn code(self) -> &'static str {
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

/// What the request says of each of its events.
#[derive(Debug, Clone)]
pub(super) struct Receipt {
    pub(super) source: String,
    pub(super) signed_at_ms: Option<i64>,
    pub(super) received_at_ms: i64,
    pub(super) verified_at_ms: i64,
}

/// One event, and the form in which it is to be written.
#[derive(Debug, Clone)]
pub(super) struct Outbound {
    pub(super) form: Form,
    /// The exact slice of the body.
    pub(super) bytes: Bytes,
    /// `None` only where the bytes are not an event.
    pub(super) identity: Option<Identity>,
    pub(super) traceparent: Option<String>,
}

/// Which event it is, and whose.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) dedupe: DedupeId,
    pub(super) event_id: String,
    pub(super) key: CustomerKey,
}

impl Outbound {
    pub(super) fn topic(&self) -> Topic {
        match self.form {
            Form::Raw | Form::Stripped(_) => Topic::Raw,
            Form::DeadLetter(_) | Form::DeadLetterHead(_) => Topic::DeadLetter,
        }
    }

    /// The Kafka record's key. Without a key, the client chooses a partition at random.
    pub(super) fn key(&self) -> Option<&[u8]> {
        match self.form {
            Form::Raw | Form::Stripped(_) => self.customer_key(),
            Form::DeadLetter(_) | Form::DeadLetterHead(_) => {
                dead_letter::key(self.customer_key(), self.event_id())
            }
        }
    }

    pub(super) fn event_id(&self) -> Option<&str> {
        self.identity.as_ref().map(|identity| identity.event_id.as_str())
    }

    fn customer_key(&self) -> Option<&[u8]> {
        self.identity.as_ref().map(|identity| identity.key.as_bytes())
    }

    /// The Kafka record's value.
    pub(super) fn value(&self, receipt: &Receipt) -> Result<Vec<u8>, EncodeError> {
        match &self.form {
            Form::Raw => codec::encode(&self.raw_record(receipt, &self.bytes, false)),
            Form::Stripped(bytes) => codec::encode(&self.raw_record(receipt, bytes, true)),
            Form::DeadLetter(reason) => self.dead_letter(receipt, *reason, Extent::Whole),
            Form::DeadLetterHead(reason) => self.dead_letter(receipt, *reason, Extent::Head),
        }
    }

    /// Falls back to the next form, because Kafka refused this one with an error that trying again can't
    /// mend. Returns false where there is no smaller form.
    pub(super) fn fall_back(&mut self, error: &PublishError) -> bool {
        let reason = match error {
            PublishError::Rejected { code } => DeadLetterReason::Rejected(code),
            _ => DeadLetterReason::TooLarge,
        };
        let can_be_cut = self.bytes.len() > HEAD_BYTES;
        let dead_letter = if can_be_cut { Form::DeadLetterHead } else { Form::DeadLetter };
        self.form = match &self.form {
            Form::Raw if reason == DeadLetterReason::TooLarge => {
                webhook::content::strip(&self.bytes).map_or(dead_letter(reason), Form::Stripped)
            }
            Form::Raw | Form::Stripped(_) => dead_letter(reason),
            Form::DeadLetter(first_reason) if can_be_cut => Form::DeadLetterHead(*first_reason),
            Form::DeadLetter(_) | Form::DeadLetterHead(_) => return false,
        };
        true
    }

    fn raw_record(&self, receipt: &Receipt, bytes: &[u8], stripped: bool) -> RawRecord {
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

    fn dead_letter(
        &self,
        receipt: &Receipt,
        reason: DeadLetterReason,
        extent: Extent,
    ) -> Result<Vec<u8>, EncodeError> {
        let detail = reason.detail();
        let draft = Draft {
            stage: stage::GATEWAY,
            reason: reason.code(),
            detail: Some(&detail),
            event_id: self.event_id(),
            origin: None,
            source: Some(&receipt.source),
            kept_at_ms: receipt.verified_at_ms,
            customer_key: self.customer_key(),
            bytes: &self.bytes,
            extent,
        };
        draft.value()
    }
}
