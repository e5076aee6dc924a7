//! The fields that an event is asked for, found in one pass over its members.

use std::borrow::Cow;

use crate::object::{Found, Object};

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

/// An event's top level or its `data`: its members, and which of them are known fields.
#[derive(Default)]
pub(crate) struct Level<'a> {
    members: Vec<(Option<Field>, Cow<'a, str>, &'a str)>,
    first: [Option<&'a str>; Field::COUNT],
    taken: [bool; Field::COUNT],
}

impl<'a> Level<'a> {
    /// Reads `json`; `None` where it is another thing than an object.
    pub(crate) fn read(json: &'a str) -> Option<Self> {
        let object = Object::read(json)?;
        let mut level = Self::default();
        let members = object.into_members().into_iter().map(|member| {
            let field = Field::of(&member.name);
            if let Some(field) = field {
                level.first[field as usize].get_or_insert(member.json);
            }
            (field, member.name, member.json)
        });
        level.members = members.collect();
        Some(level)
    }

    /// Every value of this field, in order.
    pub(crate) fn all(&self, field: Field) -> impl Iterator<Item = &'a str> {
        self.members.iter().filter(move |(known, ..)| *known == Some(field)).map(|(.., json)| *json)
    }

    /// Takes the first member of this field where `read` understands it, and with it its repeats.
    pub(crate) fn take<T>(&mut self, field: Field, read: impl FnOnce(&'a str) -> Option<T>) -> Found<T> {
        let found = Found::of(self.first[field as usize], read);
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
