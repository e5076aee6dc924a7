//! Records to bytes and back: Avro single-object encoding, `C3 01`, the writer schema's CRC-64-AVRO fingerprint in
//! little-endian, the body ([Avro specification](https://avro.apache.org/docs/1.12.0/specification/#single-object-encoding)).
//!
//! The two functions are the whole interface, so that another framing is a change of this file alone.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use apache_avro::Schema;
use apache_avro::rabin::Rabin;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;
use thiserror::Error;

use crate::record::Record;

const MARKER: [u8; 2] = [0xc3, 0x01];
const HEADER_BYTES: usize = 10;

/// Largest single allocation that a decoder makes for a length it reads, in bytes: a corrupt length must not become a
/// request for memory.
const ALLOCATION_BYTES_MAX: usize = 64 << 20;

/// A record could not be written.
#[derive(Debug, Error)]
#[error("record does not fit its Avro schema")]
pub struct EncodeError(#[source] Box<apache_avro::Error>);

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
    Malformed(#[source] Option<Box<apache_avro::Error>>),
}

/// Encodes `record` with its schema's fingerprint in front.
///
/// # Errors
/// Where the struct and its schema disagree, which the golden tests rule out.
pub fn encode<R: Record>(record: &R) -> Result<Vec<u8>, EncodeError> {
    let form = form::<R>();
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(&MARKER);
    bytes.extend_from_slice(&form.fingerprint.to_le_bytes());
    form.writer.write_ser(&mut bytes, record).map_err(|err| EncodeError(Box::new(err)))?;
    Ok(bytes)
}

/// Decodes what [`encode`] wrote, or another implementation of the same encoding. Bytes left over are an error.
///
/// # Errors
/// See [`DecodeError`].
pub fn decode<R: Record>(bytes: &[u8]) -> Result<R, DecodeError> {
    let unframed = || DecodeError::NotFramed { length: bytes.len() };
    let (header, mut body) = bytes.split_at_checked(HEADER_BYTES).ok_or_else(unframed)?;
    let fingerprint: [u8; 8] = match header {
        [0xc3, 0x01, fingerprint @ ..] => fingerprint.try_into().map_err(|_| unframed())?,
        _ => return Err(unframed()),
    };
    let fingerprint = u64::from_le_bytes(fingerprint);
    let form = form::<R>();
    if fingerprint != form.fingerprint {
        return Err(DecodeError::UnknownFingerprint(fingerprint));
    }
    let record =
        form.reader.read_deser(&mut body).map_err(|err| DecodeError::Malformed(Some(Box::new(err))))?;
    if body.is_empty() { Ok(record) } else { Err(DecodeError::Malformed(None)) }
}

/// The CRC-64-AVRO fingerprint of `R`'s schema.
#[must_use]
pub fn fingerprint<R: Record>() -> u64 {
    form::<R>().fingerprint
}

/// A schema, made ready once: parsing and resolving it per record would cost more than the record.
struct Form {
    fingerprint: u64,
    writer: GenericDatumWriter<'static>,
    reader: GenericDatumReader<'static>,
}

fn form<R: Record>() -> &'static Form {
    static FORMS: OnceLock<Mutex<HashMap<TypeId, &'static Form>>> = OnceLock::new();
    thread_local! {
        // A thread of a role touches a handful of types: a scan beats a lock.
        static NEAR: std::cell::RefCell<Vec<(TypeId, &'static Form)>> = const { std::cell::RefCell::new(Vec::new()) };
    }
    let id = TypeId::of::<R>();
    let near = NEAR.with_borrow(|near| near.iter().find(|(known, _)| *known == id).map(|(_, form)| *form));
    near.unwrap_or_else(|| {
        let mut forms = FORMS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        let form = *forms.entry(id).or_insert_with(|| Box::leak(Box::new(Form::of(R::SCHEMA))));
        NEAR.with_borrow_mut(|near| near.push((id, form)));
        form
    })
}

impl Form {
    fn of(json: &str) -> Self {
        apache_avro::util::max_allocation_bytes(ALLOCATION_BYTES_MAX);
        let schema: &'static Schema =
            Box::leak(Box::new(Schema::parse_str(json).expect("the committed schemas parse: golden-tested")));
        Self {
            fingerprint: canonical_fingerprint(json),
            writer: GenericDatumWriter::builder(schema)
                .human_readable(false)
                .build()
                .expect("a committed schema names nothing outside itself"),
            reader: GenericDatumReader::builder(schema)
                .human_readable(false)
                .build()
                .expect("a committed schema names nothing outside itself"),
        }
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
        assert!(matches!(decode::<RawRecord>(&bytes), Err(DecodeError::Malformed(None))));
        bytes.truncate(12);
        assert!(matches!(decode::<RawRecord>(&bytes), Err(DecodeError::Malformed(Some(_)))));
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
