//! Kafka's wire format, as far as it is looked at here: frames, and the fields that open them. By
//! <https://kafka.apache.org/protocol.html>.

use std::io::{self, Read};

/// Larger than any request or answer: brokers refuse requests above 100 MiB.
const FRAME_BYTES_MAX: usize = 128 << 20;
/// Bytes of a frame's length.
pub(super) const LENGTH_BYTES: usize = 4;

/// One frame, its length included.
pub(super) fn read_frame(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; LENGTH_BYTES];
    stream.read_exact(&mut length)?;
    let payload = usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?;
    if !(4..=FRAME_BYTES_MAX).contains(&payload) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the frame's length is not Kafka's"));
    }
    let mut frame = length.to_vec();
    frame.resize(LENGTH_BYTES + payload, 0);
    stream.read_exact(frame.get_mut(LENGTH_BYTES..).unwrap_or_default())?;
    Ok(frame)
}

/// What is left to read of a frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The fields of `frame`, behind its length.
    pub(super) fn of_frame(frame: &'a [u8]) -> Self {
        Fields(frame.get(LENGTH_BYTES..).unwrap_or_default())
    }

    pub(super) fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn int8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(super) fn int16(&mut self) -> Option<i16> {
        self.take(2)?.try_into().ok().map(i16::from_be_bytes)
    }

    pub(super) fn int32(&mut self) -> Option<i32> {
        self.take(4)?.try_into().ok().map(i32::from_be_bytes)
    }

    /// `Some(None)` is Kafka's null.
    #[expect(clippy::option_option, reason = "absent and unreadable differ")]
    pub(super) fn string(&mut self) -> Option<Option<String>> {
        match usize::try_from(self.int16()?) {
            Err(_) => Some(None),
            Ok(length) => Some(String::from_utf8(self.take(length)?.to_vec()).ok()),
        }
    }

    /// A string as the "flexible" versions write it: its length plus one as a varint, 0 for null.
    #[expect(clippy::option_option, reason = "absent and unreadable differ")]
    pub(super) fn compact_string(&mut self) -> Option<Option<String>> {
        match self.varint()?.checked_sub(1) {
            None => Some(None),
            Some(length) => Some(String::from_utf8(self.take(length)?.to_vec()).ok()),
        }
    }

    pub(super) fn array<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = self.int32()?;
        (0..length).map(|_| item(self)).collect()
    }

    /// The tagged fields of a flexible version, which nothing here looks at.
    pub(super) fn skip_tags(&mut self) -> Option<()> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let length = self.varint()?;
            self.take(length)?;
        }
        Some(())
    }

    fn varint(&mut self) -> Option<usize> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = usize::from(self.int8()?);
            value |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_whole_and_a_stranger_s_length_is_refused() {
        let mut bytes: &[u8] = &[0, 0, 0, 5, 1, 2, 3, 4, 5, 9];
        assert_eq!(read_frame(&mut bytes).unwrap(), [0, 0, 0, 5, 1, 2, 3, 4, 5]);
        assert_eq!(bytes, [9]);
        assert!(read_frame(&mut "GET / HTTP/1.1".as_bytes()).is_err());
        assert!(read_frame(&mut [0, 0, 0, 9, 1].as_slice()).is_err());
    }

    #[test]
    fn strings_are_read_in_both_spellings() {
        let mut fields = Fields(&[0, 2, b'a', b'b', 0xff, 0xff, 3, b'c', b'd', 0, 0x80, 0x01]);
        assert_eq!(fields.string(), Some(Some("ab".to_owned())));
        assert_eq!(fields.string(), Some(None));
        assert_eq!(fields.compact_string(), Some(Some("cd".to_owned())));
        assert_eq!(fields.compact_string(), Some(None));
        assert_eq!(fields.varint(), Some(128));
        assert_eq!(fields.string(), None);
    }
}
