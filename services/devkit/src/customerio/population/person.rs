//! The people of the workspace.

use serde_json::{Map, Value, json};

use super::dice::Dice;

/// How a workspace knows a person, and so what its webhooks name.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Shape {
    /// An id, an address and a cio_id; `customer_id` repeats the id. Most people.
    Full,
    /// As `Full`, but `customer_id` is a number of the vendor's own, as in the vendor's published example.
    InternalCustomerId,
    /// Known by address only: `identifiers.id` is null, `customer_id` is blank or missing.
    EmailOnly,
    /// A workspace that knows ids only: `identifiers` holds `id` and nothing else.
    IdOnly,
    /// No address: reached by push, SMS, WhatsApp and in-app messages.
    WithoutEmail,
    /// The id is a JSON number.
    NumericId,
    /// The id begins with `~`.
    TildeId,
    /// Deleted after messages had gone out: `id` and `email` are null, `customer_id` is blank, and there is
    /// no profile any more.
    Deleted,
}

/// A device that push messages go to.
#[derive(Clone, Debug)]
pub struct Device {
    /// The token by which the provider addresses it.
    pub token: String,
    /// `ios` or `android`.
    pub platform: &'static str,
}

/// One person.
#[derive(Clone, Debug)]
pub struct Person {
    /// How the workspace knows this person.
    pub shape: Shape,
    /// The id another system gave: `u-…`, unless the shape says otherwise; none where the shape has none.
    pub id: Option<String>,
    /// The address that e-mail goes to, named in `identifiers` or not.
    pub email: Option<String>,
    /// The vendor's own id, twelve hexadecimal digits, without the `cio_` prefix.
    pub cio_id: String,
    /// A phone number in E.164 form.
    pub phone: String,
    /// One device at least.
    pub devices: Vec<Device>,
    internal_id: String,
}

impl Person {
    /// The person of that number, counted from 1: the number decides the shape, so that 50 people are
    /// enough to have every one.
    pub(super) fn new(number: usize, dice: &mut Dice) -> Person {
        let shape = shape(number);
        Person {
            shape,
            id: id(shape, number),
            email: (shape != Shape::WithoutEmail).then(|| address(number, dice)),
            cio_id: format!("{:06x}{number:06x}", dice.below(1 << 24)),
            phone: format!("+1555{number:07}"),
            devices: devices(number, dice),
            internal_id: format!("02{number:08}"),
        }
    }

    /// `identifiers` as the webhook carries it.
    pub(super) fn identifiers(&self) -> Value {
        match self.shape {
            Shape::IdOnly => json!({ "id": self.id }),
            Shape::Deleted => json!({ "id": null, "email": null, "cio_id": self.cio_id }),
            _ => json!({ "id": self.id_value(), "email": self.email, "cio_id": self.cio_id }),
        }
    }

    /// Puts `customer_id` in: deprecated, blank for whom no id is known, and now and then missing.
    pub(super) fn put_customer_id(&self, data: &mut Map<String, Value>, dice: &mut Dice) {
        let customer_id = match self.shape {
            Shape::InternalCustomerId => Value::from(self.internal_id.as_str()),
            _ if self.id.is_none() || dice.percent(2) => Value::from(""),
            _ => self.id_value(),
        };
        let missing = dice.percent(if self.id.is_none() { 30 } else { 3 });
        if !missing {
            data.insert("customer_id".to_owned(), customer_id);
        }
    }

    fn id_value(&self) -> Value {
        let number = self.id.as_ref().filter(|_| self.shape == Shape::NumericId);
        number.and_then(|id| id.parse::<u64>().ok()).map_or_else(|| json!(self.id), Value::from)
    }
}

/// Of 50 people: 5 by address only, 2 each of the next three, one each of the rare ones, else full.
fn shape(number: usize) -> Shape {
    match number % 50 {
        3 | 13 | 23 | 33 | 43 => Shape::EmailOnly,
        7 | 27 => Shape::IdOnly,
        9 | 39 => Shape::InternalCustomerId,
        11 | 31 => Shape::WithoutEmail,
        17 => Shape::NumericId,
        19 => Shape::TildeId,
        29 => Shape::Deleted,
        _ => Shape::Full,
    }
}

fn id(shape: Shape, number: usize) -> Option<String> {
    match shape {
        Shape::EmailOnly | Shape::Deleted => None,
        Shape::NumericId => Some((7_000_000 + number).to_string()),
        Shape::TildeId => Some(format!("~u-{number:06}")),
        _ => Some(format!("u-{number:06}")),
    }
}

const FIRST_NAMES: &[&str] =
    &["ada", "alan", "barbara", "edsger", "frances", "grace", "katherine", "leslie", "margaret", "niklaus"];
const LAST_NAMES: &[&str] =
    &["allen", "dijkstra", "hamilton", "hopper", "lamport", "liskov", "turing", "wirth"];
const DOMAINS: &[&str] = &["example.com", "example.org", "example.net", "mail.example.com"];

/// An address in a domain that nobody can own (RFC 2606); a few have capitals, as people type them.
fn address(number: usize, dice: &mut Dice) -> String {
    let (first, last) = (dice.one_of(FIRST_NAMES), dice.one_of(LAST_NAMES));
    let domain = dice.one_of(DOMAINS);
    let address = format!("{first}.{last}.{number}@{domain}");
    if dice.percent(2) { address.replacen(first, &first.to_uppercase(), 1) } else { address }
}

fn devices(number: usize, dice: &mut Dice) -> Vec<Device> {
    let count = 1 + dice.below(3);
    (0..count)
        .map(|index| Device {
            token: format!("{:032x}-{number}-{index}", dice.number()),
            platform: dice.one_of(&["ios", "android"]),
        })
        .collect()
}
