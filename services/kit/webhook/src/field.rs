//! The fields that an event is asked for, found in one pass over its members.

use std::borrow::Cow;

use crate::object::{self, Found};

macro_rules! fields {
    ($($field:ident = $name:literal),* $(,)?) => {
        /// A field with a meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Field { $($field),* }

        impl Field {
            const COUNT: usize = [$($name),*].len();

            fn of(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$field),)*
                    _ => None,
                }
            }
        }
    };
}

fields! {
    EventId = "event_id",
    Metric = "metric",
    ObjectType = "object_type",
    ObjectTypeType = "object_type_type",
    Timestamp = "timestamp",
    Data = "data",
    DeliveryId = "delivery_id",
    CampaignId = "campaign_id",
    ActionId = "action_id",
    BroadcastId = "broadcast_id",
    NewsletterId = "newsletter_id",
    TransactionalMessageId = "transactional_message_id",
    ContentId = "content_id",
    TemplateId = "template_id",
    Recipient = "recipient",
    Recipients = "recipients",
    Subject = "subject",
    Href = "href",
    LinkId = "link_id",
    FailureMessage = "failure_message",
    Machine = "machine",
    Prefetched = "prefetched",
    Proxied = "proxied",
    Synthetic = "synthetic",
    CustomerId = "customer_id",
    Identifiers = "identifiers",
    EmailAddress = "email_address",
    Content = "content",
    Headers = "headers",
    Body = "body",
}

/// Room for the members of nearly every event.
const MEMBERS_USUAL: usize = 20;

/// An event's top level or its `data`: its members, and which of them are known fields.
#[derive(Default)]
pub(crate) struct Level<'a> {
    members: Vec<(Option<Field>, Cow<'a, str>, &'a str)>,
    /// Of each field, the number of its first member, counted from 1.
    first: [u32; Field::COUNT],
    taken: [bool; Field::COUNT],
}

impl<'a> Level<'a> {
    /// Reads `json`; `None` where it is another thing than an object.
    fn read(json: &'a str) -> Option<Self> {
        let mut level = Self::roomy();
        object::members(json, |name, json| level.add(name, json))?;
        Some(level)
    }

    /// Both levels of an event: its top, and its `data` where that is an object. `None` where `json` is none.
    pub(crate) fn read_both(json: &'a str) -> Option<(Self, Option<Self>)> {
        let (mut top, mut data) = (Self::roomy(), Self::roomy());
        let met = object::members_twofold(
            json,
            "data",
            |name, json| top.add(name, json),
            |name, json| data.add(name, json),
        );
        if let Some(met) = met {
            top.taken[Field::Data as usize] = met;
            return Some((top, met.then_some(data)));
        }
        let mut top = Self::read(json)?;
        let data = top.take(Field::Data, Self::read).value();
        Some((top, data))
    }

    fn roomy() -> Self {
        Self { members: Vec::with_capacity(MEMBERS_USUAL), ..Self::default() }
    }

    fn add(&mut self, name: Cow<'a, str>, json: &'a str) {
        let field = Field::of(&name);
        self.members.push((field, name, json));
        let first = field.map(|field| &mut self.first[field as usize]).filter(|first| **first == 0);
        if let Some(first) = first {
            *first = u32::try_from(self.members.len()).unwrap_or(0);
        }
    }

    /// Every value of this field, in order.
    pub(crate) fn all(&self, field: Field) -> impl Iterator<Item = &'a str> {
        self.members.iter().filter(move |(known, ..)| *known == Some(field)).map(|(.., json)| *json)
    }

    /// Takes the first member of this field where `read` understands it, and with it its repeats.
    pub(crate) fn take<T>(&mut self, field: Field, read: impl FnOnce(&'a str) -> Option<T>) -> Found<T> {
        let first = self.first[field as usize].checked_sub(1).map(|at| self.members[at as usize].2);
        let found = Found::of(first, read);
        self.taken[field as usize] |= !matches!(found, Found::Otherwise);
        found
    }

    /// What was not taken, nor is named in `except`, in order, repeats included.
    pub(crate) fn leave(self, except: &[Field]) -> impl Iterator<Item = (Cow<'a, str>, &'a str)> {
        let Self { members, taken, .. } = self;
        let is_left = move |field: Option<Field>| {
            field.is_none_or(|field| !taken[field as usize] && !except.contains(&field))
        };
        members.into_iter().filter(move |(field, ..)| is_left(*field)).map(|(_, name, json)| (name, json))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one pass is only faster: where it gives up, a second look finds the same.
    #[test]
    fn one_pass_finds_what_two_passes_find() {
        let shown = |level: &Level<'_>| {
            level.members.iter().map(|(_, name, json)| format!("{name}:{json}")).collect::<Vec<_>>()
        };
        for json in [
            r#"{"metric":"sent"}"#,
            r#" { "a" : 1 , "data" : { "x" : [ {"data":{}} ], "x":2 } , "b\n":null } "#,
            r#"{"data":{},"data":{"y":1},"c":{"data":{"z":1}}}"#,
            r#"{"data":null,"data":{"y":1}}"#,
            r#"{"data":[1],"a":2}"#,
            r#"{"data":"","a":2}"#,
            r#"{"\ud800":1,"data":{"a":1}}"#,
            r#"{"data":{"\ud800":1}}"#,
            r#"{"d\u0061ta":{"a":1}}"#,
            "{\"a\u{1}\":1,\"data\":{\"b\":2}}",
        ] {
            let (top, data) = Level::read_both(json).expect("an object");
            let mut twice = Level::read(json).expect("an object");
            assert_eq!(
                shown(&twice).iter().filter(|member| !member.starts_with("data:")).collect::<Vec<_>>(),
                shown(&top).iter().filter(|member| !member.starts_with("data:")).collect::<Vec<_>>(),
                "{json}"
            );
            let expected = twice.take(Field::Data, Level::read).value();
            assert_eq!(data.as_ref().map(shown), expected.as_ref().map(shown), "{json}");
            let left =
                |level: Level<'_>| level.leave(&[]).map(|(name, _)| name.into_owned()).collect::<Vec<_>>();
            assert_eq!(left(top), left(twice), "{json}");
        }
        for json in [r#"{"data":{}"#, r#"{"data":{}}}"#, r#"{"data":{"a":}}"#, "[]", "", r#"{"a":1,}"#] {
            assert!(Level::read_both(json).is_none() && Level::read(json).is_none(), "{json}");
        }
    }
}
