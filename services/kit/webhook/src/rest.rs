//! What an event says beyond the known fields.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value};

/// Room for what is left over of nearly every event.
const MEMBERS_USUAL: usize = 12;

/// Members that nobody asked for, by name, each name once. Unread: most readers of an event never look.
#[derive(Clone, Default, PartialEq)]
pub struct Rest<'a> {
    /// In order of their names.
    members: Vec<(Cow<'a, str>, Leftover<'a>)>,
}

/// A member's value.
#[derive(Clone, PartialEq)]
pub enum Leftover<'a> {
    /// As it was written.
    Json(Cow<'a, str>),
    /// An object of which the rest is left.
    Members(Rest<'a>),
}

impl<'a> Rest<'a> {
    /// Whether nothing is left over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Names and values, in order of the names.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Leftover<'a>)> {
        self.members.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// The value of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Leftover<'a>> {
        let place = self.members.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok()?;
        Some(&self.members[place].1)
    }

    /// The whole as JSON values.
    #[must_use]
    pub fn to_map(&self) -> Map<String, Value> {
        self.members().map(|(name, value)| (name.to_owned(), value.to_value())).collect()
    }

    /// The same with texts of its own.
    pub(crate) fn into_owned(self) -> Rest<'static> {
        let members = self.members.into_iter();
        let own = |(name, value): (Cow<'a, str>, Leftover<'a>)| {
            let value = match value {
                Leftover::Json(json) => Leftover::Json(Cow::Owned(json.into_owned())),
                Leftover::Members(rest) => Leftover::Members(rest.into_owned()),
            };
            (Cow::Owned(name.into_owned()), value)
        };
        Rest { members: members.map(own).collect() }
    }

    /// Adds one, unless the name is there.
    pub(crate) fn add(&mut self, name: &'static str, value: Leftover<'a>) {
        if let Err(place) = self.members.binary_search_by(|(known, _)| known.as_ref().cmp(name)) {
            self.members.insert(place, (Cow::Borrowed(name), value));
        }
    }
}

/// Of a repeated name the first counts.
impl<'a> FromIterator<(Cow<'a, str>, &'a str)> for Rest<'a> {
    fn from_iter<I: IntoIterator<Item = (Cow<'a, str>, &'a str)>>(members: I) -> Self {
        let given = members.into_iter().map(|(name, json)| (name, Leftover::Json(Cow::Borrowed(json))));
        let mut members: Vec<(Cow<'a, str>, Leftover<'a>)> = Vec::with_capacity(MEMBERS_USUAL);
        members.extend(given);
        members.sort_by(|(one, _), (other, _)| one.cmp(other));
        members.dedup_by(|(later, _), (first, _)| later == first);
        Self { members }
    }
}

impl Leftover<'_> {
    /// The value; what a [`Value`] cannot hold (too deep, a number too large) stays as its JSON text.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Self::Json(json) => {
                serde_json::from_str(json).unwrap_or_else(|_| Value::String(json.clone().into_owned()))
            }
            Self::Members(rest) => Value::Object(rest.to_map()),
        }
    }
}

/// How much is left over, never what (E2).
impl fmt::Debug for Rest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest").field("members", &self.members.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Leftover<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leftover").finish_non_exhaustive()
    }
}
