//! One level of a JSON object, members in order and repeats kept.
//!
//! serde's derived structs refuse a repeated key and give up at a nesting of 128. A sender's slip must cost neither the
//! event nor the stack, so an object is read as names and unread slices, and each slice only as what it should be.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// An object's members. Reading one takes it, so that what nobody asked for is left over.
#[derive(Default)]
pub(crate) struct Object<'a> {
    members: Vec<Member<'a>>,
}

struct Member<'a> {
    name: Cow<'a, str>,
    value: &'a RawValue,
    taken: bool,
}

/// What a member was found to hold.
pub(crate) enum Found<T> {
    /// No such member, or null, or the empty string: the three ways in which senders say nothing.
    Nothing,
    /// Something of another shape. It stays among the left-overs.
    Otherwise,
    /// The thing itself.
    Value(T),
}

impl<T> Found<T> {
    pub(crate) fn value(self) -> Option<T> {
        if let Self::Value(value) = self { Some(value) } else { None }
    }
}

impl<'a> Object<'a> {
    /// Reads `json`; `None` where it is another thing than an object.
    pub(crate) fn read(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// Every value of this name, in order.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &'a RawValue> {
        self.members.iter().filter(move |member| member.name == name).map(|member| member.value)
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.members.iter().map(|member| (member.name.as_ref(), member.value))
    }

    /// Takes the first member of this name where `read` understands it, and with it its repeats.
    pub(crate) fn take<T>(&mut self, name: &str, read: impl FnOnce(&'a str) -> Option<T>) -> Found<T> {
        let Some(json) = self.all(name).next().map(RawValue::get) else { return Found::Nothing };
        let found = match json {
            "null" | "\"\"" => Found::Nothing,
            json => read(json).map_or(Found::Otherwise, Found::Value),
        };
        if !matches!(found, Found::Otherwise) {
            self.members
                .iter_mut()
                .filter(|member| member.name == name)
                .for_each(|member| member.taken = true);
        }
        found
    }

    /// Moves what was not taken, nor is named in `except`, to `rest`, where the first of a name stays.
    pub(crate) fn leave(self, except: &[&str], rest: &mut Map<String, Value>) {
        for member in self.members {
            if !member.taken && !except.contains(&member.name.as_ref()) {
                rest.entry(member.name).or_insert_with(|| value(member.value.get()));
            }
        }
    }
}

/// A string, or a number's own text: senders write ids both ways.
pub(crate) fn text(json: &str) -> Option<String> {
    match json.as_bytes().first()? {
        b'"' => string(json),
        b'-' | b'0'..=b'9' => Some(json.to_owned()),
        _ => None,
    }
}

/// A string. Half a surrogate pair becomes U+FFFD: it is not worth an event.
pub(crate) fn string(json: &str) -> Option<String> {
    serde_json::from_str::<Text<'_>>(json).ok().map(|text| text.0.into_owned())
}

/// A truth value, or what other senders write for one.
pub(crate) fn truth(json: &str) -> Option<bool> {
    match json {
        "true" | "1" | "\"true\"" | "\"1\"" => Some(true),
        "false" | "0" | "\"false\"" | "\"0\"" => Some(false),
        _ => None,
    }
}

/// The value; what `Value` cannot hold (too deep, a number too large) stays as its JSON text.
fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|_| Value::String(json.to_owned()))
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    members.push(Member { name, value, taken: false });
                }
                Ok(Object { members })
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// A JSON string, borrowed where it holds no escapes. Read as bytes, since as text half a surrogate pair is an error.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Text(String::from_utf8_lossy(bytes)))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(String::from_utf8_lossy(bytes).into_owned())))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}
