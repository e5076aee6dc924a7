//! The fingerprint of a record's schema, computed once per thread.

use std::cell::RefCell;

use apache_avro::Schema;
use apache_avro::rabin::Rabin;

use crate::record::Record;

/// The CRC-64-AVRO fingerprint of `R`'s schema.
#[must_use]
pub fn fingerprint<R: Record>() -> u64 {
    thread_local! {
        // To parse a schema costs far more than to read a record, and a thread uses only a handful of
        // schemas. A schema is recognised by its address in memory.
        static KNOWN: RefCell<Vec<(usize, u64)>> = const { RefCell::new(Vec::new()) };
    }
    let address = R::SCHEMA.as_ptr().addr();
    KNOWN.with_borrow_mut(|known| match known.iter().find(|(of, _)| *of == address) {
        Some((_, fingerprint)) => *fingerprint,
        None => {
            let fingerprint = of_schema(R::SCHEMA);
            known.push((address, fingerprint));
            fingerprint
        }
    })
}

/// CRC-64-AVRO of the schema's parsing canonical form, which has no logical types. apache-avro 0.22 writes
/// `{"type":"long"}` where a logical type stood, and Java writes `"long"`. So logical types are taken out
/// first.
pub(super) fn of_schema(json: &str) -> u64 {
    let mut plain: serde_json::Value = serde_json::from_str(json).expect("the committed schemas are JSON");
    remove_logical_types(&mut plain);
    let schema = Schema::parse(&plain).expect("a schema without its logical types is a schema");
    let little_endian = schema.fingerprint::<Rabin>().bytes.try_into().expect("CRC-64-AVRO has 8 bytes");
    u64::from_le_bytes(little_endian)
}

fn remove_logical_types(schema: &mut serde_json::Value) {
    match schema {
        serde_json::Value::Object(fields) => {
            fields.remove("logicalType");
            fields.values_mut().for_each(remove_logical_types);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(remove_logical_types),
        _ => {}
    }
}
