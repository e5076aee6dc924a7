//! The vendor's `v0` signature: HMAC-SHA256 over `v0:<X-CIO-Timestamp>:<raw body>`, in hex, in
//! `X-CIO-Signature`.
//!
//! It covers every byte of the body and the time of sending, and nothing else: no path, no other header. See
//! <https://docs.customer.io/api/webhooks/#section/Securely-Verify-Requests>.

mod explanation;
mod key;

use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;
use webhook::time::EventTime;

pub use explanation::{Age, Cause, Explanation, explain};
pub use key::Key;

/// Carries the time of sending: Unix seconds, signed exactly as written.
pub const TIMESTAMP_HEADER: &str = "x-cio-timestamp";

/// Carries the signature.
pub const SIGNATURE_HEADER: &str = "x-cio-signature";

/// How often a header was sent, and what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence<'a> {
    /// Not at all, or empty.
    Missing,
    /// Once.
    Once(&'a [u8]),
    /// More than once, even where all say the same: it is then not known which of them was signed.
    Repeated,
}

impl<'a> Presence<'a> {
    /// From a header's values.
    pub fn of(mut values: impl Iterator<Item = &'a [u8]>) -> Self {
        match (values.next(), values.next()) {
            (_, Some(_)) => Self::Repeated,
            (None | Some(b""), None) => Self::Missing,
            (Some(value), None) => Self::Once(value),
        }
    }
}

/// Bytes whose signature was found right. Nothing else can become a raw record (G4): only [`verify`] makes
/// one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<B> {
    body: B,
    signed_at_ms: Option<i64>,
}

impl<B> Verified<B> {
    /// The signed bytes.
    pub fn body(&self) -> &B {
        &self.body
    }

    /// The signed time in Unix milliseconds; `None` where the header's text is no plausible time.
    pub fn signed_at_ms(&self) -> Option<i64> {
        self.signed_at_ms
    }
}

/// Why a request is answered 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Reason {
    /// No `X-CIO-Timestamp`.
    #[error("the header X-CIO-Timestamp is missing")]
    TimestampMissing,
    /// Two or more of them.
    #[error("the header X-CIO-Timestamp is repeated")]
    TimestampRepeated,
    /// No `X-CIO-Signature`.
    #[error("the header X-CIO-Signature is missing")]
    SignatureMissing,
    /// Two or more of them.
    #[error("the header X-CIO-Signature is repeated")]
    SignatureRepeated,
    /// No 64 hexadecimal digits, with or without `v0=` in front.
    #[error("the signature is not 64 hexadecimal digits")]
    NotHex,
    /// No live key makes this signature of these bytes.
    #[error("the signature does not match")]
    Mismatch,
}

impl Reason {
    /// Every reason, for tables.
    pub const ALL: [Self; 6] = [
        Self::TimestampMissing,
        Self::TimestampRepeated,
        Self::SignatureMissing,
        Self::SignatureRepeated,
        Self::NotHex,
        Self::Mismatch,
    ];

    /// The metric's label.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::TimestampMissing => "timestamp_missing",
            Self::TimestampRepeated => "timestamp_repeated",
            Self::SignatureMissing => "signature_missing",
            Self::SignatureRepeated => "signature_repeated",
            Self::NotHex => "signature_not_hex",
            Self::Mismatch => "signature_mismatch",
        }
    }
}

/// Verifies `body` against any of the live `keys`, in constant time.
///
/// The age of the signature is not judged here: a retry can be seven days old (G5).
///
/// # Errors
/// See [`Reason`].
pub fn verify<B: AsRef<[u8]>>(
    keys: &[Key],
    timestamp: Presence<'_>,
    signature: Presence<'_>,
    body: B,
) -> Result<Verified<B>, Reason> {
    let (timestamp, signature) = read_headers(timestamp, signature)?;
    // Every key is tried, found or not: the time taken must not say which key is live.
    let matches = keys
        .iter()
        .fold(Choice::from(0), |matches, key| matches | key.sign(timestamp, body.as_ref()).ct_eq(&signature));
    if bool::from(matches) {
        Ok(Verified { body, signed_at_ms: signed_at_ms(timestamp) })
    } else {
        Err(Reason::Mismatch)
    }
}

fn read_headers<'a>(
    timestamp: Presence<'a>,
    signature: Presence<'_>,
) -> Result<(&'a [u8], [u8; 32]), Reason> {
    let timestamp = match timestamp {
        Presence::Missing => return Err(Reason::TimestampMissing),
        Presence::Repeated => return Err(Reason::TimestampRepeated),
        Presence::Once(value) => value,
    };
    let signature = match signature {
        Presence::Missing => return Err(Reason::SignatureMissing),
        Presence::Repeated => return Err(Reason::SignatureRepeated),
        Presence::Once(value) => value,
    };
    let digits = signature.strip_prefix(b"v0=").unwrap_or(signature);
    let mut mac = [0; 32];
    hex::decode_to_slice(digits, &mut mac).map_err(|_| Reason::NotHex)?;
    Ok((timestamp, mac))
}

fn signed_at_ms(timestamp: &[u8]) -> Option<i64> {
    EventTime::parse(std::str::from_utf8(timestamp).ok()?).known_ms()
}

#[cfg(test)]
mod tests;
