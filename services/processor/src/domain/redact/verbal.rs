//! Addresses that are written around their `@`: in words, in encoded words, as attributes.

use std::ops::Range;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::email::{domain_part, has_top_level};

/// Words that stand before "at" and a host in providers' replies and other prose, and are nobody's mailbox.
const NO_MAILBOX: &str = "\
    listed found blacklist blacklisted blocklist blocklisted blocked rbl dnsbl list lists queue \
    section information info details more here us site website page visit available look looking \
    support hosted rejected refused located server host mail mailbox user account address recipient \
    email domain lookup help removal delist delisting problem error registered online connect \
    connected connection policy guidelines faq documentation is are be it them you and or form tool \
    again arrived delivered ip see read check request shop order ordered sale off meet now new live \
    open stay shopping welcome today only deals store buy save join learn team people everyone friends \
    free exclusively directly wins offers back work home starts arrives reach reply write";

/// Longest local part that is looked for before an "at", in bytes.
const LOCAL_MAX: usize = 64;

/// Whether there may be an "at" that stands for an `@`: a word by itself, blanks or brackets around it.
pub(super) fn has_at_word(text: &str) -> bool {
    // Without a branch, so that the compiler makes vector instructions of it.
    let is_at = |window: &[u8]| {
        !window[0].is_ascii_alphanumeric()
            & (window[1] | 0x20 == b'a')
            & (window[2] | 0x20 == b't')
            & !window[3].is_ascii_alphanumeric()
    };
    text.as_bytes().windows(4).fold(false, |found, window| found | is_at(window))
}

/// Where `ada at x.io`, `ada [at] x [dot] io` or `ada @ x.io` stands: the range, and the address that it
/// means.
pub(super) fn worded(text: &str) -> Vec<(Range<usize>, String)> {
    let bytes = text.as_bytes();
    let mut found: Vec<(Range<usize>, String)> = Vec::new();
    for end in memchr::memchr3_iter(b't', b'T', b'@', bytes) {
        let start = if bytes[end] == b'@' { end } else { end.wrapping_sub(1) };
        if bytes[end] != b'@' && !bytes.get(start).is_some_and(|byte| byte.eq_ignore_ascii_case(&b'a')) {
            continue;
        }
        if let Some((range, address)) = around(text, start..end + 1)
            && found.last().is_none_or(|(last, _)| last.end <= range.start)
        {
            found.push((range, address));
        }
    }
    found
}

fn around(text: &str, at: Range<usize>) -> Option<(Range<usize>, String)> {
    let is_sign = &text[at.clone()] == "@";
    let (before, after) = (&text[..at.start], &text[at.end..]);
    let (local_end, open) = open_before(before)?;
    let after_close = closed_after(after, open)?;
    let gaps = [before.len() - local_end, after.len() - after_close.len()];
    let is_unwritten = if is_sign { gaps == [0, 0] } else { gaps.contains(&0) };
    if is_unwritten {
        return None;
    }
    let local = last_word(&before[..local_end]);
    let (domain, length) = worded_domain(after_close)?;
    let is_bare = open.is_none() && !is_sign;
    let is_prose = |word: &str| NO_MAILBOX.split(' ').any(|known| word.eq_ignore_ascii_case(known));
    if local.is_empty() || (is_bare && (is_prose(local) || domain.starts_with("www."))) {
        return None;
    }
    let end = text.len() - after_close.len() + length;
    Some((local_end - local.len()..end, format!("{local}@{domain}")))
}

/// Where the local part ends before an "at", and the bracket that opens the "at", if any. An "at" without
/// brackets has blanks around it.
fn open_before(before: &str) -> Option<(usize, Option<char>)> {
    let trimmed = before.trim_end_matches(' ');
    if let Some(open) = trimmed.chars().next_back().filter(|last| "([{<".contains(*last)) {
        return Some((trimmed[..trimmed.len() - 1].trim_end_matches(' ').len(), Some(open)));
    }
    Some((trimmed.len(), None)).filter(|_| before.len() - trimmed.len() <= 2)
}

fn closed_after(after: &str, open: Option<char>) -> Option<&str> {
    let trimmed = after.trim_start_matches(' ');
    match open {
        Some(open) => {
            let close = match open {
                '(' => ')',
                '[' => ']',
                '{' => '}',
                _ => '>',
            };
            Some(trimmed.strip_prefix(close)?.trim_start_matches(' '))
        }
        None => Some(trimmed).filter(|trimmed| after.len() - trimmed.len() <= 2),
    }
}

fn last_word(text: &str) -> &str {
    let allowed = |character: char| character.is_alphanumeric() || "._+-".contains(character);
    let mut start = text.len().saturating_sub(LOCAL_MAX);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let near = &text[start..];
    let word = &near[near.trim_end_matches(allowed).len()..];
    if word.ends_with(char::is_alphanumeric) { word.trim_start_matches(['.', '-', '_']) } else { "" }
}

/// A domain whose dots may be words, and its length as written.
fn worded_domain(text: &str) -> Option<(String, usize)> {
    let mut domain = domain_part(text).to_owned();
    let mut length = domain.len();
    if domain.starts_with('[') {
        return None;
    }
    while let Some((label, taken)) = dot_and_label(&text[length..]) {
        domain.push('.');
        domain.push_str(label);
        length += taken;
    }
    has_top_level(&domain).then_some((domain, length))
}

fn dot_and_label(text: &str) -> Option<(&str, usize)> {
    const DOTS: [&str; 6] = [" dot ", "[dot]", "(dot)", " [dot] ", " (dot) ", "{dot}"];
    let starts = |dot: &&&str| text.get(..dot.len()).is_some_and(|start| start.eq_ignore_ascii_case(dot));
    let dot = DOTS.iter().find(starts)?;
    let label = domain_part(&text[dot.len()..]);
    (!label.is_empty()).then_some((label, dot.len() + label.len()))
}

/// Runs of encoded words (RFC 2047), each with the text that it means.
pub(super) fn encoded_words(text: &str) -> Vec<(Range<usize>, String)> {
    let mut found: Vec<(Range<usize>, Vec<u8>)> = Vec::new();
    let mut searched = 0;
    while let Some(at) = memchr::memmem::find(&text.as_bytes()[searched..], b"=?") {
        let start = searched + at;
        let Some((bytes, length)) = encoded_word(&text[start..]) else {
            searched = start + 2;
            continue;
        };
        searched = start + length;
        match found.last_mut() {
            // Blanks between two encoded words are not part of the text.
            Some((last, meant)) if text[last.end..start].trim().is_empty() => {
                last.end = searched;
                meant.extend(bytes);
            }
            _ => found.push((start..searched, bytes)),
        }
    }
    let meant = found.into_iter();
    meant.map(|(range, bytes)| (range, String::from_utf8_lossy(&bytes).into_owned())).collect()
}

fn encoded_word(text: &str) -> Option<(Vec<u8>, usize)> {
    /// RFC 2047 allows 75 characters; senders write more.
    const WORD_MAX: usize = 1_024;
    let end = text.len().min(WORD_MAX);
    let end = (end.saturating_sub(3)..=end).rev().find(|end| text.is_char_boundary(*end))?;
    let rest = text[..end].strip_prefix("=?")?;
    let (charset, rest) = rest.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (written, _) = rest.split_once("?=")?;
    let is_name =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.*".contains(&byte));
    if charset.is_empty() || !is_name(charset) || written.contains([' ', '\n']) {
        return None;
    }
    let bytes = match encoding {
        "B" | "b" => BASE64_STANDARD.decode(written).ok()?,
        "Q" | "q" => quoted_printable(written),
        _ => return None,
    };
    Some((bytes, 2 + charset.len() + 1 + encoding.len() + 1 + written.len() + 2))
}

fn quoted_printable(written: &str) -> Vec<u8> {
    let bytes = written.as_bytes();
    let (mut meant, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.filter(|_| *byte == b'=').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        meant.push(escaped.unwrap_or(if *byte == b'_' { b' ' } else { *byte }));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    meant
}

/// Where X.400 addresses and distinguished names stand (`/C=US/O=Org/S=Lovelace/G=Ada/`): at least three
/// attributes in a row, one of them a person's.
pub(super) fn attributes(text: &str) -> Vec<Range<usize>> {
    const PERSON: [&str; 7] = ["s", "g", "cn", "surname", "givenname", "rfc-822", "i"];
    let mut found = Vec::new();
    let mut searched = 0;
    while let Some(at) = memchr::memchr(b'=', &text.as_bytes()[searched..]) {
        let equals = searched + at;
        searched = equals + 1;
        let key_start = key_before(text, equals);
        let (mut count, mut has_person, mut end) = (0, false, key_start);
        loop {
            let rest = &text[end..];
            let next = rest.trim_start_matches(' ');
            let Some((key, length)) = attribute(next) else { break };
            count += 1;
            has_person |= PERSON.iter().any(|known| key.eq_ignore_ascii_case(known));
            end += rest.len() - next.len() + length;
        }
        if count >= 3 && has_person {
            let start = if text[..key_start].ends_with('/') { key_start - 1 } else { key_start };
            found.push(start..end);
        }
        searched = searched.max(end);
    }
    found
}

fn key_before(text: &str, equals: usize) -> usize {
    const KEY_MAX: usize = 20;
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':');
    equals - text[..equals].bytes().rev().take(KEY_MAX).take_while(|byte| is_key(byte)).count()
}

/// One `key=value` with the separator after it: the key, and the length of all. Only keys of X.400 and X.500.
fn attribute(text: &str) -> Option<(&str, usize)> {
    const KEYS: [&str; 22] = [
        "c",
        "a",
        "p",
        "o",
        "ou",
        "ou1",
        "ou2",
        "ou3",
        "ou4",
        "s",
        "g",
        "i",
        "q",
        "cn",
        "admd",
        "prmd",
        "x121",
        "n-id",
        "t-id",
        "surname",
        "givenname",
        "rfc-822",
    ];
    const VALUE_MAX: usize = 128;
    let (key, rest) = text.split_at_checked(key_length(text))?;
    let key_is_known = KEYS.iter().any(|known| key.eq_ignore_ascii_case(known))
        || key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("dda:"))
        || key.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("dd."));
    let value = rest.strip_prefix('=').filter(|_| key_is_known)?;
    let ends =
        |byte: u8| matches!(byte, b'/' | b';' | b'"' | b'<' | b'>' | b',' | b'\n' | b')' | b'=' | b'&');
    let length = value.bytes().take(VALUE_MAX).position(ends).unwrap_or(value.len().min(VALUE_MAX));
    let separated = matches!(value.as_bytes().get(length), Some(b'/' | b';'));
    // The last attribute ends with its word: what follows is prose.
    let word = value.bytes().take(length).position(|byte| byte == b' ').unwrap_or(length);
    let length = if separated { length } else { word };
    let total = key.len() + 1 + length + usize::from(separated);
    (length > 0 && text.is_char_boundary(total)).then_some((key, total))
}

fn key_length(text: &str) -> usize {
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':');
    text.bytes().take(20).take_while(is_key).count()
}
