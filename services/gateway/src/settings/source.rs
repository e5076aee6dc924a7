use settings::{Fault, Reader, Secret};

use super::field::{SIGNING_KEYS, SOURCE_KEYS};
use crate::signature::Key;

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
    reader.read(&SIGNING_KEYS)
}

/// The default source first. None means that a fault was recorded.
pub(super) fn read(reader: &mut Reader) -> Option<Vec<Source>> {
    let own: Option<Option<Vec<Secret>>> = reader.optional(&SIGNING_KEYS);
    let others: Option<Option<Vec<Secret>>> = reader.optional(&SOURCE_KEYS);
    let (own, others) = (own?.unwrap_or_default(), others?.unwrap_or_default());
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
            &SIGNING_KEYS,
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
    Fault::new(&SOURCE_KEYS, got, "name=key, the name of a-z, 0-9, - and _", "correct that entry")
}
