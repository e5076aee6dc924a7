//! The traits, one row each. The record [`CustomerTraits`], the names and the table in `docs/policies.md`
//! come from here.
//!
//! To add a trait: add a row here, in the order of the schema; add the field to `avro/customer_traits.avsc`
//! and make its golden values; derive it in the processor's `domain`; derive it once more in the oracle of
//! the tests; put the printed table into `docs/policies.md`. A test fails for each of these that is
//! forgotten.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::record::Record;

/// What a trait holds, where it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraitType {
    /// True or false.
    Flag,
    /// A time, in Unix milliseconds.
    Time,
    /// How many; never below zero.
    Count,
    /// A short text.
    Text,
}

/// A trait's value, without what type its field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraitValue<'a> {
    /// Of a [`TraitType::Flag`].
    Flag(bool),
    /// Of a [`TraitType::Time`]. Unix milliseconds.
    Time(i64),
    /// Of a [`TraitType::Count`].
    Count(i64),
    /// Of a [`TraitType::Text`].
    Text(&'a str),
}

/// What the sink to Customer.io writes of a trait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    /// An attribute of the trait's name. A time is written in seconds.
    SameName,
    /// Nothing: the name is one of the vendor's own switches.
    NotWritten,
}

/// One trait.
#[derive(Debug, Clone, Copy)]
pub struct TraitRow {
    /// The field's name in the record, and the attribute's at Customer.io.
    pub name: &'static str,
    /// What it holds.
    pub of_type: TraitType,
    /// What it says of the customer: the schema's documentation of the field.
    pub meaning: &'static str,
    /// What makes it known. Until then it is null.
    pub null_until: &'static str,
    /// What sets it, and to which value.
    pub value: &'static str,
    /// What takes it back.
    pub cleared_by: &'static str,
    /// What the sink to Customer.io writes.
    pub attribute: Attribute,
}

/// Makes a record, its names and its table of the rows.
macro_rules! traits {
    ($(
        $constant:ident $field:ident: $of_type:ident {
            meaning: $meaning:literal,
            null_until: $null_until:literal,
            value: $value:literal,
            cleared_by: $cleared_by:literal,
            attribute: $attribute:ident,
        }
    )+) => {
        /// A customer's whole set of traits; a null trait is not known. Times are Unix milliseconds.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct CustomerTraits {
            /// The customer key.
            pub customer_id: String,
            /// Grows by one with each record of this customer.
            pub revision: i64,
            /// The append time, or the timer's time, that caused this revision; never goes back. Unix
            /// milliseconds.
            pub as_of: i64,
            /// Names of the traits that differ from the previous revision. Holds for records younger than the
            /// topic's minimum compaction lag.
            pub changed: Vec<String>,
            $(
                #[doc = $meaning]
                pub $field: Option<traits!(@field $of_type)>,
            )+
        }

        /// How many traits there are.
        pub const COUNT: usize = TRAITS.len();

        /// Every trait, in the order of the schema.
        pub const TRAITS: &[TraitRow] = &[$(TraitRow {
            name: stringify!($field),
            of_type: TraitType::$of_type,
            meaning: $meaning,
            null_until: $null_until,
            value: $value,
            cleared_by: $cleared_by,
            attribute: Attribute::$attribute,
        }),+];

        impl CustomerTraits {
            /// The value of each trait, in the order of [`TRAITS`]; `None` where it is not known.
            #[must_use]
            pub fn values(&self) -> [Option<TraitValue<'_>>; COUNT] {
                [$(traits!(@value $of_type, self.$field)),+]
            }
        }

        /// Names of the traits.
        pub mod name {
            $(
                #[doc = $meaning]
                pub const $constant: &str = stringify!($field);
            )+
        }
    };
    (@field Flag) => { bool };
    (@field Time) => { i64 };
    (@field Count) => { i64 };
    (@field Text) => { String };
    (@value Flag, $field:expr) => { $field.map(TraitValue::Flag) };
    (@value Time, $field:expr) => { $field.map(TraitValue::Time) };
    (@value Count, $field:expr) => { $field.map(TraitValue::Count) };
    (@value Text, $field:expr) => { $field.as_deref().map(TraitValue::Text) };
}

traits! {
    EMAIL_DELIVERABLE email_deliverable: Flag {
        meaning: "Whether e-mail can reach this customer.",
        null_until: "the first e-mail `delivered`, `bounced`, `spammed` or `converted`, or human e-mail `opened` or `clicked`",
        value: "true where neither `email_bounced` nor `spam_complaint` is",
        cleared_by: "what sets either of the two",
        attribute: SameName,
    }
    EMAIL_BOUNCED email_bounced: Flag {
        meaning: "Whether a bounce stands.",
        null_until: "the first e-mail outcome",
        value: "whether the latest e-mail `bounced` stands",
        cleared_by: "a later e-mail `delivered` or human e-mail `clicked`",
        attribute: SameName,
    }
    EMAIL_BOUNCED_AT email_bounced_at: Time {
        meaning: "The latest bounce.",
        null_until: "the first e-mail `bounced`",
        value: "time of the latest e-mail `bounced`",
        cleared_by: "nothing",
        attribute: SameName,
    }
    LAST_BOUNCE_DELIVERY_ID last_bounce_delivery_id: Text {
        meaning: "The delivery that bounced last.",
        null_until: "the first e-mail `bounced`",
        value: "delivery id of the latest e-mail `bounced`; null if it had none, or one longer than 256 bytes",
        cleared_by: "nothing",
        attribute: SameName,
    }
    SPAM_COMPLAINT spam_complaint: Flag {
        meaning: "Whether a complaint stands.",
        null_until: "the first e-mail outcome",
        value: "whether there ever was an e-mail `spammed`",
        cleared_by: "nothing in this version",
        attribute: SameName,
    }
    SPAM_COMPLAINT_AT spam_complaint_at: Time {
        meaning: "The latest complaint.",
        null_until: "the first e-mail `spammed`",
        value: "time of the latest e-mail `spammed`",
        cleared_by: "nothing",
        attribute: SameName,
    }
    COMPLAINT_COUNT complaint_count: Count {
        meaning: "Complaints so far.",
        null_until: "the first e-mail outcome",
        value: "how many distinct e-mail `spammed` events there were",
        cleared_by: "nothing",
        attribute: SameName,
    }
    UNSUBSCRIBED unsubscribed: Flag {
        meaning: "Whether the customer is unsubscribed.",
        null_until: "the first `unsubscribed` or `subscribed` of any channel",
        value: "whether the latest `unsubscribed` stands",
        cleared_by: "a later `subscribed`",
        attribute: NotWritten,
    }
    UNSUBSCRIBED_AT unsubscribed_at: Time {
        meaning: "The latest unsubscribe.",
        null_until: "the first `unsubscribed`",
        value: "time of the latest `unsubscribed`",
        cleared_by: "nothing",
        attribute: SameName,
    }
    LAST_EMAIL_CLICK_AT last_email_click_at: Time {
        meaning: "The latest human click.",
        null_until: "the first human e-mail `clicked`",
        value: "time of the latest human e-mail `clicked`",
        cleared_by: "nothing",
        attribute: SameName,
    }
    LAST_EMAIL_ENGAGED_AT last_email_engaged_at: Time {
        meaning: "The latest human click, human open or conversion.",
        null_until: "the first human e-mail `clicked` or `opened`, or e-mail `converted`",
        value: "time of the latest of these",
        cleared_by: "nothing",
        attribute: SameName,
    }
    LAST_EMAIL_METRIC last_email_metric: Text {
        meaning: "The metric of the latest e-mail outcome.",
        null_until: "the first e-mail outcome",
        value: "metric of the latest e-mail outcome, at most 64 bytes of it",
        cleared_by: "nothing",
        attribute: SameName,
    }
}

impl Record for CustomerTraits {
    const SCHEMA: &'static str = include_str!("../avro/customer_traits.avsc");
    const VERSIONS: &'static [&'static str] = &[include_str!("../avro/history/customer_traits/1.avsc")];
}

impl CustomerTraits {
    /// Names of the traits in which this set differs from `before`, in the order of [`TRAITS`].
    pub fn changed_since<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = &'static str> + 'a {
        let values = self.values().into_iter().zip(before.values());
        TRAITS.iter().zip(values).filter(|(_, (now, before))| now != before).map(|(row, _)| row.name)
    }
}

impl TraitType {
    fn name(self) -> &'static str {
        match self {
            Self::Flag => "true or false",
            Self::Time => "Unix milliseconds",
            Self::Count => "number",
            Self::Text => "text",
        }
    }
}

impl Attribute {
    fn name(self, of_type: TraitType) -> &'static str {
        match (self, of_type) {
            (Self::SameName, TraitType::Time) => "Unix seconds",
            (Self::SameName, _) => "the same",
            (Self::NotWritten, _) => "not written",
        }
    }
}

/// The table of traits for `docs/policies.md`, in Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut table = String::from(
        "| trait | type | meaning | null until | value | cleared by | at Customer.io |\n|---|---|---|---|---|---|---|\n",
    );
    for row in TRAITS {
        let TraitRow { name, of_type, meaning, null_until, value, cleared_by, attribute } = row;
        let (holds, written) = (of_type.name(), attribute.name(*of_type));
        let meaning = meaning.trim_end_matches('.');
        let cells = [holds, meaning, null_until, value, cleared_by, written].join(" | ");
        let _ = writeln!(table, "| `{name}` | {cells} |");
    }
    table
}
