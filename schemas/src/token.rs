//! Addresses as tokens: what other teams may join on without ever seeing an address (E2).

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

/// What kind of address a token stands for; part of what is hashed, so that kinds never collide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An e-mail address.
    Email,
    /// A telephone number in E.164.
    Phone,
    /// A push device's token, verbatim.
    Device,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Device => "device",
        }
    }

    fn normalise(self, address: &str) -> String {
        match self {
            Self::Email => normalise_email(address),
            Self::Phone => normalise_phone(address),
            Self::Device => address.to_owned(),
        }
    }
}

/// The key under which addresses become tokens. Never rotated in place: a new key makes every address a stranger.
#[derive(Clone)]
pub struct TokenKey {
    secret: Vec<u8>,
    prefix: &'static str,
}

impl TokenKey {
    /// Fewest bytes of secret accepted.
    pub const BYTES_MIN: usize = 16;

    /// A key from an operator's secret; `None` where it is shorter than [`Self::BYTES_MIN`].
    #[must_use]
    pub fn new(secret: &[u8]) -> Option<Self> {
        (secret.len() >= Self::BYTES_MIN).then(|| Self { secret: secret.to_vec(), prefix: "t1." })
    }

    /// The fixed key for development. Its tokens begin with `t0.`, so that none is ever taken for a real one.
    #[must_use]
    pub fn development() -> Self {
        Self { secret: b"aftersend-development-only".to_vec(), prefix: "t0." }
    }

    /// The token of `address`: a prefix and 22 characters of base64url.
    #[must_use]
    pub fn token(&self, kind: Kind, address: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes a key of any length");
        mac.update(kind.name().as_bytes());
        mac.update(&[0]);
        mac.update(kind.normalise(address).as_bytes());
        let digest = mac.finalize().into_bytes();
        format!("{}{}", self.prefix, URL_SAFE_NO_PAD.encode(&digest[..16]))
    }

    /// A fingerprint of the key, safe to store and compare: 8 bytes of a hash of the hash, as hex.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(Sha256::digest([self.prefix.as_bytes(), &self.secret].concat()));
        digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKey([redacted], {})", self.fingerprint())
    }
}

/// The domain of an e-mail address, lower-case and in punycode; `None` where there is none.
#[must_use]
pub fn domain(address: &str) -> Option<String> {
    let normal = normalise_email(address);
    let (_, domain) = normal.rsplit_once('@')?;
    (!domain.is_empty()).then(|| domain.to_owned())
}

fn normalise_email(address: &str) -> String {
    let lower = address.trim().nfc().collect::<String>().to_lowercase();
    match lower.rsplit_once('@') {
        // A domain that IDNA refuses is kept as it is: a token must exist for every address seen.
        Some((local, domain)) => {
            let domain = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_owned());
            format!("{local}@{domain}")
        }
        None => lower,
    }
}

fn normalise_phone(address: &str) -> String {
    let digits: String = address.chars().filter(char::is_ascii_digit).collect();
    let trimmed = address.trim();
    match digits.strip_prefix("00") {
        Some(rest) if !trimmed.starts_with('+') => format!("+{rest}"),
        _ => format!("+{digits}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_share_a_token() {
        let key = TokenKey::development();
        let token = key.token(Kind::Email, "ada@bücher.example");
        assert_eq!(token, key.token(Kind::Email, " ADA@xn--bcher-kva.example\n"));
        assert_eq!(token, key.token(Kind::Email, "ada@bu\u{308}cher.example"));
        assert_eq!(key.token(Kind::Phone, "+1 (555) 123-4567"), key.token(Kind::Phone, "0015551234567"));
        assert_ne!(key.token(Kind::Device, "AbC"), key.token(Kind::Device, "abc"));
    }

    #[test]
    fn kinds_and_keys_never_share_a_token() {
        let (one, other) = (TokenKey::new(&[1; 16]), TokenKey::new(&[2; 16]));
        let (one, other) = (one.expect("long enough"), other.expect("long enough"));
        assert_ne!(one.token(Kind::Email, "+1"), one.token(Kind::Phone, "+1"));
        assert_ne!(one.token(Kind::Email, "a@b"), other.token(Kind::Email, "a@b"));
        assert_ne!(one.fingerprint(), other.fingerprint());
    }

    #[test]
    fn a_token_has_its_prefix_and_22_characters() {
        assert!(TokenKey::development().token(Kind::Email, "a@b").starts_with("t0."));
        let token = TokenKey::new(&[7; 32]).expect("long enough").token(Kind::Email, "a@b");
        assert!(token.starts_with("t1.") && token.len() == 25, "{token}");
        assert!(TokenKey::new(b"short").is_none());
    }

    #[test]
    fn a_key_never_shows_itself() {
        let shown = format!("{:?}", TokenKey::new(b"a-very-secret-secret").expect("long enough"));
        assert!(!shown.contains("secret-secret"), "{shown}");
    }

    #[test]
    fn a_domain_is_lower_case_and_ascii() {
        assert_eq!(domain("Ada@BÜCHER.example").as_deref(), Some("xn--bcher-kva.example"));
        assert_eq!(domain("nobody"), None);
        assert_eq!(domain("nobody@"), None);
    }
}
