//! A first look at a text, which tells what searches could find in it. Nearly every text holds no address
//! and no secret, and costs no more than this.

/// Bytes of a text that are counted together: the count of digits must fit a byte.
const CHUNK_BYTES: usize = 128;

/// First byte of a full-width character.
const FULL_WIDTH: u8 = 0xef;

/// What of a text is worth a search.
///
/// The loops have no branch, so that the compiler makes vector instructions of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Look {
    signs: u8,
    digits: usize,
}

impl Look {
    const AT: u8 = 1;
    const EQUALS: u8 = 2;
    const COLON: u8 = 4;
    const BRACKET: u8 = 8;
    const ESCAPE: u8 = 16;

    pub(super) fn of(text: &str) -> Self {
        let mut look = Self::default();
        for chunk in text.as_bytes().chunks(CHUNK_BYTES) {
            let (mut signs, mut digits) = (0, 0);
            for byte in chunk.iter().copied() {
                signs |= u8::from(byte == b'@') * Self::AT;
                signs |= u8::from(byte == b'=') * Self::EQUALS;
                signs |= u8::from(byte == b':') * Self::COLON;
                signs |= u8::from(byte == b'[') * Self::BRACKET;
                let is_escape = (byte == b'%') | (byte == b'\\') | (byte == b'&') | (byte == FULL_WIDTH);
                signs |= u8::from(is_escape) * Self::ESCAPE;
                digits += u8::from(byte.is_ascii_digit());
            }
            look.signs |= signs;
            look.digits += usize::from(digits);
        }
        look
    }

    /// Whether a character may be escaped, or written in full width.
    pub(super) fn has_escape(self) -> bool {
        self.signs & Self::ESCAPE != 0
    }

    /// Whether there is an `@`.
    pub(in super::super) fn has_at(self) -> bool {
        self.signs & Self::AT != 0
    }

    /// Whether there is a `=`.
    pub(in super::super) fn has_equals(self) -> bool {
        self.signs & Self::EQUALS != 0
    }

    /// Whether there is a `:`.
    pub(in super::super) fn has_colon(self) -> bool {
        self.signs & Self::COLON != 0
    }

    /// Whether there is a `[`.
    pub(in super::super) fn has_bracket(self) -> bool {
        self.signs & Self::BRACKET != 0
    }

    /// How many digits there are.
    pub(in super::super) fn digits(self) -> usize {
        self.digits
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_look_sees_what_a_search_would_find(text in "[a@=:%&\\\\\\[7 ＠ü]{0,300}") {
            let look = Look::of(&text);
            prop_assert_eq!(look.has_at(), text.contains('@'));
            prop_assert_eq!(look.has_equals(), text.contains('='));
            prop_assert_eq!(look.has_colon(), text.contains(':'));
            prop_assert_eq!(look.has_bracket(), text.contains('['));
            prop_assert_eq!(look.has_escape(), text.contains(['%', '&', '\\', '＠']));
            prop_assert_eq!(look.digits(), text.matches('7').count());
        }
    }
}
