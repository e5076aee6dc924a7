//! Records to bytes and back.
//!
//! These functions are the whole interface. The framing and the bodies are behind them. apache-avro parses
//! the schemas and makes their fingerprints. The bodies are written and read by two short modules here, in a
//! tenth of apache-avro's time. The tests hold them to the bytes of apache-avro, Java and fastavro.

use std::fmt;

use serde::Deserialize;
use thiserror::Error;

use crate::frame::single_object;
use crate::record::Record;

mod fingerprint;
mod read;
mod resolve;
mod write;

pub use fingerprint::fingerprint;

/// A record could not be written, because its struct does not match its schema.
#[derive(Debug, Error)]
#[error("record does not fit its Avro schema: {0}")]
pub struct EncodeError(&'static str);

/// Bytes could not be read as the record that the topic holds.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// The bytes don't begin with `C3 01` and a fingerprint.
    #[error("not in Avro single-object encoding ({length} bytes)")]
    NotFramed {
        /// Length of the value, in bytes.
        length: usize,
    },
    /// The bytes were written with a schema that is not a committed version of the record's. They are never a
    /// dead letter: a newer version wrote them.
    #[error(
        "written with schema {0:016x}, which this version does not know: upgrade this role before its writers"
    )]
    UnknownFingerprint(u64),
    /// The body is not what its schema says.
    #[error("body does not match its schema")]
    Malformed(#[source] Malformed),
}

/// What is wrong with a body. It never quotes the body (E2).
#[derive(Debug, Error)]
#[error("it {0}")]
pub struct Malformed(&'static str);

/// A struct that is read from the bytes of the record [`Self::Of`] and borrows its texts.
pub trait View<'a>: Deserialize<'a> {
    /// The record.
    type Of: Record;
}

/// Encodes `record`, with its schema's fingerprint in front.
///
/// # Errors
/// Where the struct and its schema disagree. The golden tests rule that out.
pub fn encode<R: Record>(record: &R) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::with_capacity(256);
    encode_into(record, &mut bytes)?;
    Ok(bytes)
}

/// As [`encode`], but appends to `out`, so that a caller who encodes many records needs one buffer.
///
/// # Errors
/// As [`encode`]. `out` then ends in the part that was written.
pub fn encode_into<R: Record>(record: &R, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    single_object::write_header(fingerprint::<R>(), out);
    write::body(record, out)
}

/// Decodes what [`encode`] wrote, in this version or an earlier one, or another implementation of the same
/// encoding. Bytes after the record are an error.
///
/// # Errors
/// See [`DecodeError`].
pub fn decode<R: Record>(bytes: &[u8]) -> Result<R, DecodeError> {
    read::<R, R>(bytes)
}

/// As [`decode`], but the struct borrows its texts from `bytes`.
///
/// # Errors
/// See [`DecodeError`].
pub fn view<'a, V: View<'a>>(bytes: &'a [u8]) -> Result<V, DecodeError> {
    read::<V::Of, V>(bytes)
}

/// Reads a `T` from the bytes of the record `R`, whichever committed version of its schema wrote them.
fn read<'a, R: Record, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    let unframed = || DecodeError::NotFramed { length: bytes.len() };
    let (writer, mut body) = single_object::split(bytes).ok_or_else(unframed)?;
    let record = if writer == fingerprint::<R>() {
        read::body(&mut body)
    } else {
        resolve::with_version::<R, _>(writer, |shape| resolve::body(shape, &mut body))
            .ok_or(DecodeError::UnknownFingerprint(writer))?
    };
    let record = record.map_err(DecodeError::Malformed)?;
    if body.is_empty() { Ok(record) } else { Err(DecodeError::Malformed(Malformed("is followed by more"))) }
}

impl serde::ser::Error for EncodeError {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self("its serialisation refused")
    }
}

impl serde::de::Error for Malformed {
    /// Drops serde's own words, which may quote what was read.
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self("holds what its struct refuses")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::single_object::HEADER_BYTES;
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
