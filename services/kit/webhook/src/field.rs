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
    pub(crate) fn read(json: &'a str) -> Option<Self> {
        let mut level = Self { members: Vec::with_capacity(MEMBERS_USUAL), ..Self::default() };
        object::members(json, |name, json| level.add(name, json))?;
        Some(level)
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
