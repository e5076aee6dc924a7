//! Push tokens that nobody named, told by their form.

use std::ops::Range;

/// Fewest hexadecimal digits of one of Apple's tokens.
const APPLE_MIN: usize = 64;

/// Begins the second part of one of Google's tokens.
const GOOGLE: &str = ":APA91b";

/// Begin one of Expo's tokens, which ends with a bracket.
const EXPO: [&str; 2] = ["ExponentPushToken[", "ExpoPushToken["];

/// Where push tokens stand, in order.
pub(super) fn devices(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = None;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':');
    for (at, byte) in text.bytes().chain([b' ']).enumerate() {
        match (start, is_part(byte)) {
            (None, true) => start = Some(at),
            (Some(begin), false) => {
                let run = &text[begin..at];
                let is_hex = run.len() >= APPLE_MIN && run.bytes().all(|byte| byte.is_ascii_hexdigit());
                if is_hex || (run.len() > APPLE_MIN && run.contains(GOOGLE)) {
                    found.push(begin..at);
                }
                start = None;
            }
            _ => {}
        }
    }
    for begin in EXPO {
        found.extend(memchr::memmem::find_iter(text.as_bytes(), begin).filter_map(|at| {
            let inner = &text[at + begin.len()..];
            let end = inner.bytes().take(128).position(|byte| byte == b']')?;
            Some(at..at + begin.len() + end + 1)
        }));
    }
    found.sort_by_key(|range| range.start);
    found.dedup_by(|later, first| later.start < first.end);
    found
}
