//! How the vendor signs a webhook.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The `X-CIO-Signature` of a request: lower-case hexadecimal HMAC-SHA256 over `v0:<timestamp>:<body>`.
///
/// The key is the text that the vendor's settings page shows, not decoded; the timestamp is the text of
/// `X-CIO-Timestamp`, Unix seconds.
///
/// Source: the vendor's webhook specification and `lib/webhooks.ts` of its Node library.
#[must_use]
pub fn sign(key: &str, timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of every length");
    for part in [b"v0:", timestamp.as_bytes(), b":", body] {
        mac.update(part);
    }
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::sign;

    #[test]
    fn the_vendors_own_vector() {
        let body = br#"{"event_id":"abc","object_type":"email","metric":"delivered"}"#;
        assert_eq!(
            sign("signing-secret", "1614265384", body),
            "6f55cf23f9b73a2ff07733fe04421f64ce9ec5e409696edda6b2a80311944230"
        );
    }

    #[test]
    fn every_byte_of_the_body_counts() {
        let sign = |body: &[u8]| sign("test-signing-key", "1767225600", body);
        assert_eq!(sign(b""), "1707141382472bcdf1e438a12dc92ce04b9095eb5d9f87bb9098ddddee30e2da");
        assert_eq!(sign(b"{\"a\":1}\n"), "8a056f68203e55d397b8d4f2e15e29d84dda5336c0ee7007fe5c175aa5ec0661");
    }
}
