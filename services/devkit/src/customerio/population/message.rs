//! The messages of the workspace: what a delivery is an instance of.

use serde_json::{Map, Value};

use super::dice::Dice;

/// A message that is sent to many people.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// What sends it, with the vendor's ids.
    pub sender: Sender,
    /// Its subject, where the channel has one.
    pub subject: &'static str,
    /// Where its links lead; a link's id is its place, counted from 1.
    pub links: &'static [&'static str],
}

/// What sends a message. The vendor's payloads differ by it.
#[derive(Clone, Copy, Debug)]
pub enum Sender {
    /// A campaign, started by an event or a segment.
    Campaign {
        /// `campaign_id`.
        campaign: u64,
        /// `action_id`: the step of the workflow.
        action: u64,
        /// `parent_action_id`: the split the step belongs to.
        parent: Option<u64>,
    },
    /// A broadcast triggered through the API.
    Broadcast {
        /// `broadcast_id`.
        broadcast: u64,
        /// `action_id`.
        action: u64,
        /// `trigger_id`, required by the specification and missing from its example.
        trigger: Option<u64>,
    },
    /// A newsletter.
    Newsletter {
        /// `newsletter_id`.
        newsletter: u64,
        /// `content_id`: the variant.
        content: u64,
    },
    /// A transactional message, by number or by trigger name.
    Transactional {
        /// `transactional_message_id` where it is a number.
        number: u64,
        /// Its trigger name, used instead where there is one.
        name: Option<&'static str>,
    },
}

/// All messages of the workspace.
pub const MESSAGES: &[Message] = &[
    Message {
        sender: Sender::Campaign { campaign: 23, action: 42, parent: Some(41) },
        subject: "Welcome aboard",
        links: &["https://shop.example.com/start", "https://shop.example.com/help?from=welcome"],
    },
    Message {
        sender: Sender::Campaign { campaign: 23, action: 45, parent: None },
        subject: "Three things to try first",
        links: &["https://shop.example.com/tour"],
    },
    Message {
        sender: Sender::Campaign { campaign: 31, action: 60, parent: None },
        subject: "Your basket is waiting \u{1f6d2}",
        links: &["https://shop.example.com/basket?for={recipient}", "https://shop.example.com/p/17?x=1&y=2"],
    },
    Message {
        sender: Sender::Broadcast { broadcast: 9, action: 36, trigger: None },
        subject: "Wartung am Sonntag: früher als geplant",
        links: &["https://status.example.com/"],
    },
    Message {
        sender: Sender::Broadcast { broadcast: 12, action: 51, trigger: Some(4) },
        subject: "New prices from \"next month\"",
        links: &["https://shop.example.com/prices#table"],
    },
    Message {
        sender: Sender::Newsletter { newsletter: 736, content: 1146 },
        subject: "The May letter",
        links: &["https://blog.example.com/may", "https://blog.example.com/may#recipes"],
    },
    Message {
        sender: Sender::Newsletter { newsletter: 741, content: 1152 },
        subject: "The June letter",
        links: &["https://blog.example.com/june"],
    },
    Message {
        sender: Sender::Transactional { number: 2, name: None },
        subject: "Your order has shipped",
        links: &["https://shop.example.com/orders/1009"],
    },
    Message {
        sender: Sender::Transactional { number: 5, name: Some("password-reset") },
        subject: "Reset your password",
        links: &["https://shop.example.com/reset"],
    },
];

impl Sender {
    /// Puts the sender's ids in. `journey` and `trigger_event` are the delivery's.
    pub(super) fn put_ids(
        &self,
        data: &mut Map<String, Value>,
        journey: &str,
        trigger_event: &Value,
        dice: &mut Dice,
    ) {
        let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
        match *self {
            Sender::Campaign { campaign, action, parent } => {
                put("campaign_id", dice.id(campaign));
                put("action_id", dice.id(action));
                put("journey_id", Value::from(journey));
                put("trigger_event_id", trigger_event.clone());
                if let Some(parent) = parent {
                    put("parent_action_id", dice.id(parent));
                }
            }
            Sender::Broadcast { broadcast, action, trigger } => {
                put("broadcast_id", dice.id(broadcast));
                put("action_id", dice.id(action));
                put("journey_id", Value::from(journey));
                if let Some(trigger) = trigger {
                    put("trigger_id", dice.id(trigger));
                }
            }
            Sender::Newsletter { newsletter, content } => {
                put("newsletter_id", dice.id(newsletter));
                put("content_id", dice.id(content));
            }
            Sender::Transactional { number, name } => {
                let id = name.map_or_else(|| dice.id(number), Value::from);
                put("transactional_message_id", id);
            }
        }
    }
}
