//! Push tokens that nobody named, told by their form.

use std::ops::Range;

/// Shortest run of letters and digits that may be a token by itself: Apple's have 64 hexadecimal digits.
pub(super) const RUN_MIN: usize = 64;

/// Begins the second part of one of Google's tokens.
const GOOGLE: &str = ":APA91b";

/// Begin one of Expo's tokens, which ends with a bracket.
const EXPO: [&str; 2] = ["ExponentPushToken[", "ExpoPushToken["];

/// Where push tokens stand, in order.
pub(super) fn devices(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut searched = 0;
    while let Some(run) = next_run(text.as_bytes(), searched) {
        searched = run.end;
        let token = &text[run.clone()];
        let is_hex = token.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hex || (token.len() > RUN_MIN && token.contains(GOOGLE)) {
            found.push(run);
        }
    }
    let expo = if memchr::memchr(b'[', text.as_bytes()).is_some() { &EXPO[..] } else { &[] };
    for begin in expo {
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

/// The first run of at least [`RUN_MIN`] bytes that can be a token's, at or behind `from`.
fn next_run(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':');
    let mut start = from;
    loop {
        // A byte that can't be a token's ends every run before it, so the search goes backwards.
        let near = bytes.get(start..start + RUN_MIN)?;
        match near.iter().rposition(|byte| !is_part(byte)) {
            Some(at) => start += at + 1,
            None => {
                let more = bytes[start + RUN_MIN..].iter().take_while(|byte| is_part(byte)).count();
                return Some(start..start + RUN_MIN + more);
            }
        }
    }
}
