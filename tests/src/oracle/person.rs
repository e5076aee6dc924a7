//! Whose event it is, and what an address becomes.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use super::event::text;

/// The key of development, and what its tokens begin with.
const TOKEN_KEY: &[u8] = b"aftersend-development-only";
const TOKEN_PREFIX: &str = "t0.";

/// A customer key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Customer {
    pub(super) key: String,
    /// Whether it stands for somebody, and not for a delivery or an event of nobody.
    pub(super) is_person: bool,
}

/// The key of an event with that `data`; `recipient` is its e-mail recipient.
pub(super) fn customer(data: &Value, recipient: Option<&str>, event_id: &str) -> Customer {
    let identifiers = &data["identifiers"];
    let id = named(&identifiers["id"]).map(|id| escaped(&id));
    // The vendor's paths put `cio_` before its id. It is the same person's.
    let cio_id = named(&identifiers["cio_id"])
        .map(|id| format!("~cio:{}", id.trim().strip_prefix("cio_").unwrap_or(id.trim())));
    let address = text(&identifiers["email"])
        .or_else(|| text(&data["email_address"]))
        .or_else(|| recipient.map(str::to_owned));
    let by_address = address.map(|address| format!("~eml:{}", token(&address)));
    let customer_id = named(&data["customer_id"]).map(|id| escaped(&id));
    // Without the object, the deprecated field is the workspace's own id; beside it, it may be an internal
    // one.
    let person = if identifiers.is_object() {
        id.or(cio_id).or(by_address).or(customer_id)
    } else {
        customer_id.or(by_address)
    };
    let delivery = || text(&data["delivery_id"]).map(|id| format!("~dlv:{id}"));
    match person {
        Some(key) => Customer { key, is_person: true },
        None => Customer { key: delivery().unwrap_or_else(|| format!("~evt:{event_id}")), is_person: false },
    }
}

/// An id, unless it is blank. Blanks around it are part of it.
fn named(value: &Value) -> Option<String> {
    text(value).filter(|id| !id.trim().is_empty())
}

/// An id that begins with the mark of keys that are none carries one more.
pub(super) fn escaped(id: &str) -> String {
    if id.starts_with('~') { format!("~{id}") } else { id.to_owned() }
}

/// An e-mail address's token. The simulated vendor's addresses are ASCII, so that lower case is all there is
/// to normalise.
pub(super) fn token(address: &str) -> String {
    let is_bare = address.contains('@') && !address.contains(['<', '>', ',', ';', '"']);
    assert!(address.is_ascii() && is_bare, "the oracle knows bare ASCII addresses only");
    let mut mac = Hmac::<Sha256>::new_from_slice(TOKEN_KEY).expect("HMAC takes any key");
    mac.update(b"email\0");
    mac.update(address.trim().to_ascii_lowercase().as_bytes());
    let digest = mac.finalize().into_bytes();
    format!("{TOKEN_PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(&digest[..16]))
}
