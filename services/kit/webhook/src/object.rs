//! One level of a JSON object, members in order and repeats kept.
//!
//! serde's derived structs refuse a repeated key and give up at a nesting of 128. A sender's slip must cost
//! neither the event nor the stack, so an object is read as names and unread slices, and each slice only as
//! what it should be.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::rest::Rest;

/// Hands every member of an object to `each`, in order: its name, and its value as it is written. `None`
/// where `json` is another thing than an object; `each` may have had members then.
pub(crate) fn members<'a>(json: &'a str, each: impl FnMut(Cow<'a, str>, &'a str)) -> Option<()> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.deserialize_map(Members(each)).ok()?;
    deserializer.end().ok()
}

/// An object's members. Reading one takes it, so that what nobody asked for is left over.
#[derive(Default)]
pub(crate) struct Object<'a> {
    members: Vec<Member<'a>>,
}

pub(crate) struct Member<'a> {
    pub(crate) name: Cow<'a, str>,
    /// The value as it is written.
    pub(crate) json: &'a str,
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
    /// What a member's JSON is, where `read` may understand it.
    pub(crate) fn of<'a>(json: Option<&'a str>, read: impl FnOnce(&'a str) -> Option<T>) -> Self {
        match json {
            None | Some("null" | "\"\"") => Self::Nothing,
            Some(json) => read(json).map_or(Self::Otherwise, Self::Value),
        }
    }

    pub(crate) fn value(self) -> Option<T> {
        if let Self::Value(value) = self { Some(value) } else { None }
    }
}

impl<'a> Object<'a> {
    /// Reads `json`; `None` where it is another thing than an object.
    pub(crate) fn read(json: &'a str) -> Option<Self> {
        let mut object = Self::default();
        members(json, |name, json| object.members.push(Member { name, json, taken: false }))?;
        Some(object)
    }

    /// Every value of this name, in order.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.members.iter().filter(move |member| member.name == name).map(|member| member.json)
    }

    pub(crate) fn members(&self) -> &[Member<'a>] {
        &self.members
    }

    /// Takes the first member of this name where `read` understands it, and with it its repeats.
    pub(crate) fn take<T>(&mut self, name: &str, read: impl FnOnce(&'a str) -> Option<T>) -> Found<T> {
        let found = Found::of(self.all(name).next(), read);
        if !matches!(found, Found::Otherwise) {
            let repeats = self.members.iter_mut().filter(|member| member.name == name);
            repeats.for_each(|member| member.taken = true);
        }
        found
    }

    /// What was not taken.
    pub(crate) fn rest(self) -> Rest<'a> {
        let left = self.members.into_iter().filter(|member| !member.taken);
        left.map(|member| (member.name, member.json)).collect()
    }
}

/// A string, or a number's own text: senders write ids both ways.
pub(crate) fn text(json: &str) -> Option<Cow<'_, str>> {
    match json.as_bytes().first()? {
        b'"' => string(json),
        b'-' | b'0'..=b'9' => Some(Cow::Borrowed(json)),
        _ => None,
    }
}

/// A string, borrowed where it holds no escapes. Half a surrogate pair becomes U+FFFD: it is not worth an
/// event.
pub(crate) fn string(json: &str) -> Option<Cow<'_, str>> {
    let written = json.strip_prefix('"')?.strip_suffix('"')?;
    if written.contains('\\') {
        return serde_json::from_str::<Text<'_>>(json).ok().map(|text| text.0);
    }
    Some(Cow::Borrowed(written))
}

/// A truth value, or what other senders write for one.
pub(crate) fn truth(json: &str) -> Option<bool> {
    match json {
        "true" | "1" | "\"true\"" | "\"1\"" => Some(true),
        "false" | "0" | "\"false\"" | "\"0\"" => Some(false),
        _ => None,
    }
}

struct Members<F>(F);

impl<'de, F: FnMut(Cow<'de, str>, &'de str)> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
            (self.0)(name, value.get());
        }
        Ok(())
    }
}

/// As [`members`], and the members of the first object named `inner` go to `each_inner`, in the same pass;
/// answers whether there was one. `None` also where that first one is no object, or a name is odd (half a
/// surrogate pair, a control character): that needs a second look.
pub(crate) fn members_twofold<'a>(
    json: &'a str,
    inner: &'static str,
    each: impl FnMut(Cow<'a, str>, &'a str),
    each_inner: impl FnMut(Cow<'a, str>, &'a str),
) -> Option<bool> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let met = deserializer.deserialize_map(Outer { each, inner: Some((inner, Inner(each_inner))) }).ok()?;
    deserializer.end().ok().map(|()| met)
}

struct Outer<F, G> {
    each: F,
    /// Until it was met.
    inner: Option<(&'static str, Inner<G>)>,
}

impl<'de, F, G> Visitor<'de> for Outer<F, G>
where
    F: FnMut(Cow<'de, str>, &'de str),
    G: FnMut(Cow<'de, str>, &'de str),
{
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<bool, A::Error> {
        while let Some(Name(name)) = map.next_key()? {
            match self.inner.take_if(|(inner, _)| name == *inner) {
                Some((_, inner)) => map.next_value_seed(inner).map(drop)?,
                None => (self.each)(name, map.next_value::<&'de RawValue>()?.get()),
            }
        }
        Ok(self.inner.is_none())
    }
}

struct Inner<G>(G);

impl<'de, G: FnMut(Cow<'de, str>, &'de str)> DeserializeSeed<'de> for Inner<G> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_map(Outer { each: self.0, inner: None::<(_, Inner<G>)> })
    }
}

/// A member's name, borrowed where it holds no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowed;
        impl<'de> Visitor<'de> for Borrowed {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(Borrowed)
    }
}

/// A JSON string, borrowed where it holds no escapes. Read as bytes, since as text half a surrogate pair is
/// an error.
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
