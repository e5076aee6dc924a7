//! Whose event it is: the Kafka key of everything about one customer.

use std::fmt;

use crate::token::{Kind, TokenKey, first_address};

/// Begins a key that is not a customer id. A customer id that begins with it gets one more.
const MARK: char = '~';
const CIO_ID: &str = "~cio:";
/// Begins a vendor's id in paths, and in what some senders write. The vendor's APIs refuse it inside a body.
const CIO_ID_PREFIX: &str = "cio_";
const EMAIL_TOKEN: &str = "~eml:";
const DELIVERY: &str = "~dlv:";
const EVENT: &str = "~evt:";

/// What an event says of the person it is about. Blank texts count as absent, and so do e-mail addresses that
/// are none (`n/a`).
///
/// Blanks around an id are part of it: the vendor keeps them, and a trimmed id would be another person's.
/// They are no part of a `cio_id`, which the vendor makes and which has none.
#[derive(Clone, Copy, Default)]
pub struct Person<'a> {
    /// The vendor's `identifiers` object, where the event has one.
    pub identifiers: Option<Identifiers<'a>>,
    /// `customer_id`: deprecated by the vendor, and an internal id where `identifiers` is there too.
    pub customer_id: Option<&'a str>,
    /// `email_address` of customer events and of flat events.
    pub email_address: Option<&'a str>,
    /// The `recipient` of an e-mail event.
    pub email_recipient: Option<&'a str>,
}

impl<'a> Person<'a> {
    /// The workspace's own id of the person, where the event names one.
    #[must_use]
    pub fn id(&self) -> Option<&'a str> {
        let id = if let Some(ids) = self.identifiers { ids.id } else { self.customer_id };
        present(id)
    }
}

/// The vendor's `identifiers`. Any of them may be null.
#[derive(Clone, Copy, Default)]
pub struct Identifiers<'a> {
    /// The workspace's own id of the person.
    pub id: Option<&'a str>,
    /// The vendor's id of the person, with or without the prefix `cio_`.
    pub cio_id: Option<&'a str>,
    /// The person's e-mail address.
    pub email: Option<&'a str>,
}

impl fmt::Debug for Person<'_> {
    /// Says what is there, never what it holds (E2).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person")
            .field("identifiers", &self.identifiers.is_some())
            .field("customer_id", &self.customer_id.is_some())
            .field("email_address", &self.email_address.is_some())
            .field("email_recipient", &self.email_recipient.is_some())
            .finish()
    }
}

impl fmt::Debug for Identifiers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identifiers")
            .field("id", &self.id.is_some())
            .field("cio_id", &self.cio_id.is_some())
            .field("email", &self.email.is_some())
            .finish()
    }
}

/// How customers get their keys. The rules hold for a whole topology: keys made by others are other
/// customers.
#[derive(Clone, Debug)]
pub struct KeyRules {
    /// Makes the token of an address.
    pub tokens: TokenKey,
    /// Whether an id that is an e-mail address is replaced by its token, as if it were the person's address.
    /// Such a person can't be written to by id any more.
    pub tokenise_ids: bool,
}

/// Ids stay as they are.
impl From<TokenKey> for KeyRules {
    fn from(tokens: TokenKey) -> Self {
        Self { tokens, tokenise_ids: false }
    }
}

/// A customer key: raw UTF-8, the key of raw and of every outcome topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CustomerKey(String);

impl CustomerKey {
    /// The one function that decides whose event it is.
    ///
    /// With `identifiers`: its id, else its cio_id, else the token of an e-mail address, else `customer_id`.
    /// Without: `customer_id`, else the token. Where there is no person: the delivery, else the event itself.
    #[must_use]
    pub fn of(person: &Person<'_>, delivery_id: Option<&str>, event_id: &str, rules: &KeyRules) -> Self {
        let ids = person.identifiers.unwrap_or_default();
        let of_email = |address: &str| format!("{EMAIL_TOKEN}{}", rules.tokens.token(Kind::Email, address));
        let of_id = |id: &str| {
            if rules.tokenise_ids && is_address(id) { of_email(id) } else { escape(id) }
        };
        let email = || {
            let addresses = [ids.email, person.email_address, person.email_recipient];
            addresses.into_iter().flatten().find(|text| is_address(text)).map(of_email)
        };
        let cio_id = || {
            let id = ids.cio_id.map(bare_cio_id).filter(|id| !id.is_empty());
            id.map(|id| format!("{CIO_ID}{id}"))
        };
        let customer_id = || present(person.customer_id).map(of_id);
        let holder = if person.identifiers.is_some() {
            present(ids.id).map(of_id).or_else(cio_id).or_else(email).or_else(customer_id)
        } else {
            customer_id().or_else(email)
        };
        let key = holder
            .or_else(|| present(delivery_id).map(|id| format!("{DELIVERY}{id}")))
            .unwrap_or_else(|| format!("{EVENT}{event_id}"));
        Self(key)
    }

    /// The key as it travels.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who a key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder<'a> {
    /// A customer, by the workspace's id.
    Id(&'a str),
    /// A customer, by the vendor's id, without prefix.
    CioId(&'a str),
    /// A customer, by the token of an e-mail address.
    EmailToken(&'a str),
    /// Nobody known: a delivery.
    Delivery(&'a str),
    /// Nobody known: a single event.
    Event(&'a str),
}

impl<'a> Holder<'a> {
    /// Reads a key back. `None` where it is none of ours: not UTF-8, empty, or an unknown mark.
    #[must_use]
    pub fn parse(key: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(key).ok().filter(|text| !text.is_empty())?;
        let marked = [
            (CIO_ID, (|id| Self::CioId(bare_cio_id(id))) as fn(&'a str) -> Self),
            (EMAIL_TOKEN, Self::EmailToken),
            (DELIVERY, Self::Delivery),
            (EVENT, Self::Event),
        ];
        match text.strip_prefix(MARK) {
            None => Some(Self::Id(text)),
            Some(id) if id.starts_with(MARK) => Some(Self::Id(id)),
            Some(_) => marked
                .into_iter()
                .find_map(|(mark, holder)| text.strip_prefix(mark).filter(|id| !id.is_empty()).map(holder))
                .filter(|holder| *holder != Self::CioId("")),
        }
    }

    /// Whether this is a person, whose state is kept.
    #[must_use]
    pub fn is_person(&self) -> bool {
        matches!(self, Self::Id(_) | Self::CioId(_) | Self::EmailToken(_))
    }
}

/// Whether a text is an e-mail address, with or without a display name. Senders write placeholders for
/// addresses that they don't know, and a placeholder must not become a customer.
#[must_use]
pub fn is_address(text: &str) -> bool {
    let parts = first_address(text).rsplit_once(['@', '\u{ff20}', '\u{fe6b}']);
    parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
}

/// The text, unless it is blank: all people whose id is blank would be one customer.
fn present(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.trim().is_empty())
}

/// A vendor's id without prefix and outer blanks. Two spellings of one id must be one customer.
fn bare_cio_id(id: &str) -> &str {
    id.trim().trim_start_matches(CIO_ID_PREFIX)
}

fn escape(id: &str) -> String {
    if id.starts_with(MARK) { format!("{MARK}{id}") } else { id.to_owned() }
}

#[cfg(test)]
mod tests;
