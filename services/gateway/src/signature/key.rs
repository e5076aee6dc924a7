use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A webhook's signing key: the text that the vendor's page shows, used as it stands. It looks like hex;
/// decoding it gives another signature.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl Key {
    /// A key of these bytes. HMAC takes a key of any length.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes a key of any length"))
    }

    /// The `v0` signature of a body sent at `timestamp`.
    #[must_use]
    pub fn sign(&self, timestamp: &[u8], body: &[u8]) -> [u8; 32] {
        self.mac(&[b"v0:", timestamp, b":", body])
    }

    /// HMAC-SHA256 of the parts, run together.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key([redacted])")
    }
}
