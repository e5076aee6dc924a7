//! Free text without addresses: SMTP replies, links and subjects name recipients, and the public topics must not (E2).

mod plain;

use std::borrow::Cow;
use std::ops::Range;

use plain::Plain;
use schemas::token::{Kind, TokenKey};
use serde_json::{Map, Value};
use webhook::rest::{Leftover, Rest};

/// Fewest digits after a `+` that are taken for a telephone number (E.164 allows 15 at most).
const PHONE_DIGITS_MIN: usize = 8;
const PHONE_DIGITS_MAX: usize = 15;

/// Longest whole number whose text is the same however it is read and written, in digits.
const PLAIN_DIGITS_MAX: usize = 18;

/// `text` with every e-mail address and every `+` number replaced by its token, however deep they are escaped: as links
/// escape (`%2540`), and as JSON does (`\u0040`). What stands around them stays as it was written.
#[must_use]
pub fn text<'a>(text: &'a str, tokens: &TokenKey) -> Cow<'a, str> {
    if !text.bytes().any(|byte| matches!(byte, b'@' | b'+' | b'%' | b'\\')) {
        return Cow::Borrowed(text);
    }
    let given = Plain::of(text);
    let plain = given.text();
    if !plain.bytes().any(|byte| matches!(byte, b'@' | b'+')) {
        return Cow::Borrowed(text);
    }
    let out = String::with_capacity(text.len());
    let mut redacted = Redacted { given: &given, tokens, out, done: 0 };
    for email in emails(plain) {
        redacted.replace_phones(email.start);
        redacted.replace(Kind::Email, email);
    }
    redacted.replace_phones(plain.len());
    redacted.out.push_str(given.written(redacted.done..plain.len()));
    Cow::Owned(redacted.out)
}

/// `rest` as one JSON object, with every text in it redacted, names included.
#[must_use]
pub fn json(rest: &Rest<'_>, tokens: &TokenKey) -> String {
    // A name that changes may meet another, and leaves the order.
    if rest.members().any(|(name, _)| text(name, tokens) != name) {
        return Value::Object(fields(&rest.to_map(), tokens)).to_string();
    }
    let mut json = String::with_capacity(128);
    json.push('{');
    for (name, leftover) in rest.members() {
        if json.len() > 1 {
            json.push(',');
        }
        push_quoted(&mut json, name);
        json.push(':');
        push_value(&mut json, leftover, tokens);
    }
    json.push('}');
    json
}

/// Texts without escapes and plain numbers need no parsing; whatever else comes takes the long way, to the same bytes.
fn push_value(json: &mut String, leftover: &Leftover<'_>, tokens: &TokenKey) {
    match leftover {
        Leftover::Json(written)
            if is_plain_number(written) || matches!(*written, "true" | "false" | "null") =>
        {
            json.push_str(written);
        }
        Leftover::Json(written) => match unescaped(written) {
            Some(inner) => push_quoted(json, &text(inner, tokens)),
            None => json.push_str(&value(&leftover.to_value(), tokens).to_string()),
        },
        Leftover::Members(rest) => json.push_str(&self::json(rest, tokens)),
    }
}

fn is_plain_number(written: &str) -> bool {
    written.len() <= PLAIN_DIGITS_MAX
        && written.bytes().all(|byte| byte.is_ascii_digit())
        && (written == "0" || !written.starts_with('0'))
}

/// The inside of a JSON text that has no escapes.
fn unescaped(written: &str) -> Option<&str> {
    written.strip_prefix('"')?.strip_suffix('"').filter(|inner| !inner.contains('\\'))
}

fn push_quoted(json: &mut String, text: &str) {
    if text.bytes().any(|byte| byte < b' ' || matches!(byte, b'"' | b'\\')) {
        json.push_str(&Value::from(text).to_string());
    } else {
        json.push('"');
        json.push_str(text);
        json.push('"');
    }
}

/// `fields` with every text in them redacted, names included.
fn fields(fields: &Map<String, Value>, tokens: &TokenKey) -> Map<String, Value> {
    fields.iter().map(|(name, value)| (text(name, tokens).into_owned(), self::value(value, tokens))).collect()
}

fn value(of: &Value, tokens: &TokenKey) -> Value {
    match of {
        Value::String(string) => Value::String(text(string, tokens).into_owned()),
        Value::Array(items) => Value::Array(items.iter().map(|item| value(item, tokens)).collect()),
        Value::Object(object) => Value::Object(fields(object, tokens)),
        Value::Null | Value::Bool(_) | Value::Number(_) => of.clone(),
    }
}

/// A text in the making: as it was written, but for its addresses.
struct Redacted<'a> {
    given: &'a Plain<'a>,
    tokens: &'a TokenKey,
    out: String,
    /// How much of the plain text is in `out`.
    done: usize,
}

impl Redacted<'_> {
    fn replace(&mut self, kind: Kind, address: Range<usize>) {
        self.out.push_str(self.given.written(self.done..address.start));
        self.out.push_str(&self.tokens.token(kind, &self.given.text()[address.clone()]));
        self.done = address.end;
    }

    fn replace_phones(&mut self, until: usize) {
        let begin = self.done;
        for phone in phones(&self.given.text()[begin..until]) {
            self.replace(Kind::Phone, begin + phone.start..begin + phone.end);
        }
    }
}

/// Where e-mail addresses stand. One pass: a text of nothing but signs must not cost its length squared.
fn emails(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut searched = 0;
    std::iter::from_fn(move || {
        loop {
            let at = searched + text[searched..].find('@')?;
            let (local, domain) = (local_part(&text[searched..at]), domain_part(&text[at + 1..]));
            searched = at + 1;
            if !local.is_empty() && !domain.is_empty() {
                searched += domain.len();
                return Some(at - local.len()..searched);
            }
        }
    })
}

/// The longest end of `before` that can be a local part. Quoted forms aside, which no provider delivers.
fn local_part(before: &str) -> &str {
    let allowed = |character: char| character.is_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(character);
    let text = before.trim_end_matches(allowed);
    // Of a link or a field (`?to=ada`, `mailto:ada`, `path/ada`) only what follows the last separator can be meant.
    let candidate = &before[text.len()..];
    let start = candidate.rfind(['=', '/', '?', '&', '#']).map_or(0, |at| at + 1);
    &candidate[start..]
}

/// The longest beginning of `after` that is a domain with a dot, or a lone host name.
fn domain_part(after: &str) -> &str {
    let allowed = |character: char| character.is_alphanumeric() || character == '.' || character == '-';
    let end = after.find(|character: char| !allowed(character)).unwrap_or(after.len());
    after[..end].trim_end_matches(['.', '-'])
}

/// Where telephone numbers stand.
fn phones(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices('+').filter_map(|(plus, _)| {
        let digits = text[plus + 1..].bytes().take_while(u8::is_ascii_digit).count();
        (PHONE_DIGITS_MIN..=PHONE_DIGITS_MAX).contains(&digits).then_some(plus..plus + 1 + digits)
    })
}

#[cfg(test)]
mod tests;
