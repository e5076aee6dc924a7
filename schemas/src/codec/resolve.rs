//! Reads a body that an earlier version of the schema wrote, as Avro's schema resolution asks: fields are
//! found by name, a field that the writer did not know has its default, and a field that the reader does not
//! know is skipped.
//!
//! Every struct has `#[serde(default)]`, and the golden tests compare those defaults with the schema's.

use std::cell::RefCell;

use serde::de::value::StrDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;

use super::Malformed;
use super::fingerprint::of_schema;
use super::read::Body;
use crate::record::Record;

/// A writer's schema, as far as reading needs it. Our schemas have no other types.
#[derive(Debug)]
pub(super) enum Shape {
    Boolean,
    Long,
    String,
    Bytes,
    Optional(Box<Shape>),
    Array(Box<Shape>),
    Record(Vec<(String, Shape)>),
}

/// Calls `read` with the shape of the version of `R`'s schema that has this `fingerprint`; `None` where no
/// version has it.
pub(super) fn with_version<R: Record, T>(fingerprint: u64, read: impl FnOnce(&Shape) -> T) -> Option<T> {
    thread_local! {
        // Old records come in long runs, and to parse a schema costs far more than to read a record.
        static KNOWN: RefCell<Vec<Version>> = const { RefCell::new(Vec::new()) };
    }
    let record = R::SCHEMA.as_ptr().addr();
    KNOWN.with_borrow_mut(|known| {
        let is_it = |version: &Version| version.record == record && version.fingerprint == fingerprint;
        let at = known.iter().position(is_it).or_else(|| {
            let schema = R::VERSIONS.iter().find(|schema| of_schema(schema) == fingerprint)?;
            known.push(Version { record, fingerprint, shape: Shape::parse(schema) });
            Some(known.len() - 1)
        })?;
        Some(read(&known[at].shape))
    })
}

/// A version of a record's schema. The record is recognised by its current schema's address in memory.
struct Version {
    record: usize,
    fingerprint: u64,
    shape: Shape,
}

/// Reads a record from the front of `body`, which has this `shape`, and leaves the rest there.
pub(super) fn body<'de, R: Deserialize<'de>>(shape: &Shape, body: &mut &'de [u8]) -> Result<R, Malformed> {
    R::deserialize(Resolved { body: &mut Body(body), shape })
}

impl Shape {
    /// Reads a committed schema. The tests parse every one of them.
    pub(super) fn parse(schema: &str) -> Self {
        Self::of(&serde_json::from_str(schema).expect("the committed schemas are JSON"))
    }

    fn of(schema: &Value) -> Self {
        let inner = |name: &str| Box::new(Self::of(&schema[name]));
        match schema {
            Value::Array(branches) => Self::Optional(Box::new(Self::of(&branches[1]))),
            Value::Object(node) if !node["type"].is_string() => Self::of(&node["type"]),
            _ => match schema.as_str().or(schema["type"].as_str()) {
                Some("boolean") => Self::Boolean,
                Some("long") => Self::Long,
                Some("string") => Self::String,
                Some("bytes") => Self::Bytes,
                Some("array") => Self::Array(inner("items")),
                Some("record") => {
                    let fields = schema["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
                    let name = |field: &Value| field["name"].as_str().unwrap_or_default().to_owned();
                    Self::Record(fields.iter().map(|field| (name(field), Self::of(&field["type"]))).collect())
                }
                other => unreachable!("{other:?} is in no committed schema"),
            },
        }
    }

    /// Reads a value of this shape and throws it away.
    fn skip(&self, body: &mut Body<'_, '_>) -> Result<(), Malformed> {
        match self {
            Self::Boolean => body.boolean().map(drop),
            Self::Long => body.long().map(drop),
            Self::String | Self::Bytes => body.bytes().map(drop),
            Self::Optional(inner) => {
                if body.is_some()? {
                    inner.skip(body)
                } else {
                    Ok(())
                }
            }
            Self::Record(fields) => fields.iter().try_for_each(|(_, shape)| shape.skip(body)),
            Self::Array(item) => loop {
                match body.block()? {
                    0 => return Ok(()),
                    count => (0..count).try_for_each(|_| item.skip(body))?,
                }
            },
        }
    }
}

/// A value of a body, with the shape in which it was written.
struct Resolved<'s, 'b, 'a, 'de> {
    body: &'b mut Body<'a, 'de>,
    shape: &'s Shape,
}

impl<'de> Deserializer<'de> for Resolved<'_, '_, '_, 'de> {
    type Error = Malformed;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.shape {
            Shape::Boolean => visitor.visit_bool(self.body.boolean()?),
            Shape::Long => visitor.visit_i64(self.body.long()?),
            Shape::String => visitor.visit_borrowed_str(self.body.text()?),
            Shape::Bytes => visitor.visit_borrowed_bytes(self.body.bytes()?),
            Shape::Optional(_) => self.deserialize_option(visitor),
            Shape::Array(item) => visitor.visit_seq(Items { body: self.body, item, block: 0, ended: false }),
            Shape::Record(fields) => visitor.visit_map(Fields { body: self.body, fields, shape: None }),
        }
    }

    /// A field that may be null now and could not be null then has a value.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.shape {
            Shape::Optional(shape) if self.body.is_some()? => {
                visitor.visit_some(Resolved { body: self.body, shape })
            }
            Shape::Optional(_) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.shape.skip(self.body)?;
        visitor.visit_unit()
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier
    }
}

/// A record's fields by name, in the writer's order.
struct Fields<'s, 'b, 'a, 'de> {
    body: &'b mut Body<'a, 'de>,
    fields: &'s [(String, Shape)],
    /// Of the field whose name was given last.
    shape: Option<&'s Shape>,
}

impl<'de> MapAccess<'de> for Fields<'_, '_, '_, 'de> {
    type Error = Malformed;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Malformed> {
        let Some(((name, shape), rest)) = self.fields.split_first() else { return Ok(None) };
        (self.fields, self.shape) = (rest, Some(shape));
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Malformed> {
        let shape = self.shape.take().ok_or(Malformed("is read out of order"))?;
        seed.deserialize(Resolved { body: self.body, shape })
    }
}

/// An array's items, block by block.
struct Items<'s, 'b, 'a, 'de> {
    body: &'b mut Body<'a, 'de>,
    item: &'s Shape,
    block: u64,
    ended: bool,
}

impl<'de> SeqAccess<'de> for Items<'_, '_, '_, 'de> {
    type Error = Malformed;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Malformed> {
        if self.block == 0 && !self.ended {
            self.block = self.body.block()?;
            self.ended = self.block == 0;
        }
        if self.ended {
            return Ok(None);
        }
        self.block -= 1;
        seed.deserialize(Resolved { body: self.body, shape: self.item }).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::super::write;
    use super::*;
    use crate::record::{CustomerTraits, RawRecord, RawView, Suppression, SuppressionEntry};

    /// What an earlier version wrote: a field that is gone since, others in another order, one that could not
    /// be null.
    #[derive(Default, Serialize)]
    struct Old {
        text: String,
        gone: Vec<Gone>,
        flag: bool,
        gone_too: Option<String>,
        number: i64,
    }

    #[derive(Default, Serialize)]
    struct Gone {
        name: String,
        at: Option<i64>,
    }

    const OLD: &str = r#"{"type": "record", "name": "R", "fields": [
        {"name": "text", "type": "string"},
        {"name": "gone", "type": {"type": "array", "items": {"type": "record", "name": "Gone", "fields": [
            {"name": "name", "type": "string"},
            {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]}]}}},
        {"name": "flag", "type": "boolean"},
        {"name": "gone_too", "type": ["null", "string"]},
        {"name": "number", "type": "long"}]}"#;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct New<'a> {
        number: i64,
        flag: Option<bool>,
        added: Option<i64>,
        text: &'a str,
    }

    fn resolved<'de, R: Deserialize<'de>>(schema: &str, bytes: &'de [u8]) -> Result<R, Malformed> {
        let mut rest = bytes;
        let record = body(&Shape::parse(schema), &mut rest)?;
        assert!(rest.is_empty(), "every byte is read");
        Ok(record)
    }

    fn written(record: &impl Serialize) -> Vec<u8> {
        let mut bytes = Vec::new();
        write::body(record, &mut bytes).expect("encodes");
        bytes
    }

    #[test]
    fn an_earlier_versions_fields_are_found_by_name() {
        let gone = || Gone { name: "x".to_owned(), at: Some(1) };
        for gone in [vec![], vec![gone()], vec![gone(), Gone::default()]] {
            let old =
                Old { text: "t".to_owned(), gone, flag: true, gone_too: Some("y".to_owned()), number: -7 };
            let bytes = written(&old);
            let new: New<'_> = resolved(OLD, &bytes).expect("reads");
            assert_eq!(new, New { number: -7, flag: Some(true), added: None, text: "t" });
        }
    }

    #[test]
    fn a_field_whose_type_has_changed_is_refused() {
        #[derive(Debug, Default, Deserialize)]
        #[serde(default)]
        struct Changed {
            text: i64,
        }
        assert!(resolved::<Changed>(OLD, &written(&Old::default())).is_err());
    }

    #[test]
    fn a_version_of_one_record_is_none_of_another() {
        let fingerprint = super::super::fingerprint::<RawRecord>();
        assert!(with_version::<RawRecord, _>(fingerprint, |_| ()).is_some());
        assert!(with_version::<CustomerTraits, _>(fingerprint, |_| ()).is_none());
    }

    proptest! {
        #[test]
        fn the_same_version_resolves_to_the_same_record(
            bytes: Vec<u8>, text: String, at: Option<i64>, hash: Option<Vec<u8>>, words: Vec<String>, flag: Option<bool>,
        ) {
            let raw = RawRecord { event_id: text.clone(), bytes, signed_at: at, original_sha256: hash, ..RawRecord::default() };
            let written_raw = written(&raw);
            prop_assert_eq!(&resolved::<RawRecord>(RawRecord::SCHEMA, &written_raw).expect("reads"), &raw);
            prop_assert_eq!(resolved::<RawView<'_>>(RawRecord::SCHEMA, &written_raw).expect("reads"), RawView::from(&raw));
            let traits = CustomerTraits { changed: words.clone(), email_bounced: flag, ..CustomerTraits::default() };
            prop_assert_eq!(resolved::<CustomerTraits>(CustomerTraits::SCHEMA, &written(&traits)).expect("reads"), traits);
            let entry = SuppressionEntry { token: Some(text), until: at, evidence: words, ..SuppressionEntry::default() };
            let set = Suppression { entries: vec![entry.clone(), entry], ..Suppression::default() };
            prop_assert_eq!(resolved::<Suppression>(Suppression::SCHEMA, &written(&set)).expect("reads"), set);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let mut rest = &bytes[..];
            let _ = body::<Suppression>(&Shape::parse(Suppression::SCHEMA), &mut rest);
        }
    }
}
