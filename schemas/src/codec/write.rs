//! Writes a record's Avro body straight from its struct.
//!
//! A struct repeats its schema's names, order and nullability. So its own shape determines every byte, and
//! the schema is not needed while writing. Types that no schema of ours has (floats, maps, enums, integers
//! other than `long`) are refused.

use serde::Serialize;
use serde::ser::{Impossible, SerializeSeq, SerializeStruct, Serializer};

use super::EncodeError;

/// Appends the body of `record` to `out`.
pub(super) fn body(record: &impl Serialize, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    record.serialize(Body(out))
}

struct Body<'a>(&'a mut Vec<u8>);

impl Body<'_> {
    /// Zigzag, with 7 bits in each byte, as Avro writes every integer, length and union branch.
    #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "bits, not numbers")]
    fn long(&mut self, number: i64) {
        let mut bits = ((number << 1) ^ (number >> 63)) as u64;
        while bits >= 0x80 {
            self.0.push(bits as u8 | 0x80);
            bits >>= 7;
        }
        self.0.push(bits as u8);
    }

    fn prefixed(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.long(length(bytes.len())?);
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

fn length(length: usize) -> Result<i64, EncodeError> {
    i64::try_from(length).map_err(|_| EncodeError("a length beyond 63 bits"))
}

macro_rules! refuse {
    ($($method:ident($type:ty)),* $(,)?) => {
        $(fn $method(self, _: $type) -> Result<(), EncodeError> {
            Err(EncodeError(concat!(stringify!($type), " is in no schema")))
        })*
    };
}

impl<'a> Serializer for Body<'a> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Body<'a>;
    type SerializeStruct = Body<'a>;
    type SerializeTuple = Impossible<(), EncodeError>;
    type SerializeTupleStruct = Impossible<(), EncodeError>;
    type SerializeTupleVariant = Impossible<(), EncodeError>;
    type SerializeMap = Impossible<(), EncodeError>;
    type SerializeStructVariant = Impossible<(), EncodeError>;

    fn serialize_bool(self, truth: bool) -> Result<(), EncodeError> {
        self.0.push(u8::from(truth));
        Ok(())
    }

    fn serialize_i64(mut self, number: i64) -> Result<(), EncodeError> {
        self.long(number);
        Ok(())
    }

    fn serialize_str(mut self, text: &str) -> Result<(), EncodeError> {
        self.prefixed(text.as_bytes())
    }

    fn serialize_bytes(mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.prefixed(bytes)
    }

    /// Every union of ours is `["null", …]`.
    fn serialize_none(mut self) -> Result<(), EncodeError> {
        self.long(0);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(mut self, value: &T) -> Result<(), EncodeError> {
        self.long(1);
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        value.serialize(self)
    }

    /// All items are one block; an array ends with an empty block, and an empty array is nothing else.
    fn serialize_seq(mut self, items: Option<usize>) -> Result<Body<'a>, EncodeError> {
        match items.ok_or(EncodeError("an array of unknown length"))? {
            0 => {}
            items => self.long(length(items)?),
        }
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Body<'a>, EncodeError> {
        Ok(self)
    }

    refuse! {
        serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_u8(u8), serialize_u16(u16),
        serialize_u32(u32), serialize_u64(u64), serialize_f32(f32), serialize_f64(f64), serialize_char(char),
        serialize_unit_struct(&'static str),
    }

    fn serialize_unit(self) -> Result<(), EncodeError> {
        Err(EncodeError("a unit is in no schema"))
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), EncodeError> {
        Err(EncodeError("an enum is in no schema"))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), EncodeError> {
        Err(EncodeError("an enum is in no schema"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, EncodeError> {
        Err(EncodeError("a tuple is in no schema"))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, EncodeError> {
        Err(EncodeError("a tuple is in no schema"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, EncodeError> {
        Err(EncodeError("an enum is in no schema"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, EncodeError> {
        Err(EncodeError("a map is in no schema"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, EncodeError> {
        Err(EncodeError("an enum is in no schema"))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

impl SerializeStruct for Body<'_> {
    type Ok = ();
    type Error = EncodeError;

    /// Fields come in their order, which is the schema's; their names travel in the schema only.
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        _: &'static str,
        field: &T,
    ) -> Result<(), EncodeError> {
        field.serialize(Body(self.0))
    }

    fn skip_field(&mut self, _: &'static str) -> Result<(), EncodeError> {
        Err(EncodeError("a field was left out"))
    }

    fn end(self) -> Result<(), EncodeError> {
        Ok(())
    }
}

impl SerializeSeq for Body<'_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), EncodeError> {
        item.serialize(Body(self.0))
    }

    fn end(mut self) -> Result<(), EncodeError> {
        self.long(0);
        Ok(())
    }
}
