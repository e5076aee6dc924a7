//! A text as its last reader sees it: links carry links, and JSON carries JSON.

mod look;

use std::borrow::Cow;
use std::ops::Range;

use self::look::Look;

/// A text without its escapes, and where each of its characters was written.
///
/// Escapes of percent (`%40`), of JSON (`\u0040`) and of HTML (`&#64;`) are characters here, however often
/// they were escaped themselves (`%2540`, `\\u0040`, `&amp;#64;`), and full-width forms of ASCII (`＠`) are
/// ASCII. What is no whole character stays as it was written: bytes beyond UTF-8, half a surrogate pair. So
/// does `\n` and its like, which may as well be a path's. Reading takes time and memory linear in the text's
/// length.
pub(super) struct Plain<'a> {
    written: &'a str,
    look: Look,
    text: Cow<'a, str>,
    /// For each byte of `text` where its character begins in `written`; nothing where that holds no escapes.
    places: Vec<usize>,
}

impl<'a> Plain<'a> {
    pub(super) fn of(written: &'a str) -> Self {
        let look = Look::of(written);
        if !look.has_escape() {
            return Self { written, look, text: Cow::Borrowed(written), places: Vec::new() };
        }
        let mut text = String::with_capacity(written.len());
        let mut places = Vec::with_capacity(written.len());
        for (mut place, mut character) in written.char_indices() {
            // A character may end an escape, and the escape's character another.
            loop {
                text.push(narrow(character));
                places.resize(text.len(), place);
                let Some((length, meant)) = last_escape(text.as_bytes()) else { break };
                let begin = text.len() - length;
                (place, character) = (places[begin], meant);
                text.truncate(begin);
                places.truncate(begin);
            }
        }
        Self { written, look: Look::of(&text), text: Cow::Owned(text), places }
    }

    /// The text without escapes.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What is worth a search in the text.
    pub(super) fn look(&self) -> Look {
        self.look
    }

    /// What was written for a part of the text.
    pub(super) fn written(&self, part: Range<usize>) -> &'a str {
        &self.written[self.place(part.start)..self.place(part.end)]
    }

    fn place(&self, at: usize) -> usize {
        match &self.text {
            Cow::Borrowed(_) => at,
            Cow::Owned(_) => self.places.get(at).copied().unwrap_or(self.written.len()),
        }
    }
}

/// The ASCII character that a full-width form stands for; any other character itself.
fn narrow(character: char) -> char {
    const AHEAD: u32 = 0xfee0;
    match character {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(character) - AHEAD).unwrap_or(character),
        '\u{fe6b}' => '@',
        _ => character,
    }
}

/// The length of the escape that `text` ends with, and the character that it means.
fn last_escape(text: &[u8]) -> Option<(usize, char)> {
    match text.last()? {
        b';' => html_escape(text),
        last if last.is_ascii_hexdigit() => percent_escape(text).or_else(|| json_escape(text)),
        _ => None,
    }
}

/// `&#64;`, `&#x40;`, or one of the names that can stand in an address or a link.
fn html_escape(text: &[u8]) -> Option<(usize, char)> {
    /// `&#x0000040;` and no longer.
    const LENGTH_MAX: usize = 12;
    let near = &text[text.len().saturating_sub(LENGTH_MAX)..];
    let begin = near.iter().rposition(|byte| *byte == b'&')?;
    let name = std::str::from_utf8(&near[begin + 1..near.len() - 1]).ok()?;
    let character = match name {
        "commat" => '@',
        "amp" => '&',
        "plus" => '+',
        "period" => '.',
        "lowbar" => '_',
        "equals" => '=',
        _ => {
            let digits = name.strip_prefix('#')?;
            let hex = digits.strip_prefix(['x', 'X']);
            let value = hex.map_or_else(|| digits.parse(), |hex| u32::from_str_radix(hex, 16)).ok()?;
            char::from_u32(value).filter(|meant| *meant != '\0')?
        }
    };
    Some((near.len() - begin, character))
}

/// `%40`, or as many of them as there are bytes in the character.
fn percent_escape(text: &[u8]) -> Option<(usize, char)> {
    let mut bytes = [0; 4];
    for first in (0..bytes.len()).rev() {
        let length = 3 * (bytes.len() - first);
        let begin = text.len().checked_sub(length)?;
        let [b'%', digits @ ..] = &text[begin..begin + 3] else { return None };
        bytes[first] = u8::try_from(hexadecimal(digits)?).ok()?;
        if let Some(character) =
            std::str::from_utf8(&bytes[first..]).ok().and_then(|text| text.chars().next())
        {
            return Some((length, character));
        }
    }
    None
}

/// `\u0040`, with all the backslashes before it: each JSON text in another has twice as many.
fn json_escape(text: &[u8]) -> Option<(usize, char)> {
    let begin = text.len().checked_sub(6)?;
    let [b'\\', b'u', digits @ ..] = &text[begin..] else { return None };
    let character = char::from_u32(hexadecimal(digits)?)?;
    let backslashes = text[..begin].iter().rev().take_while(|byte| **byte == b'\\').count();
    Some((6 + backslashes, character))
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `text` with each percent escape in it replaced once.
    fn unescaped_once(text: &str) -> String {
        let mut plain = String::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let digits = rest.strip_prefix('%').and_then(|rest| rest.get(..2));
            let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
            plain.push(escaped.map_or(first, char::from));
            rest = &rest[if escaped.is_some() { 3 } else { 1 }..];
        }
        plain
    }

    #[test]
    fn half_a_character_stays_as_it_was_written() {
        for text in ["50%ada", "%C3%", "%C3%41", "\\ud800", "%ff%fe", "C:\\new", "%zz", "\\u00", "100 %"] {
            let plain = Plain::of(text);
            assert_eq!(plain.text().replace('A', "%41"), text);
        }
        assert_eq!(Plain::of("%25C3%25bc%e2%82%AC\\\\\\\\u00FC%5cu20ac").text(), "ü€ü€");
    }

    proptest! {
        /// Until nothing changes any more: what one pass leaves is what many would.
        #[test]
        fn one_pass_leaves_what_many_passes_leave(text in "[%235]{0,40}") {
            let mut expected = text.clone();
            while unescaped_once(&expected) != expected {
                expected = unescaped_once(&expected);
            }
            let plain = Plain::of(&text);
            prop_assert_eq!(plain.text(), expected);
        }

        #[test]
        fn every_character_keeps_what_was_written_for_it(text in "([%\\\\u0-9a-f@ü]|%25|%C3%BC|\\\\u00|\\PC){0,40}") {
            let plain = Plain::of(&text);
            let ends = plain.text().char_indices().map(|(at, character)| at..at + character.len_utf8());
            let written: String = ends.map(|part| plain.written(part)).collect();
            prop_assert_eq!(written, text);
        }
    }
}
