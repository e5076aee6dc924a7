//! Texts that no rule knows, so that equal ones can be counted.

use super::reply::{Enhanced, number};

/// How long a shape can be, in bytes.
const SHAPE_BYTES_MAX: usize = 240;
/// A word is taken for an id from this length on.
const ID_BYTES_MIN: usize = 24;

/// The reply without what differs from message to message or names somebody: addresses, hosts, numbers, ids
/// and quoted texts are replaced by what they are. Two replies of one shape are one text to learn.
///
/// A shape is for counters and reports. Give it a text whose addresses were replaced by their tokens
/// already: a local part that stands alone can't be told from a word.
#[must_use]
pub fn shape(reply: &str) -> String {
    let reply = &reply[..reply.floor_char_boundary(super::REPLY_BYTES_MAX)];
    let mut shape = String::with_capacity(SHAPE_BYTES_MAX);
    for part in unquoted(reply).split_whitespace() {
        let masked = mask(part);
        if shape.len() + masked.len() >= SHAPE_BYTES_MAX {
            break;
        }
        // A list of ids is one shape, however long it is.
        if !(masked.starts_with('<') && shape.ends_with(&masked)) {
            if !shape.is_empty() {
                shape.push(' ');
            }
            shape.push_str(&masked);
        }
    }
    shape
}

/// The text with each quoted part replaced.
fn unquoted(text: &str) -> String {
    let mut pieces = text.split('"');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    while let (Some(_), rest) = (pieces.next(), pieces.next()) {
        plain.push_str(" <quoted> ");
        plain.push_str(rest.unwrap_or_default());
    }
    plain
}

/// A word as it is counted.
fn mask(word: &str) -> String {
    if word == "<quoted>" {
        return word.to_owned();
    }
    let core = word.trim_matches(|character: char| !character.is_alphanumeric());
    let digits = core.bytes().filter(u8::is_ascii_digit).count();
    let inner_dot = core.split('.').count() > 1;
    let kind = match core {
        "" => return String::new(),
        _ if core.contains('@') => "<address>",
        _ if core.contains("://") => "<url>",
        _ if is_status(core) => return core.to_owned(),
        _ if inner_dot && core.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => "<ip>",
        _ if inner_dot => "<host>",
        _ if core.contains(':') && digits > 0 => "<id>",
        _ if digits == core.len() => "<number>",
        _ if digits > 0 || core.len() >= ID_BYTES_MIN || core.contains(['=', '_', '+', '/']) => "<id>",
        _ => return core.to_lowercase(),
    };
    kind.to_owned()
}

/// 550, 5.7.1 or 550-5.7.1: what the shape is about.
fn is_status(word: &str) -> bool {
    match word.split_once('-') {
        Some((basic, enhanced)) => is_code(basic) && is_code(enhanced),
        None => is_code(word),
    }
}

fn is_code(text: &str) -> bool {
    let is_basic = text.len() == 3 && matches!(number(text), Some(400..=599));
    is_basic || Enhanced::parse(text).is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_differs_from_message_to_message_is_left_out() {
        let one = "550 5.7.9 <ada@example.com> Frobnicated by mx1.example.com [192.0.2.1] (id 4f3a-77) see https://x.io/a?b";
        let two = "550 5.7.9 <bob@example.org> frobnicated by mail.example.net [198.51.100.7] (id 99) see https://y.io/c";
        assert_eq!(shape(one), "550 5.7.9 <address> frobnicated by <host> <ip> id <id> see <url>");
        assert_eq!(shape(two), "550 5.7.9 <address> frobnicated by <host> <ip> id <number> see <url>");
        assert_eq!(shape("unknown thing \"kijitora\" at door"), "unknown thing <quoted> at door");
        assert_eq!(shape("\"open"), "<quoted>");
    }

    proptest! {
        /// E2: no address and no number of more than a status code's digits is in a shape.
        #[test]
        fn no_address_and_no_number_is_in_a_shape(text in "([a-z]{1,6}[ <>\"(),;:/=-]|[a-z0-9.]{1,9}@[a-z]{2,5}\\.(com|io)|[0-9]{4,9}| ){0,30}") {
            let shape = shape(&text);
            prop_assert!(!shape.contains('@'), "{}", shape);
            let digits = shape.split(|character: char| !character.is_ascii_digit()).map(str::len).max();
            prop_assert!(digits.unwrap_or(0) <= 3, "{}", shape);
        }

        #[test]
        fn any_text_has_a_short_shape(text in any::<String>()) {
            prop_assert!(shape(&text).len() <= SHAPE_BYTES_MAX);
        }
    }
}
