//! Addresses as tokens: what other teams may join on without ever seeing an address (E2).

mod mailbox;

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
    /// Part of a link that may be a secret, verbatim: a value in its query, or a webhook's path.
    Link,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Device => "device",
            Self::Link => "link",
        }
    }

    fn normalise(self, address: &str) -> Cow<'_, str> {
        match self {
            Self::Email => normalise_email(address),
            Self::Phone => Cow::Owned(normalise_phone(address)),
            Self::Device | Self::Link => Cow::Borrowed(address),
        }
    }
}

/// The key under which addresses become tokens. Never rotated in place: a new key makes every address a
/// stranger.
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

    /// Whether a text has the form of one of this key's tokens.
    #[must_use]
    pub fn is_token(&self, text: &str) -> bool {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        text.strip_prefix(self.prefix).is_some_and(|rest| rest.len() == 22 && rest.bytes().all(is_part))
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

/// The e-mail addresses of a recipient field, in order: `Name <a@b>` holds one, a list several. A field
/// without an address is given back whole.
#[must_use]
pub fn addresses(recipient: &str) -> Vec<&str> {
    mailbox::all(recipient)
}

/// The first e-mail address of a recipient field, as [`addresses`] reads it.
#[must_use]
pub fn first_address(recipient: &str) -> &str {
    mailbox::first(recipient)
}

/// The domain of a recipient's first e-mail address, lower-case and in punycode; `None` where there is none.
#[must_use]
pub fn domain(address: &str) -> Option<String> {
    let normal = normalise_email(address);
    let (_, domain) = normal.rsplit_once('@')?;
    (!domain.is_empty()).then(|| domain.to_owned())
}

fn normalise_email(recipient: &str) -> Cow<'_, str> {
    let address = mailbox::first(recipient);
    if !is_plain(address) {
        return Cow::Owned(normalise_any_email(address));
    }
    let is_lower = !address.bytes().any(|byte| byte.is_ascii_uppercase());
    if is_lower { Cow::Borrowed(address) } else { Cow::Owned(address.to_ascii_lowercase()) }
}

/// Whether only its case can need a change: ASCII is its own NFC, and punycode of itself but for labels that
/// already are punycode, which IDNA checks. Nearly every address; the other way costs ten times as much.
fn is_plain(address: &str) -> bool {
    let is_punycode = |label: &str| label.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("xn--"));
    address.is_ascii()
        && !address.starts_with('"')
        && !address.ends_with('.')
        && !address.rsplit('@').next().is_some_and(|domain| domain.split('.').any(is_punycode))
}

fn normalise_any_email(address: &str) -> String {
    let ascii_at = address.replace(mailbox::is_at, "@");
    let lower = mailbox::unquoted(&ascii_at).nfc().collect::<String>().to_lowercase();
    // The dot of the root may end a domain.
    match lower.trim_end_matches('.').rsplit_once('@') {
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
            prop_assert_eq!(normalise_email(&address), normalise_any_email(mailbox::first(&address)));
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
    fn a_name_a_list_and_needless_quotes_share_the_first_address_s_token() {
        let key = TokenKey::development();
        let token = key.token(Kind::Email, "ada@x.io");
        for spelling in [
            "Ada Person <Ada@X.io>",
            "ada@x.io, bo@y.io",
            "\"ada\"@x.io",
            "ada＠x.io",
            "ada@x.io.",
            "mailto:ada@x.io",
        ] {
            assert_eq!(key.token(Kind::Email, spelling), token, "{spelling}");
            assert_eq!(domain(spelling).as_deref(), Some("x.io"), "{spelling}");
        }
        assert_ne!(key.token(Kind::Email, "\"a da\"@x.io"), key.token(Kind::Email, "a da@x.io"));
        assert_eq!(addresses("Ada <ada@x.io>; bo@y.io"), ["ada@x.io", "bo@y.io"]);
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
        let key = TokenKey::new(&[7; 32]).expect("long enough");
        assert!(
            key.is_token(&token) && !key.is_token(&token[1..]) && !TokenKey::development().is_token(&token)
        );
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
