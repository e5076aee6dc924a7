//! Reads a record's Avro body straight into its struct: the counterpart of [`write`](super::write). Texts and
//! bytes that the struct borrows are not copied.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::Malformed;

/// Reads a record from the front of `body`, and leaves the rest there.
pub(super) fn body<'de, R: Deserialize<'de>>(body: &mut &'de [u8]) -> Result<R, Malformed> {
    R::deserialize(&mut Body(body))
}

pub(super) struct Body<'a, 'de>(pub(super) &'a mut &'de [u8]);

impl<'de> Body<'_, 'de> {
    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.0.split_first().ok_or(Malformed("ends early"))?;
        *self.0 = rest;
        Ok(*first)
    }

    /// At most ten bytes of 7 bits, zigzag.
    #[expect(clippy::cast_possible_wrap, reason = "bits, not numbers")]
    pub(super) fn long(&mut self) -> Result<i64, Malformed> {
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

    pub(super) fn bytes(&mut self) -> Result<&'de [u8], Malformed> {
        let length = usize::try_from(self.long()?).map_err(|_| Malformed("has a negative length"))?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Malformed("ends early"))?;
        *self.0 = rest;
        Ok(bytes)
    }

    pub(super) fn boolean(&mut self) -> Result<bool, Malformed> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("has a truth value that is neither")),
        }
    }

    pub(super) fn text(&mut self) -> Result<&'de str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed("has a text that is not UTF-8"))
    }

    /// Reads the branch of a union of null and another type: whether a value follows.
    pub(super) fn is_some(&mut self) -> Result<bool, Malformed> {
        match self.long()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("has an unknown branch of a union")),
        }
    }

    /// Reads how many items an array's next block has; zero ends the array.
    ///
    /// A negative count is followed by the block's length in bytes, which lets a reader skip the block.
    pub(super) fn block(&mut self) -> Result<u64, Malformed> {
        let count = self.long()?;
        if count < 0 {
            self.long()?;
        }
        Ok(count.unsigned_abs())
    }
}

impl<'de> Deserializer<'de> for &mut Body<'_, 'de> {
    type Error = Malformed;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Malformed> {
        Err(Malformed("would need a type that is in no schema"))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_bool(self.boolean()?)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_i64(self.long()?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_borrowed_str(self.text()?)
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
        if self.is_some()? { visitor.visit_some(self) } else { visitor.visit_none() }
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

impl<'de> SeqAccess<'de> for Items<'_, '_, 'de> {
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
        seed.deserialize(&mut *self.body).map(Some)
    }
}
