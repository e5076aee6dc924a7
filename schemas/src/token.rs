//! Addresses as tokens: what other teams may join on without ever seeing an address (E2).

use std::borrow::Cow;
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

    fn normalise(self, address: &str) -> Cow<'_, str> {
        match self {
            Self::Email => normalise_email(address),
            Self::Phone => Cow::Owned(normalise_phone(address)),
            Self::Device => Cow::Borrowed(address),
        }
    }
}

/// The key under which addresses become tokens. Never rotated in place: a new key makes every address a stranger.
#[derive(Clone)]
pub struct TokenKey {
    secret: Vec<u8>,
    prefix: &'static str,
    /// HMAC with the secret already taken in: half of what a token costs.
    keyed: Hmac<Sha256>,
}

impl TokenKey {
    /// Fewest bytes of secret accepted.
    pub const BYTES_MIN: usize = 16;

    /// A key from an operator's secret; `None` where it is shorter than [`Self::BYTES_MIN`].
    #[must_use]
    pub fn new(secret: &[u8]) -> Option<Self> {
        (secret.len() >= Self::BYTES_MIN).then(|| Self::of(secret, "t1."))
    }

    /// The fixed key for development. Its tokens begin with `t0.`, so that none is ever taken for a real one.
    #[must_use]
    pub fn development() -> Self {
        Self::of(b"aftersend-development-only", "t0.")
    }

    fn of(secret: &[u8], prefix: &'static str) -> Self {
        let keyed = Hmac::new_from_slice(secret).expect("HMAC takes a key of any length");
        Self { secret: secret.to_vec(), prefix, keyed }
    }

    /// The token of `address`: a prefix and 22 characters of base64url.
    #[must_use]
    pub fn token(&self, kind: Kind, address: &str) -> String {
        let mut mac = self.keyed.clone();
        mac.update(kind.name().as_bytes());
        mac.update(&[0]);
        mac.update(kind.normalise(address).as_bytes());
        let digest = mac.finalize().into_bytes();
        let mut token = String::with_capacity(self.prefix.len() + 22);
        token.push_str(self.prefix);
        URL_SAFE_NO_PAD.encode_string(&digest[..16], &mut token);
        token
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

fn normalise_email(address: &str) -> Cow<'_, str> {
    let trimmed = address.trim();
    if !is_plain(trimmed) {
        return Cow::Owned(normalise_any_email(trimmed));
    }
    let is_lower = !trimmed.bytes().any(|byte| byte.is_ascii_uppercase());
    if is_lower { Cow::Borrowed(trimmed) } else { Cow::Owned(trimmed.to_ascii_lowercase()) }
}

/// Whether only its case can need a change: ASCII is its own NFC, and punycode of itself but for labels that already are
/// punycode, which IDNA checks. Nearly every address; the other way costs ten times as much.
fn is_plain(address: &str) -> bool {
    let is_punycode = |label: &str| label.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("xn--"));
    address.is_ascii() && !address.rsplit('@').next().is_some_and(|domain| domain.split('.').any(is_punycode))
}

fn normalise_any_email(trimmed: &str) -> String {
    let lower = trimmed.nfc().collect::<String>().to_lowercase();
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
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Tokens never change: the short way for plain addresses must say what the long one says.
        #[test]
        fn a_plain_address_is_normalised_as_any_other(
            address in prop_oneof![
                "[\\x00-\\x7f]{0,8}@?[\\x00-\\x7f]{0,16}", "[ -~]{0,8}@[ -~]{0,80}", "[A-Za-z.]{1,6}@([Xx][Nn]--)?[A-Za-z0-9.-]{1,12}",
                "\\PC{0,6}@\\PC{0,12}", "[a-z]@[a-z]{1,3}\\.(xn--[a-z0-9-]{0,8}|XN--BCHER-KVA)\\.[a-z]{2}",
            ]
        ) {
            prop_assert_eq!(normalise_email(&address), normalise_any_email(address.trim()));
        }
    }

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
