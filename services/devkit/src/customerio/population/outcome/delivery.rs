//! One message on its way to one person.

use serde_json::Value;

use super::funnel::Channel;
use crate::customerio::population::dice::Dice;
use crate::customerio::population::message::{MESSAGES, Message};
use crate::customerio::population::person::Person;

/// What all events of one delivery share.
#[derive(Debug)]
pub(super) struct Delivery<'a> {
    pub(super) channel: Channel,
    /// None: a test message, or one about nobody.
    pub(super) person: Option<&'a Person>,
    pub(super) message: Message,
    pub(super) id: String,
    pub(super) recipient: String,
    pub(super) journey: String,
    pub(super) trigger_event: Value,
}

impl<'a> Delivery<'a> {
    /// A delivery over `channel`, begun in that second. Message and ids come from the dice.
    pub(super) fn new(channel: Channel, person: Option<&'a Person>, second: i64, dice: &mut Dice) -> Self {
        let triggered = dice.percent(80);
        Delivery {
            channel,
            person,
            message: dice.one_of(MESSAGES),
            id: delivery_id(dice),
            recipient: recipient(channel, person, dice),
            journey: dice.ulid(second),
            trigger_event: if triggered { Value::from(dice.ulid(second)) } else { Value::Null },
        }
    }
}

/// Looks as the vendor's do: letters, digits, `_` and `-`, padded with `==`.
fn delivery_id(dice: &mut Dice) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE.encode(dice.number().to_be_bytes())
}

/// Where the message goes. An e-mail about nobody is a test message to somebody's own address.
fn recipient(channel: Channel, person: Option<&Person>, dice: &mut Dice) -> String {
    let address = person.and_then(|person| person.email.clone());
    match channel {
        Channel::Slack => dice.one_of(&["#signups", "#orders", "@ada"]).to_owned(),
        Channel::Webhook => "https://hooks.example.com/in".to_owned(),
        Channel::Sms | Channel::Whatsapp => {
            person.map_or_else(|| "+15550000000".to_owned(), |person| person.phone.clone())
        }
        Channel::InApp | Channel::Inbox => {
            let id = person.and_then(|person| person.id.clone());
            id.or(address).unwrap_or_else(|| "anonymous".to_owned())
        }
        Channel::Email | Channel::Push | Channel::Customer => {
            address.unwrap_or_else(|| format!("tester.{}@example.com", dice.below(20)))
        }
    }
}
