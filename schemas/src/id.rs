//! What makes two records the same event.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// Longest event id that counts as one, in bytes; a longer one is treated as absent.
pub const EVENT_ID_BYTES_MAX: usize = 256;

/// Begins an event id that the gateway made because the sender gave none.
pub const MADE_UP_PREFIX: &str = "x1.";

/// The first 16 bytes of SHA-256 over length-prefixed parts (each a 32-bit big-endian length, then the
/// bytes). By the birthday bound, two of a thousand million different events collide with a chance of 10⁻²¹.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DedupeId(pub [u8; 16]);

impl DedupeId {
    /// The id over `parts`.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            hash.update(length.to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Self(id)
    }

    /// This event as seen by one customer. P1 counts distinct pairs of customer and event: two customers
    /// whose sender uses one id for both must not hide each other when they share a partition.
    #[must_use]
    pub fn of_customer(self, customer_key: &[u8]) -> Self {
        Self::of(&[b"cust", &self.0, customer_key])
    }

    /// The id as 32 hexadecimal digits: how an outcome carries its identity.
    #[must_use]
    pub fn to_hex(self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
        self.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
    }

    /// The identity of an outcome that was published without it, before version 2 of its schema. It is made
    /// from what the record does say, and it is the one that the same outcome has today.
    #[must_use]
    pub fn of_published(customer_key: &str, source: &str, event_id: &str) -> Self {
        let made_up = || {
            let digits = event_id.strip_prefix(MADE_UP_PREFIX)?;
            <[u8; 16]>::try_from(URL_SAFE_NO_PAD.decode(digits).ok()?).ok().map(Self)
        };
        let of_sender = || EventId::of(source, Some(event_id), b"").dedupe;
        made_up().unwrap_or_else(of_sender).of_customer(customer_key.as_bytes())
    }
}

impl fmt::Debug for DedupeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// An event's identity: the 16 bytes that are compared, and the text that people see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventId {
    /// What the processor compares.
    pub dedupe: DedupeId,
    /// The sender's id, or one made from the event's bytes where it gave none.
    pub text: String,
}

impl EventId {
    /// Identifies a webhook's event from `source`.
    ///
    /// A ULID or UUID is unique by itself; any other id only within its source. Both are read without regard
    /// to case and kept in one spelling: a ULID in upper case, a UUID in lower case. An event without an id
    /// is known by its own `bytes`, so that a resent copy of it is still a duplicate.
    #[must_use]
    pub fn of(source: &str, event_id: Option<&str>, bytes: &[u8]) -> Self {
        match event_id.filter(|id| !id.is_empty() && id.len() <= EVENT_ID_BYTES_MAX) {
            Some(id) => {
                let unique = if is_ulid(id) {
                    Some(id.to_ascii_uppercase())
                } else {
                    is_uuid(id).then(|| id.to_ascii_lowercase())
                };
                match unique {
                    Some(text) => Self { dedupe: DedupeId::of(&[b"ev", text.as_bytes()]), text },
                    None => {
                        let dedupe = DedupeId::of(&[b"ev", source.as_bytes(), id.as_bytes()]);
                        Self { dedupe, text: id.to_owned() }
                    }
                }
            }
            None => {
                let dedupe = DedupeId::of(&[b"by", bytes]);
                let text = format!("{MADE_UP_PREFIX}{}", URL_SAFE_NO_PAD.encode(dedupe.0));
                Self { dedupe, text }
            }
        }
    }
}

/// SHA-256 of `bytes`, as it stands beside bytes that were cut or changed.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

/// 26 characters of Crockford's base 32, at most 128 bits. See <https://github.com/ulid/spec>.
fn is_ulid(text: &str) -> bool {
    let crockford = |byte: u8| byte.is_ascii_alphanumeric() && !b"ILOUilou".contains(&byte);
    text.len() == 26 && text.as_bytes()[0] <= b'7' && text.bytes().all(crockford)
}

/// RFC 9562's hyphenated form.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ulid_is_the_same_event_from_any_source() {
        let id = Some("01E4C4CT6YDC7Y5M7FE1GWWPQJ");
        assert_eq!(EventId::of("a", id, b"{}"), EventId::of("b", id, b"{ }"));
    }

    #[test]
    fn a_ulid_and_a_uuid_are_the_same_event_in_either_case() {
        for (id, kept) in [
            ("01e4c4ct6ydc7y5m7fe1gwwpqj", "01E4C4CT6YDC7Y5M7FE1GWWPQJ"),
            ("01E4c4CT6ydc7Y5M7FE1GWWPQJ", "01E4C4CT6YDC7Y5M7FE1GWWPQJ"),
            ("F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
        ] {
            let read = EventId::of("a", Some(id), b"");
            assert_eq!((read.text.as_str(), &read), (kept, &EventId::of("b", Some(kept), b"{}")), "{id}");
        }
        assert_ne!(EventId::of("a", Some("Order-7"), b""), EventId::of("a", Some("order-7"), b""));
    }

    #[test]
    fn any_other_id_is_unique_only_within_its_source() {
        assert_ne!(EventId::of("a", Some("7"), b"").dedupe, EventId::of("b", Some("7"), b"").dedupe);
    }

    #[test]
    fn an_event_without_an_id_is_known_by_its_bytes() {
        let made_up = EventId::of("a", None, b"{\"metric\":\"sent\"}");
        assert_eq!(made_up, EventId::of("a", Some(""), b"{\"metric\":\"sent\"}"));
        assert!(made_up.text.starts_with("x1.") && made_up.text.len() == 25, "{}", made_up.text);
        assert_ne!(made_up.dedupe, EventId::of("a", None, b"{\"metric\":\"sent\" }").dedupe);
    }

    /// Rows that were stored before outcomes had an identity must meet their own later copies.
    #[test]
    fn an_earlier_outcome_has_the_identity_of_today() {
        for given in [Some("01E4C4CT6YDC7Y5M7FE1GWWPQJ"), Some("7"), None] {
            let id = EventId::of("shop", given, b"{\"metric\":\"sent\"}");
            let today = id.dedupe.of_customer(b"u-1");
            assert_eq!(DedupeId::of_published("u-1", "shop", &id.text), today, "{given:?}");
            assert_ne!(DedupeId::of_published("u-2", "shop", &id.text), today, "{given:?}");
        }
    }

    #[test]
    fn an_identity_is_written_as_32_digits() {
        let id = DedupeId([0, 1, 0x9a, 0xff, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xf0]);
        assert_eq!(id.to_hex(), "00019aff0405060708090a0b0c0d0ef0");
    }

    #[test]
    fn parts_cannot_run_into_each_other() {
        assert_ne!(DedupeId::of(&[b"ab", b"c"]), DedupeId::of(&[b"a", b"bc"]));
    }

    #[test]
    fn a_too_large_ulid_is_an_ordinary_id() {
        assert!(is_ulid("7ZZZZZZZZZZZZZZZZZZZZZZZZZ") && !is_ulid("8ZZZZZZZZZZZZZZZZZZZZZZZZZ"));
        assert!(
            is_uuid("00000000-0000-0000-0000-00000000000f")
                && !is_uuid("00000000-0000-0000-0000-00000000000g")
        );
    }
}
