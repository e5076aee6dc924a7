//! Records to bytes and back: Avro single-object encoding, `C3 01`, the writer schema's CRC-64-AVRO fingerprint in
//! little-endian, the body ([Avro specification](https://avro.apache.org/docs/1.12.0/specification/#single-object-encoding)).
//!
//! These functions are the whole interface, so that another framing is a change of this file alone. Schemas and their
//! fingerprints are apache-avro's; bodies are written and read by the two short modules here, which take a tenth of its
//! time and are held to its bytes, Java's and fastavro's by the tests.

use std::fmt;

use apache_avro::Schema;
use apache_avro::rabin::Rabin;
use serde::Deserialize;
use thiserror::Error;

use crate::record::Record;

mod read;
mod write;

const MARKER: [u8; 2] = [0xc3, 0x01];
const HEADER_BYTES: usize = 10;

/// A record could not be written: its struct holds what its schema can't.
#[derive(Debug, Error)]
#[error("record does not fit its Avro schema: {0}")]
pub struct EncodeError(&'static str);

/// Bytes could not be read as the record that a topic holds.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// The bytes don't begin with `C3 01` and a fingerprint.
    #[error("not in Avro single-object encoding ({length} bytes)")]
    NotFramed {
        /// Length of the value, in bytes.
        length: usize,
    },
    /// Written with a schema that this version doesn't know. Never a dead letter: a newer version wrote it.
    #[error(
        "written with schema {0:016x}, which this version does not know: upgrade this role before its writers"
    )]
    UnknownFingerprint(u64),
    /// The body is not what its schema says.
    #[error("body does not match its schema")]
    Malformed(#[source] Malformed),
}

/// What is wrong with a body. Never what it holds (E2).
#[derive(Debug, Error)]
#[error("it {0}")]
pub struct Malformed(&'static str);

/// A struct that is read from the bytes of the record [`Self::Of`] without copying its texts.
pub trait View<'a>: Deserialize<'a> {
    /// The record that it shows.
    type Of: Record;
}

/// Encodes `record` with its schema's fingerprint in front.
///
/// # Errors
/// Where the struct and its schema disagree, which the golden tests rule out.
pub fn encode<R: Record>(record: &R) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::with_capacity(256);
    encode_into(record, &mut bytes)?;
    Ok(bytes)
}

/// As [`encode`], appended to `out`: for who encodes many and keeps one buffer.
///
/// # Errors
/// As [`encode`]; `out` then ends in the part that was written.
pub fn encode_into<R: Record>(record: &R, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    out.extend_from_slice(&MARKER);
    out.extend_from_slice(&fingerprint::<R>().to_le_bytes());
    write::body(record, out)
}

/// Decodes what [`encode`] wrote, or another implementation of the same encoding. Bytes left over are an error.
///
/// # Errors
/// See [`DecodeError`].
pub fn decode<R: Record>(bytes: &[u8]) -> Result<R, DecodeError> {
    read(fingerprint::<R>(), bytes)
}

/// As [`decode`], without copying texts out of `bytes`.
///
/// # Errors
/// See [`DecodeError`].
pub fn view<'a, V: View<'a>>(bytes: &'a [u8]) -> Result<V, DecodeError> {
    read(fingerprint::<V::Of>(), bytes)
}

fn read<'a, T: Deserialize<'a>>(known: u64, bytes: &'a [u8]) -> Result<T, DecodeError> {
    let unframed = || DecodeError::NotFramed { length: bytes.len() };
    let (header, mut body) = bytes.split_at_checked(HEADER_BYTES).ok_or_else(unframed)?;
    let fingerprint: [u8; 8] = match header {
        [0xc3, 0x01, fingerprint @ ..] => fingerprint.try_into().map_err(|_| unframed())?,
        _ => return Err(unframed()),
    };
    let fingerprint = u64::from_le_bytes(fingerprint);
    if fingerprint != known {
        return Err(DecodeError::UnknownFingerprint(fingerprint));
    }
    let record = read::body(&mut body).map_err(DecodeError::Malformed)?;
    if body.is_empty() { Ok(record) } else { Err(DecodeError::Malformed(Malformed("is followed by more"))) }
}

/// The CRC-64-AVRO fingerprint of `R`'s schema.
#[must_use]
pub fn fingerprint<R: Record>() -> u64 {
    thread_local! {
        // Parsing a schema costs far more than a record, and a thread touches a handful of them. Known by their place in memory.
        static KNOWN: std::cell::RefCell<Vec<(usize, u64)>> = const { std::cell::RefCell::new(Vec::new()) };
    }
    let place = R::SCHEMA.as_ptr().addr();
    KNOWN.with_borrow_mut(|known| match known.iter().find(|(of, _)| *of == place) {
        Some((_, fingerprint)) => *fingerprint,
        None => {
            let fingerprint = canonical_fingerprint(R::SCHEMA);
            known.push((place, fingerprint));
            fingerprint
        }
    })
}

impl serde::ser::Error for EncodeError {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self("its serialisation refused")
    }
}

impl serde::de::Error for Malformed {
    /// serde's own words may quote what was read.
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self("holds what its struct refuses")
    }
}

/// CRC-64-AVRO of the schema's parsing canonical form, which leaves logical types out. apache-avro 0.22 writes
/// `{"type":"long"}` where such a type stood and Java writes `"long"`, so they are taken out first.
fn canonical_fingerprint(json: &str) -> u64 {
    let mut plain: serde_json::Value = serde_json::from_str(json).expect("the committed schemas are JSON");
    without_logical_types(&mut plain);
    let schema = Schema::parse(&plain).expect("a schema without its logical types is a schema");
    let little_endian = schema.fingerprint::<Rabin>().bytes.try_into().expect("CRC-64-AVRO has 8 bytes");
    u64::from_le_bytes(little_endian)
}

fn without_logical_types(schema: &mut serde_json::Value) {
    match schema {
        serde_json::Value::Object(fields) => {
            fields.remove("logicalType");
            fields.values_mut().for_each(without_logical_types);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(without_logical_types),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::{CustomerTraits, DeadLetter, RawRecord};

    #[test]
    fn a_foreign_fingerprint_is_told_from_a_broken_body() {
        let mut bytes = encode(&RawRecord::default()).expect("encodes");
        assert!(decode::<RawRecord>(&bytes).is_ok());
        assert!(matches!(decode::<DeadLetter>(&bytes), Err(DecodeError::UnknownFingerprint(_))));
        bytes.push(0);
        assert!(matches!(decode::<RawRecord>(&bytes), Err(DecodeError::Malformed(_))));
        bytes.truncate(12);
        assert!(matches!(decode::<RawRecord>(&bytes), Err(DecodeError::Malformed(_))));
        assert!(matches!(decode::<RawRecord>(b"{}"), Err(DecodeError::NotFramed { length: 2 })));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(bytes: Vec<u8>, id: [u8; 16], text: String, at: i64, hash: Option<Vec<u8>>) {
            let raw = RawRecord { id: id.to_vec(), event_id: text, bytes, received_at: at, signed_at: Some(at),
                original_sha256: hash, ..RawRecord::default() };
            prop_assert_eq!(decode::<RawRecord>(&encode(&raw).expect("encodes")).expect("decodes"), raw);
        }

        #[test]
        fn traits_survive_with_their_nulls(changed: Vec<String>, flag: Option<bool>, count: Option<i64>) {
            let traits = CustomerTraits { changed, email_bounced: flag, complaint_count: count, ..CustomerTraits::default() };
            prop_assert_eq!(decode::<CustomerTraits>(&encode(&traits).expect("encodes")).expect("decodes"), traits);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let framed = [&encode(&RawRecord::default()).expect("encodes")[..HEADER_BYTES], &bytes].concat();
            let _ = decode::<RawRecord>(&framed);
        }
    }
}
