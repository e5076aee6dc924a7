//! Why a signature fails: the known mistakes, tried one by one. For a person at a command line, not for
//! requests.

mod rewritten;

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use thiserror::Error;

use super::{Key, Presence, Reason, read_headers, signed_at_ms};

/// What became of an attempt to verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Explanation {
    /// It is right.
    Valid {
        /// Which of the keys, from 0.
        key: usize,
        /// The signed time in Unix milliseconds, where it is one.
        signed_at_ms: Option<i64>,
        /// Whether it was signed longer ago than the gateway lets take effect (G5): answered 200, kept as a
        /// dead letter.
        is_stale: bool,
    },
    /// It would be answered 401.
    Refused {
        /// What the gateway counts.
        reason: Reason,
        /// The mistake behind it, where one of the known ones makes exactly this signature.
        cause: Option<Cause>,
    },
}

/// When a signature is looked at, and from which age on the gateway lets it take no effect.
#[derive(Debug, Clone, Copy)]
pub struct Age {
    /// Now, in Unix milliseconds.
    pub now_ms: i64,
    /// `gateway.stale_after`, in milliseconds.
    pub stale_after_ms: i64,
}

/// A mistake that was proved: with it, one of the keys makes exactly the signature that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Cause {
    /// The key was hex-decoded before use.
    #[error("the sender hex-decodes the key: it must be used as the text it is")]
    KeyDecoded,
    /// The key given here has whitespace or quotes around it.
    #[error("the key given here has whitespace or quotes around it: remove them")]
    KeyWrapped,
    /// The body alone was signed.
    #[error("the sender signs the body alone: it must sign v0:<timestamp>:<body>")]
    BodyAlone,
    /// The version or the colons were left out.
    #[error(
        "the sender signs another form than v0:<timestamp>:<body>, with the version or the colons left out or changed"
    )]
    OtherForm,
    /// An empty body was signed.
    #[error("the sender signs an empty body: it signs before the body is written, or a proxy added one")]
    BodyEmpty,
    /// The time was signed in another unit.
    #[error("the signed timestamp is in another unit than the header's: sign the header's own text")]
    TimestampUnit,
    /// The body here ends in a newline that was not signed.
    #[error(
        "the body given here has gained a trailing newline: use its raw bytes (curl --data-binary, printf not echo)"
    )]
    NewlineGained,
    /// The body here lacks the newline that was signed.
    #[error("the body given here has lost its trailing newline: use its raw bytes")]
    NewlineLost,
    /// Line ends were changed.
    #[error("the body's line ends were changed between LF and CRLF on the way: use its raw bytes")]
    LineEnds,
    /// The body here is compressed, and what is inside was signed.
    #[error(
        "the body given here is compressed (gzip or deflate), and what is inside it was signed: a proxy compressed it, or the \
         body was saved before it was decoded. Verify the bytes that the sender signed"
    )]
    Compressed,
    /// The JSON was parsed and written again.
    #[error(
        "the body was parsed and written again on one side: sign and verify its raw bytes, never a re-serialised copy"
    )]
    Reserialised,
    /// Right, but in base64.
    #[error("the signature is right, but in base64: send it in hex")]
    Base64,
    /// Right, but with something in front.
    #[error("the signature is right, but has a prefix that is not v0=: send the hex digits alone")]
    OtherPrefix,
}

/// Says whether a signature is right, and if not, why.
///
/// `keys` are the keys' texts; `timestamp` and `signature` the headers' values, `None` where missing.
#[must_use]
pub fn explain(
    keys: &[&str],
    timestamp: Option<&str>,
    signature: Option<&str>,
    body: &[u8],
    age: Age,
) -> Explanation {
    let (sent_at, sent) = (timestamp.unwrap_or_default().as_bytes(), signature.unwrap_or_default());
    let header = |text: Option<&'_ str>| text.is_some_and(|text| !text.is_empty());
    let presence = |sent: bool, value| if sent { Presence::Once(value) } else { Presence::Missing };
    let headers =
        read_headers(presence(header(timestamp), sent_at), presence(header(signature), sent.as_bytes()));
    let (reason, cause) = match headers {
        Ok((_, mac)) => {
            let right = keys.iter().position(|key| Key::new(key.as_bytes()).sign(sent_at, body) == mac);
            if let Some(key) = right {
                let signed_at_ms = signed_at_ms(sent_at);
                let stale_before = age.now_ms.saturating_sub(age.stale_after_ms);
                let is_stale = signed_at_ms.is_some_and(|at| at < stale_before);
                return Explanation::Valid { key, signed_at_ms, is_stale };
            }
            (Reason::Mismatch, keys.iter().find_map(|key| mistake(key, sent_at, body, &mac)))
        }
        Err(Reason::NotHex) => {
            (Reason::NotHex, keys.iter().find_map(|key| disguise(key, sent_at, body, sent)))
        }
        Err(Reason::TimestampMissing) => {
            let bare = keys.iter().any(|key| hex::encode(Key::new(key.as_bytes()).mac(&[body])) == sent);
            (Reason::TimestampMissing, bare.then_some(Cause::BodyAlone))
        }
        Err(reason) => (reason, None),
    };
    Explanation::Refused { reason, cause }
}

/// The mistake with which `key` makes exactly `mac`.
fn mistake(key: &str, timestamp: &[u8], body: &[u8], mac: &[u8; 32]) -> Option<Cause> {
    let own = Key::new(key.as_bytes());
    let forms: [(Cause, &[&[u8]]); 6] = [
        (Cause::BodyAlone, &[body]),
        (Cause::OtherForm, &[timestamp, b":", body]),
        (Cause::OtherForm, &[timestamp, b".", body]),
        (Cause::OtherForm, &[timestamp, body]),
        (Cause::OtherForm, &[b"v0", timestamp, body]),
        (Cause::OtherForm, &[b"v0.", timestamp, b".", body]),
    ];
    let by_form = forms.into_iter().find(|(_, parts)| own.mac(parts) == *mac);
    let by_key = || other_keys(key).into_iter().find(|(_, key)| key.sign(timestamp, body) == *mac);
    let by_time = || other_times(timestamp).into_iter().any(|time| own.sign(time.as_bytes(), body) == *mac);
    let by_body = || other_bodies(body).find(|(_, body)| own.sign(timestamp, body) == *mac);
    by_form
        .map(|(cause, _)| cause)
        .or_else(|| by_key().map(|(cause, _)| cause))
        .or_else(|| by_time().then_some(Cause::TimestampUnit))
        .or_else(|| by_body().map(|(cause, _)| cause))
}

fn other_keys(key: &str) -> Vec<(Cause, Key)> {
    let bare = key.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'');
    let decoded = hex::decode(bare).ok().map(|bytes| (Cause::KeyDecoded, Key::new(&bytes)));
    let unwrapped = (bare != key).then(|| (Cause::KeyWrapped, Key::new(bare.as_bytes())));
    decoded.into_iter().chain(unwrapped).collect()
}

fn other_times(timestamp: &[u8]) -> Vec<String> {
    let number = std::str::from_utf8(timestamp).ok().and_then(|text| text.trim().parse::<i64>().ok());
    number.map_or_else(Vec::new, |number| {
        vec![number.to_string(), number.saturating_mul(1_000).to_string(), (number / 1_000).to_string()]
    })
}

fn other_bodies(body: &[u8]) -> impl Iterator<Item = (Cause, Vec<u8>)> {
    let with = |end: &[u8]| [body, end].concat();
    let mut bodies = vec![
        (Cause::BodyEmpty, Vec::new()),
        (Cause::NewlineLost, with(b"\n")),
        (Cause::NewlineLost, with(b"\r\n")),
    ];
    for end in [&b"\n"[..], b"\r\n"] {
        bodies.extend(body.strip_suffix(end).map(|body| (Cause::NewlineGained, body.to_vec())));
    }
    let text = std::str::from_utf8(body).ok();
    if let Some(text) = text {
        let unix = text.replace("\r\n", "\n");
        bodies.push((Cause::LineEnds, unix.replace('\n', "\r\n").into_bytes()));
        bodies.push((Cause::LineEnds, unix.into_bytes()));
    }
    bodies.extend(decompressed(body).map(|inner| (Cause::Compressed, inner)));
    let rewritten = text.into_iter().flat_map(rewritten::forms);
    bodies.into_iter().chain(rewritten.map(|form| (Cause::Reserialised, form)))
}

/// What a compressed body holds, up to the gateway's hard cap of a body. Told by its first bytes.
fn decompressed(body: &[u8]) -> Option<Vec<u8>> {
    const INNER_BYTES_MAX: u64 = 16 << 20;
    let mut inner = Vec::new();
    let read = match body {
        [0x1f, 0x8b, ..] => MultiGzDecoder::new(body).take(INNER_BYTES_MAX).read_to_end(&mut inner),
        [0x78, ..] => ZlibDecoder::new(body).take(INNER_BYTES_MAX).read_to_end(&mut inner),
        _ => return None,
    };
    read.ok().map(|_| inner)
}

/// How a right signature was written wrongly.
fn disguise(key: &str, timestamp: &[u8], body: &[u8], sent: &str) -> Option<Cause> {
    let mac = Key::new(key.as_bytes()).sign(timestamp, body);
    let base64 = sent.trim_end_matches('=').replace('-', "+").replace('_', "/");
    if base64 == STANDARD_NO_PAD.encode(mac) {
        return Some(Cause::Base64);
    }
    sent.to_ascii_lowercase().ends_with(&hex::encode(mac)).then_some(Cause::OtherPrefix)
}
