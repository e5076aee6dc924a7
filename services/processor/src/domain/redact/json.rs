//! JSON without addresses and secrets: every text in it, names included.

use std::borrow::Cow;

use schemas::token::Kind;
use serde_json::{Map, Value};
use webhook::rest::{Leftover, Rest};

use super::{Redactor, link, phone};

/// Longest whole number whose text is the same however it is read and written, in digits.
const PLAIN_DIGITS_MAX: usize = 18;

/// What a member's name says of its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MemberKind {
    /// A telephone number, where the value looks like one.
    Phone,
    /// A push token.
    Device,
    /// A secret.
    Secret,
    /// Any text.
    Other,
}

impl MemberKind {
    fn of(name: &str) -> Self {
        let is = |known: &&str| name.eq_ignore_ascii_case(known);
        // The names are told apart by their length first: nearly all are none of these.
        match name.len() {
            2..=5 if ["to", "from", "tel", "sms", "cell", "phone"].iter().any(is) => Self::Phone,
            6 if ["mobile", "msisdn"].iter().any(is) => Self::Phone,
            8 | 9 | 12 if ["whatsapp", "telephone", "phone_number"].iter().any(is) => Self::Phone,
            9 | 10 | 12 | 15 if DEVICES.iter().any(is) => Self::Device,
            6 | 7 | 8 | 11 | 12 | 13 if SECRETS.iter().any(is) => Self::Secret,
            _ => Self::Other,
        }
    }
}

const DEVICES: [&str; 6] =
    ["device_id", "push_token", "fcm_token", "apns_token", "device_token", "registration_id"];

const SECRETS: [&str; 9] = [
    "secret",
    "api_key",
    "password",
    "webhook_url",
    "access_token",
    "refresh_token",
    "authorization",
    "signing_key",
    "passwd",
];

impl Redactor<'_> {
    /// `rest` as one JSON object, with every text in it redacted, names included.
    #[must_use]
    pub fn json(&self, rest: &Rest<'_>) -> String {
        // A name that changes may meet another, and leaves the order.
        if rest.members().any(|(name, _)| self.text(name) != name) {
            return Value::Object(self.fields(&rest.to_map())).to_string();
        }
        let mut json = String::with_capacity(128);
        json.push('{');
        for (name, leftover) in rest.members() {
            if json.len() > 1 {
                json.push(',');
            }
            push_quoted(&mut json, name);
            json.push(':');
            self.push_value(&mut json, leftover, MemberKind::of(name));
        }
        json.push('}');
        json
    }

    /// Texts without escapes and plain numbers need no parsing; whatever else comes takes the long way, to
    /// the same bytes.
    fn push_value(&self, json: &mut String, leftover: &Leftover<'_>, member: MemberKind) {
        match leftover {
            Leftover::Json(written)
                if matches!(written.as_ref(), "true" | "false" | "null")
                    || (is_plain_number(written) && member == MemberKind::Other) =>
            {
                json.push_str(written);
            }
            Leftover::Json(written) => match unescaped(written) {
                Some(inner) => push_quoted(json, &self.member(inner, member)),
                None => json.push_str(&self.value(&leftover.to_value(), member).to_string()),
            },
            Leftover::Members(rest) => json.push_str(&self.json(rest)),
        }
    }

    /// `fields` with every text in them redacted, names included.
    pub(super) fn fields(&self, fields: &Map<String, Value>) -> Map<String, Value> {
        let redacted = fields
            .iter()
            .map(|(name, value)| (self.text(name).into_owned(), self.value(value, MemberKind::of(name))));
        redacted.collect()
    }

    fn value(&self, of: &Value, member: MemberKind) -> Value {
        match of {
            Value::String(string) => Value::String(self.member(string, member).into_owned()),
            Value::Number(number) if member != MemberKind::Other => {
                let written = number.to_string();
                let redacted = self.member(&written, member);
                if redacted == written { of.clone() } else { Value::String(redacted.into_owned()) }
            }
            Value::Array(items) => items.iter().map(|item| self.value(item, member)).collect(),
            Value::Object(object) => Value::Object(self.fields(object)),
            Value::Null | Value::Bool(_) | Value::Number(_) => of.clone(),
        }
    }

    /// A text as a member's value.
    fn member<'t>(&self, text: &'t str, member: MemberKind) -> Cow<'t, str> {
        match member {
            MemberKind::Phone if phone::is_whole(text) => Cow::Owned(self.phone(text)),
            MemberKind::Device if !text.is_empty() => Cow::Owned(self.tokens.token(Kind::Device, text)),
            MemberKind::Secret if !text.is_empty() => Cow::Owned(self.tokens.token(Kind::Link, text)),
            _ if link::is_whole(text) => self.link(text),
            _ => self.text(text),
        }
    }

    fn phone(&self, text: &str) -> String {
        let named = phone::named(text, self.named.phones());
        self.tokens.token(Kind::Phone, named.unwrap_or(text))
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
