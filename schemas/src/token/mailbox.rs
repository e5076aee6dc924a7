//! The addresses in a recipient field: bare, with a display name, or several in a list (RFC 5322, read
//! leniently).

use std::borrow::Cow;

/// Whether this character separates a local part from its domain. The two others are full-width forms of `@`.
pub(super) fn is_at(character: char) -> bool {
    matches!(character, '@' | '\u{ff20}' | '\u{fe6b}')
}

/// Every address of a recipient field, in order. Of a field that holds no address, the field itself.
pub(super) fn all(field: &str) -> Vec<&str> {
    if is_bare(field) {
        return vec![without_scheme(field)];
    }
    let addresses = pieces(field).into_iter().map(mailbox).filter(|piece| piece.contains(is_at));
    let addresses: Vec<&str> = addresses.collect();
    if addresses.is_empty() { vec![field.trim()] } else { addresses }
}

/// The first address of a recipient field.
pub(super) fn first(field: &str) -> &str {
    if is_bare(field) {
        return without_scheme(field);
    }
    let address = pieces(field).into_iter().map(mailbox).find(|piece| piece.contains(is_at));
    address.unwrap_or_else(|| field.trim())
}

/// An address whose local part is quoted without need, without the quotes: both spell one mailbox.
pub(super) fn unquoted(address: &str) -> Cow<'_, str> {
    let quoted = address.strip_prefix('"').and_then(|rest| rest.split_once("\"@"));
    let is_atom = |local: &str| {
        let allowed =
            |character: char| character.is_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(character);
        !local.is_empty() && local.chars().all(allowed)
    };
    match quoted.filter(|(local, _)| is_atom(local)) {
        Some((local, domain)) => Cow::Owned(format!("{local}@{domain}")),
        None => Cow::Borrowed(address),
    }
}

/// Whether the field can't hold a name, a list or a comment. Nearly every field.
fn is_bare(field: &str) -> bool {
    !field.bytes().any(|byte| matches!(byte, b',' | b';' | b'<' | b'('))
}

/// The field cut at its commas and semicolons, but for those inside quotes, angle brackets or comments. A
/// quote that is never closed is an ordinary character.
fn pieces(field: &str) -> Vec<&str> {
    let closed = split(field, true);
    closed.unwrap_or_else(|| split(field, false).unwrap_or_default())
}

fn split(field: &str, quotes: bool) -> Option<Vec<&str>> {
    let (mut pieces, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped, mut angle, mut comment) = (false, false, false, 0_u32);
    for (at, byte) in field.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if quotes => quoted = !quoted,
            _ if quoted => {}
            b'(' => comment += 1,
            b')' => comment = comment.saturating_sub(1),
            b'<' if comment == 0 => angle = true,
            b'>' if comment == 0 => angle = false,
            b',' | b';' if comment == 0 && !angle => {
                pieces.push(&field[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(&field[start..]);
    (!quoted).then_some(pieces)
}

/// The address of one piece: what its last angle brackets hold, or else the piece without comments around it.
fn mailbox(piece: &str) -> &str {
    let bracketed = piece.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(inner, _)| inner);
    let mut address = bracketed.filter(|inner| inner.contains(is_at)).unwrap_or(piece).trim();
    if let Some((before, _)) = address.rsplit_once('(').filter(|(before, _)| before.contains(is_at)) {
        address = before.trim_end();
    }
    if let Some((_, after)) = address.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        address = after.trim_start();
    }
    without_scheme(address)
}

fn without_scheme(address: &str) -> &str {
    const SCHEME: &str = "mailto:";
    let address = address.trim();
    let scheme = address.get(..SCHEME.len()).filter(|start| start.eq_ignore_ascii_case(SCHEME));
    scheme.map_or(address, |_| &address[SCHEME.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lists_and_comments_leave_the_addresses() {
        for (field, addresses) in [
            ("ada@x.io", &["ada@x.io"][..]),
            (" ada@x.io\n", &["ada@x.io"]),
            ("Ada Person <ada@x.io>", &["ada@x.io"]),
            ("\"Person, Ada; <vip>\" <ada@x.io>", &["ada@x.io"]),
            ("ada@x.io, \"Bo\" <bo@y.io> ; mailto:cy@z.io", &["ada@x.io", "bo@y.io", "cy@z.io"]),
            ("ada@x.io (home, sweet <home>)", &["ada@x.io"]),
            ("(vip) ada@x.io", &["ada@x.io"]),
            ("O\"Brien <ob@x.io>, <ada@x.io>", &["ob@x.io", "ada@x.io"]),
            ("\"a,b\"@x.io", &["\"a,b\"@x.io"]),
            ("Ada <ada＠x.io>", &["ada＠x.io"]),
            ("<>", &["<>"]),
            (",", &[","]),
            ("", &[""]),
            ("MAILTO:ada@x.io", &["ada@x.io"]),
        ] {
            assert_eq!(all(field), addresses, "{field}");
            assert_eq!(first(field), addresses[0], "{field}");
        }
    }
}
