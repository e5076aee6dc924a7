//! Where e-mail addresses stand that have their `@`.

use std::ops::Range;

/// Names before a `=` that are a field's, and no part of an address. A return path has another word there.
const FIELDS: [&str; 24] = [
    "to",
    "from",
    "cc",
    "bcc",
    "rcpt",
    "recipient",
    "relay",
    "orig_to",
    "email",
    "e",
    "mail",
    "user",
    "u",
    "address",
    "addr",
    "sender",
    "id",
    "login",
    "username",
    "account",
    "contact",
    "customer",
    "final-recipient",
    "mailto",
];

/// Longest quoted local part or domain literal that is looked for, in bytes.
const QUOTED_MAX: usize = 66;

/// Where e-mail addresses stand, in order. One pass: a text of nothing but signs must not cost its length
/// squared.
pub(super) fn emails(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut searched = 0;
    std::iter::from_fn(move || {
        loop {
            let at = searched + memchr::memchr(b'@', &text.as_bytes()[searched..])?;
            let (local, domain) = (local_part(&text[searched..at]), domain_part(&text[at + 1..]));
            searched = at + 1;
            if !local.is_empty() && !domain.is_empty() {
                searched += domain.len();
                return Some(at - local.len()..searched);
            }
        }
    })
}

fn is_atom(character: char) -> bool {
    character.is_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(character)
}

/// The longest end of `before` that can be a local part.
fn local_part(before: &str) -> &str {
    if before.ends_with('"') {
        return quoted(before);
    }
    let candidate = &before[before.trim_end_matches(is_atom).len()..];
    if let Some(start) = candidate.strip_suffix("?=").and_then(|rest| rest.rfind("=?")) {
        // An encoded word in an address's place.
        return &candidate[start..];
    }
    // Of a link or a path (`?to=ada`, `path/ada`) only what follows the last separator can be meant.
    let start = candidate.rfind(['/', '?', '&', '#']).map_or(0, |at| at + 1);
    let in_query = candidate[..start].ends_with(['?', '&']);
    let candidate = candidate[start..].trim_start_matches(['\'', '`', '*', '|', '{']);
    let Some((name, value)) = candidate.split_once('=') else { return candidate };
    let is_field = in_query || name.is_empty() || FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field));
    // Else it is a return path that spells its recipient (`bounce+ada=x.io@…`): all of it goes.
    if is_field { value.trim_start_matches('=') } else { candidate }
}

/// The quoted local part that `before` ends with, quotes included; nothing where there is none.
fn quoted(before: &str) -> &str {
    let bytes = before.as_bytes();
    let end = bytes.len() - 1;
    let opening = memchr::memrchr(b'"', &bytes[end.saturating_sub(QUOTED_MAX)..end]);
    let Some(opening) = opening.map(|at| end.saturating_sub(QUOTED_MAX) + at) else { return "" };
    let is_closing = opening > 0 && bytes[opening - 1].is_ascii_alphanumeric();
    if opening + 1 == end || is_closing { "" } else { &before[opening..] }
}

/// The longest beginning of `after` that is a domain, a lone host name, or an address in brackets.
pub(super) fn domain_part(after: &str) -> &str {
    if after.starts_with('[') {
        let is_literal = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'-');
        let inner = after.bytes().skip(1).take(QUOTED_MAX).take_while(is_literal).count();
        return if inner > 0 && after[1 + inner..].starts_with(']') { &after[..inner + 2] } else { "" };
    }
    let allowed = |character: char| character.is_alphanumeric() || character == '.' || character == '-';
    let end = after.find(|character: char| !allowed(character)).unwrap_or(after.len());
    after[..end].trim_end_matches(['.', '-'])
}

/// Whether a domain has a top level of letters, as one has that people write.
pub(super) fn has_top_level(domain: &str) -> bool {
    let top = domain.rsplit_once('.').map(|(before, top)| (before.is_empty(), top));
    top.is_some_and(|(bare, top)| !bare && top.len() >= 2 && top.chars().all(char::is_alphabetic))
}
