//! Reads a record's Avro body straight into its struct: the counterpart of [`write`](super::write). Texts and
//! bytes that the struct borrows are not copied.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::Malformed;

/// Reads a record from the front of `body`, and leaves the rest there.
pub(super) fn body<'de, R: Deserialize<'de>>(body: &mut &'de [u8]) -> Result<R, Malformed> {
    R::deserialize(&mut Body(body))
}

struct Body<'a, 'de>(&'a mut &'de [u8]);

impl<'de> Body<'_, 'de> {
    fn byte(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.0.split_first().ok_or(Malformed("ends early"))?;
        *self.0 = rest;
        Ok(*first)
    }

    /// At most ten bytes of 7 bits, zigzag.
    #[expect(clippy::cast_possible_wrap, reason = "bits, not numbers")]
    fn long(&mut self) -> Result<i64, Malformed> {
        let mut bits = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let group = u64::from(byte & 0x7f);
            if shift == 63 && group > 1 {
                break;
            }
            bits |= group << shift;
            if byte < 0x80 {
                return Ok((bits >> 1) as i64 ^ -((bits & 1) as i64));
            }
        }
        Err(Malformed("has a number beyond 64 bits"))
    }

    fn bytes(&mut self) -> Result<&'de [u8], Malformed> {
        let length = usize::try_from(self.long()?).map_err(|_| Malformed("has a negative length"))?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Malformed("ends early"))?;
        *self.0 = rest;
        Ok(bytes)
    }
}

impl<'de> Deserializer<'de> for &mut Body<'_, 'de> {
    type Error = Malformed;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Malformed> {
        Err(Malformed("would need a type that is in no schema"))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.byte()? {
            0 => visitor.visit_bool(false),
            1 => visitor.visit_bool(true),
            _ => Err(Malformed("has a truth value that is neither")),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_i64(self.long()?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        let text =
            std::str::from_utf8(self.bytes()?).map_err(|_| Malformed("has a text that is not UTF-8"))?;
        visitor.visit_borrowed_str(text)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_borrowed_bytes(self.bytes()?)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.long()? {
            0 => visitor.visit_none(),
            1 => visitor.visit_some(self),
            _ => Err(Malformed("has an unknown branch of a union")),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_seq(Items { body: self, block: 0, ended: false })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        visitor.visit_seq(Fields { body: self, left: fields.len() })
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u32 u64 u128 f32 f64 char unit unit_struct tuple tuple_struct map enum identifier
        ignored_any
    }
}

/// A struct's fields, in the schema's order.
struct Fields<'b, 'a, 'de> {
    body: &'b mut Body<'a, 'de>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Fields<'_, '_, 'de> {
    type Error = Malformed;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Malformed> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.body).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// An array's items, block by block. There is no size hint: a corrupt count must not become a request for
/// memory.
struct Items<'b, 'a, 'de> {
    body: &'b mut Body<'a, 'de>,
    block: u64,
    ended: bool,
}

impl Items<'_, '_, '_> {
    /// A negative count is followed by the block's length in bytes, which lets a reader skip the block.
    fn next_block(&mut self) -> Result<(), Malformed> {
        let count = self.body.long()?;
        if count < 0 {
            self.body.long()?;
        }
        self.block = count.unsigned_abs();
        self.ended = count == 0;
        Ok(())
    }
}

impl<'de> SeqAccess<'de> for Items<'_, '_, 'de> {
    type Error = Malformed;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Malformed> {
        if self.block == 0 && !self.ended {
            self.next_block()?;
        }
        if self.ended {
            return Ok(None);
        }
        self.block -= 1;
        seed.deserialize(&mut *self.body).map(Some)
    }
}
