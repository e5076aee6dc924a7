//! Free text without addresses: SMTP replies, links and subjects name recipients, and the public topics must not (E2).

use std::borrow::Cow;

use schemas::token::{Kind, TokenKey};
use serde_json::{Map, Value};
use webhook::rest::{Leftover, Rest};

/// Fewest digits after a `+` that are taken for a telephone number (E.164 allows 15 at most).
const PHONE_DIGITS_MIN: usize = 8;
const PHONE_DIGITS_MAX: usize = 15;

/// Longest whole number whose text is the same however it is read and written, in digits.
const PLAIN_DIGITS_MAX: usize = 18;

/// `text` with every e-mail address, also percent-encoded, and every `+` number replaced by its token.
#[must_use]
pub fn text<'a>(text: &'a str, tokens: &TokenKey) -> Cow<'a, str> {
    if !text.bytes().any(|byte| matches!(byte, b'@' | b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let without_addresses = emails(text, tokens);
    Cow::Owned(phones(&without_addresses, tokens))
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

fn emails(text: &str, tokens: &TokenKey) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, sign)) = next_at(rest) {
        let (before, after) = (&rest[..at], &rest[at + sign.len()..]);
        let local = local_part(before);
        let domain = domain_part(after);
        out.push_str(&before[..before.len() - local.len()]);
        if local.is_empty() || domain.is_empty() {
            out.push_str(local);
            out.push_str(sign);
            rest = after;
        } else {
            let address = format!("{}@{domain}", percent_decoded(local));
            out.push_str(&tokens.token(Kind::Email, &address));
            rest = &after[domain.len()..];
        }
    }
    out.push_str(rest);
    out
}

/// The next `@`, or `%40` as links write it. One pass: a text of nothing but signs must not cost its length squared.
fn next_at(text: &str) -> Option<(usize, &'static str)> {
    text.bytes().enumerate().find_map(|(at, byte)| match byte {
        b'@' => Some((at, "@")),
        b'%' if text[at..].starts_with("%40") => Some((at, "%40")),
        _ => None,
    })
}

/// The longest end of `before` that can be a local part. Quoted forms aside, which no provider delivers.
fn local_part(before: &str) -> &str {
    let allowed = |character: char| character.is_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(character);
    let text = before.trim_end_matches(allowed);
    // Of a link or a field (`?to=ada`, `mailto:ada`, `path/ada`) only what follows the last separator can be meant.
    let candidate = &before[text.len()..];
    let start = candidate.rfind(['=', '/', '?', '&']).map_or(0, |at| at + 1);
    &candidate[start..]
}

/// The longest beginning of `after` that is a domain with a dot, or a lone host name.
fn domain_part(after: &str) -> &str {
    let allowed = |character: char| character.is_alphanumeric() || character == '.' || character == '-';
    let end = after.find(|character: char| !allowed(character)).unwrap_or(after.len());
    after[..end].trim_end_matches(['.', '-'])
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let decoded = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        bytes.push(decoded.unwrap_or(*first));
        rest = if decoded.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn phones(text: &str, tokens: &TokenKey) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(plus) = rest.find('+') {
        let (before, after) = (&rest[..plus], &rest[plus + 1..]);
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        out.push_str(before);
        if (PHONE_DIGITS_MIN..=PHONE_DIGITS_MAX).contains(&digits) {
            out.push_str(&tokens.token(Kind::Phone, &after[..digits]));
            rest = &after[digits..];
        } else {
            out.push('+');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use webhook::event::Event;

    use super::*;

    #[test]
    fn an_smtp_reply_keeps_its_sense_and_loses_its_address() {
        let tokens = TokenKey::development();
        let token = tokens.token(Kind::Email, "ada@example.com");
        let reply = "550 5.1.1 <Ada@Example.com>: user unknown; try ada@example.com.";
        assert_eq!(text(reply, &tokens), format!("550 5.1.1 <{token}>: user unknown; try {token}."));
    }

    #[test]
    fn an_address_in_a_link_is_found_encoded_or_not() {
        let tokens = TokenKey::development();
        let token = tokens.token(Kind::Email, "a+b@x.io");
        assert_eq!(
            text("https://s.io/u?e=a%2Bb%40x.io&n=1", &tokens),
            format!("https://s.io/u?e={token}&n=1")
        );
        assert_eq!(text("mailto:a+b@x.io", &tokens), format!("mailto:{token}"));
    }

    #[test]
    fn a_telephone_number_is_found_and_a_small_number_is_left() {
        let tokens = TokenKey::development();
        let token = tokens.token(Kind::Phone, "+15551234567");
        assert_eq!(text("to +15551234567 failed, +3 tries", &tokens), format!("to {token} failed, +3 tries"));
    }

    #[test]
    fn nested_fields_are_searched() {
        let tokens = TokenKey::development();
        let given = r#"{"metric":"sent","a":[{"b":"x@y.z"}],"n":1,"x@y.z":true}"#;
        let clean = json(&Event::parse(given.as_bytes()).expect("an event").rest, &tokens);
        assert!(!clean.contains('@') && clean.contains("\"n\":1"), "{clean}");
    }

    #[test]
    fn a_text_of_nothing_but_signs_is_read_in_one_pass() {
        let tokens = TokenKey::development();
        for signs in ["@".repeat(4 << 20), "%40".repeat(1 << 20), "+".repeat(4 << 20)] {
            assert_eq!(text(&signs, &tokens), signs);
        }
    }

    /// Around the bounds of what is written as it came: what reading and writing would change must be changed.
    #[test]
    fn numbers_are_written_as_their_values_would_be() {
        let tokens = TokenKey::development();
        for number in [
            "0",
            "-0",
            "-7",
            "1.50",
            "1e5",
            "1e999",
            "999999999999999999",
            "18446744073709551615",
            "18446744073709551616",
            "99999999999999999999999",
        ] {
            let event = format!(r#"{{"metric":"sent","x":{number}}}"#);
            let event = Event::parse(event.as_bytes()).expect("an event");
            let values = Value::Object(fields(&event.rest.to_map(), &tokens));
            assert_eq!(json(&event.rest, &tokens), values.to_string(), "{number}");
        }
    }

    /// A member as a person might write it.
    fn member() -> impl Strategy<Value = String> {
        let text = prop_oneof!["[a-z@+.0-9 ]{0,16}", "\\PC{0,8}", any::<String>()];
        let texts = text.prop_map(|text| Value::from(text).to_string());
        let leaf = prop_oneof![
            texts.clone(),
            "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,3})?",
            "\"[a-z]{0,3}(\\\\u[0-9a-f]{4}|\\\\/|\\\\n|@)[a-z]{0,3}\"",
            proptest::sample::select(vec![
                "true",
                "false",
                "null",
                "0",
                "-0",
                "1.50",
                "1e5",
                "18446744073709551616"
            ])
            .prop_map(str::to_owned),
        ];
        let value = leaf.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3)
                    .prop_map(|items| format!("[ {} ]", items.join(","))),
                inner.prop_map(|value| format!("{{\"b\" : {value},\"a@x.y\":{value}, \"b\":1}}")),
            ]
        });
        let name = prop_oneof!["[a-c]{1,2}", "[a-z]@[a-z]", any::<String>()];
        (name, value).prop_map(|(name, value)| format!("{}: {value}", Value::from(name)))
    }

    proptest! {
        /// What the short ways write is what parsing the whole and writing it again would.
        #[test]
        fn members_are_written_as_their_values_would_be(members in proptest::collection::vec(member(), 0..5)) {
            let tokens = TokenKey::development();
            let event = format!(r#"{{"metric":"sent",{}"identifiers":{{"phone":"+15551234567"}}}}"#,
                members.iter().map(|member| format!("{member},")).collect::<String>());
            let event = Event::parse(event.as_bytes()).expect("an event");
            let values = Value::Object(fields(&event.rest.to_map(), &tokens));
            prop_assert_eq!(json(&event.rest, &tokens), values.to_string());
        }

        /// E2: no spelling of a planted address survives, whatever stands around it.
        #[test]
        fn a_planted_address_never_survives(
            before in "[ <(\"':;,a-z=/?&]{0,12}", after in "([ >)\"':;,?&/][a-z ]{0,8})?",
            local in "[a-z][a-z0-9.+_-]{0,10}[a-z]", domain in "[a-z]{1,8}\\.(com|io|example)",
            sign in prop_oneof![Just("@"), Just("%40")],
        ) {
            let given = format!("{before}{local}{sign}{domain}{after}");
            let clean = text(&given, &TokenKey::development());
            let (plain, encoded) = (format!("@{domain}"), format!("%40{domain}"));
            prop_assert!(!clean.contains(&plain) && !clean.contains(&encoded), "{} -> {}", given, clean);
        }

        #[test]
        fn text_without_addresses_is_left_alone(given in "[a-zA-Z0-9 .,:;/<>()-]{0,40}") {
            prop_assert_eq!(&text(&given, &TokenKey::development()), &given);
        }
    }
}
