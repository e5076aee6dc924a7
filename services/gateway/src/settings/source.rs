//! The gateway's endpoints, each with its signing keys.

use settings::{Fault, Reader, Secret};

use crate::signature::Key;

settings::declare! {
    /// The endpoints' keys as they are written.
    pub(super) struct Keys in "gateway" {
        /// Signing keys of the default endpoint, as the vendor's page shows them. Several while they are
        /// rotated, comma-separated.
        signing_keys: Option<Vec<Secret>> {
            env: "CUSTOMERIO_WEBHOOK_SIGNING_KEY",
            aliases: &["CUSTOMERIO_WEBHOOK_SECRET", "WEBHOOK_SECRET"],
        },
        /// Further endpoints with their own keys, `name=key`, comma-separated. An endpoint with two keys is
        /// listed twice. Each endpoint is `/v1/webhooks/customerio/<name>/reporting`.
        source_keys: Option<Vec<Secret>>,
    }
}

/// Name of the source behind the path that names none, and behind the aliases.
pub const DEFAULT_SOURCE: &str = "reporting";

/// One endpoint: its name and its live keys.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its place in the path, and `RawRecord.source`.
    pub name: String,
    /// Any of them makes a right signature: two while rotating.
    pub keys: Vec<Key>,
}

/// The default source's keys as they are written, for `verify-signature`, which has to notice a wrapped one.
pub fn signing_keys(reader: &mut Reader) -> Option<Vec<Secret>> {
    reader.read(Keys::signing_keys)
}

/// The default source first. None means that a fault was recorded.
pub(super) fn read(reader: &mut Reader) -> Option<Vec<Source>> {
    let keys = Keys::read(reader)?;
    let (own, others) = (keys.signing_keys.unwrap_or_default(), keys.source_keys.unwrap_or_default());
    let keys = own.iter().map(|key| Key::new(key.expose().as_bytes())).collect();
    let mut sources = vec![Source { name: DEFAULT_SOURCE.to_owned(), keys }];
    for (index, entry) in others.iter().enumerate() {
        let parts = entry.expose().split_once('=').filter(|(name, key)| is_name(name) && !key.is_empty());
        let Some((name, key)) = parts else {
            reader.require(false, || shape_fault(index + 1));
            return None;
        };
        add(&mut sources, name, Key::new(key.as_bytes()));
    }
    let any = sources.iter().any(|source| !source.keys.is_empty());
    reader.require(any, || {
        Fault::new(
            Keys::signing_keys,
            "nothing",
            "at least one key",
            "copy it from the webhook's page in the vendor's workspace",
        )
    });

    any.then_some(sources)
}

fn add(sources: &mut Vec<Source>, name: &str, key: Key) {
    match sources.iter_mut().find(|source| source.name == name) {
        Some(source) => source.keys.push(key),
        None => sources.push(Source { name: name.to_owned(), keys: vec![key] }),
    }
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    !name.is_empty() && name.len() <= 64 && name.bytes().all(plain)
}

fn shape_fault(number: usize) -> Fault {
    let got = format!("entry {number} of another shape");
    Fault::new(Keys::source_keys, got, "name=key, the name of a-z, 0-9, - and _", "correct that entry")
}
