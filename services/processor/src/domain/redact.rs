//! Free text without addresses and secrets (E2): SMTP replies, links and subjects name recipients, and the
//! public topics must not.
//!
//! First goes what the event itself names, in whatever spelling (`named`). Then go the forms of addresses
//! in general. What stands around them stays as it was written.

mod device;
mod email;
mod json;
mod link;
mod named;
mod phone;
mod plain;
mod span;
mod verbal;

use std::borrow::Cow;

use schemas::token::{Kind, TokenKey};
use webhook::event::Event;

use self::named::Named;
use self::phone::Setting;
use self::plain::Plain;
use self::span::{Span, merged};

pub use self::link::LinkQueries;

/// What the outcomes may say of persons.
#[derive(Debug, Clone)]
pub struct Privacy {
    /// The key under which addresses become tokens.
    pub tokens: TokenKey,
    /// What becomes of the queries of clicked links.
    pub link_queries: LinkQueries,
}

/// With the default of every choice.
impl From<TokenKey> for Privacy {
    fn from(tokens: TokenKey) -> Self {
        Self { tokens, link_queries: LinkQueries::default() }
    }
}

/// Replaces the addresses and secrets in one event's texts by their tokens.
pub struct Redactor<'a> {
    tokens: &'a TokenKey,
    links: LinkQueries,
    named: Named<'a>,
    /// The event is about a telephone's message.
    is_phone_channel: bool,
    /// The event's links are a webhook's: their paths are secrets.
    has_secret_paths: bool,
}

impl<'a> Redactor<'a> {
    /// For the texts of `event`.
    #[must_use]
    pub fn of(event: &'a Event<'_>, privacy: &'a Privacy) -> Self {
        Self {
            tokens: &privacy.tokens,
            links: privacy.link_queries,
            named: Named::of(event),
            is_phone_channel: matches!(&*event.channel, "sms" | "whatsapp"),
            has_secret_paths: matches!(&*event.channel, "webhook" | "slack"),
        }
    }

    /// `text` with every address and secret in it replaced by its token, however deep they are escaped: as
    /// links escape (`%2540`), as JSON does (`\u0040`), as HTML does (`&#64;`).
    #[must_use]
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let given = Plain::of(text);
        let spans = self.spans(&given);
        if spans.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for span in spans {
            out.push_str(given.written(done..span.range.start));
            out.push_str(&span.by);
            done = span.range.end;
        }
        out.push_str(given.written(done..given.text().len()));
        Cow::Owned(out)
    }

    /// The same for an id or a name. A short number is nothing else, and so is a lower-case word.
    #[must_use]
    pub fn id<'t>(&self, id: &'t str) -> Cow<'t, str> {
        let is_short = || id.len() < phone::DIGITS_ANNOUNCED && id.bytes().all(|byte| byte.is_ascii_digit());
        let is_word = || id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if is_word() || is_short() { Cow::Borrowed(id) } else { self.text(id) }
    }

    /// The same for a delivery's id, which other systems join on: only what the vendor never writes there is
    /// looked at.
    #[must_use]
    pub fn delivery_id<'t>(&self, id: &'t str) -> Cow<'t, str> {
        let is_odd = id.bytes().any(|byte| !byte.is_ascii_alphanumeric() && !b"+/=_-".contains(&byte));
        if is_odd { self.text(id) } else { Cow::Borrowed(id) }
    }

    /// The same for a clicked link, whose query may hold secrets under any name.
    #[must_use]
    pub fn link<'t>(&self, link: &'t str) -> Cow<'t, str> {
        let clean = self.text(link);
        let (before, query, fragment) = link::parts(&clean);
        let is_page = |fragment: &str| !fragment.contains(['=', '?']);
        let fragment_stays = fragment.is_none_or(is_page);
        if self.links == LinkQueries::Keep || (query.is_none() && fragment_stays) {
            return clean;
        }
        let mut out = String::with_capacity(clean.len() + 32);
        out.push_str(before);
        if let Some(query) = query {
            self.push_query(&mut out, query);
        }
        match fragment {
            Some(fragment) if fragment_stays => out.push_str(fragment),
            Some(fragment) => {
                // A page of an app in the browser has a query of its own: `#/reset?token=…`.
                let start = fragment.find('?').unwrap_or(0);
                out.push_str(&fragment[..start]);
                self.push_query(&mut out, &fragment[start..]);
            }
            None => {}
        }
        Cow::Owned(out)
    }

    /// `query` begins with the sign that separates it.
    fn push_query(&self, out: &mut String, query: &str) {
        let mut separator = &query[..query.len().min(1)];
        for pair in query[separator.len()..].split_inclusive(['&', ';']) {
            let (pair, next) = match pair.strip_suffix(['&', ';']) {
                Some(bare) => (bare, &pair[bare.len()..]),
                None => (pair, ""),
            };
            let (name, value) = pair.split_once('=').unwrap_or(("", pair));
            let stays = link::is_campaign(name);
            if !stays && self.links == LinkQueries::Drop {
                continue;
            }
            out.push_str(separator);
            separator = if next.is_empty() { "&" } else { next };
            out.push_str(&pair[..pair.len() - value.len()]);
            // An address's token stays: it can be joined.
            if stays || value.is_empty() || self.tokens.is_token(value) {
                out.push_str(value);
            } else {
                out.push_str(&self.tokens.token(Kind::Link, Plain::of(value).text()));
            }
        }
    }

    /// What to replace in a plain text, in order.
    fn spans(&self, plain: &Plain<'_>) -> Vec<Span> {
        let (text, look) = (plain.text(), plain.look());
        let mut spans = self.named.spans(text, self.tokens);
        let mut add = |more: Vec<Span>| spans = merged(std::mem::take(&mut spans), more);
        let token = |kind, range: std::ops::Range<usize>| {
            let by = self.tokens.token(kind, &text[range.clone()]);
            Span { range, by }
        };
        if look.has_colon() {
            let secrets = link::secrets(text, self.has_secret_paths).into_iter();
            add(secrets.map(|range| token(Kind::Link, range)).collect());
        }
        if look.has_equals() {
            add(self.encoded_words(text));
        }
        if look.has_at() {
            add(email::emails(text).map(|range| token(Kind::Email, range)).collect());
        }
        if look.has_at() || verbal::has_at_word(text) {
            let worded = verbal::worded(text).into_iter();
            let token = |address: &str| self.tokens.token(Kind::Email, address);
            add(worded.map(|(range, address)| Span { range, by: token(&address) }).collect());
        }
        if look.has_equals() {
            let attributes = verbal::attributes(text).into_iter();
            add(attributes.map(|range| token(Kind::Email, range)).collect());
        }
        if look.has_bracket() || text.len() >= device::RUN_MIN {
            add(device::devices(text).into_iter().map(|range| token(Kind::Device, range)).collect());
        }
        if look.digits() >= phone::DIGITS_ANNOUNCED {
            let setting = Setting { named: self.named.phones(), is_phone_channel: self.is_phone_channel };
            let phones = phone::phones(text, &setting).into_iter();
            let token = |spelling| self.tokens.token(Kind::Phone, spelling);
            add(phones.map(|(range, spelling)| Span { range, by: token(spelling) }).collect());
        }
        spans
    }

    /// Encoded words that hold an address, each replaced by what it means without the address.
    fn encoded_words(&self, text: &str) -> Vec<Span> {
        let words = verbal::encoded_words(text).into_iter();
        let redacted = words.filter_map(|(range, meant)| {
            // A word inside a word is shorter than it: this ends.
            let by = self.text(&meant);
            (by != meant).then(|| Span { range, by: by.into_owned() })
        });
        redacted.collect()
    }
}

impl std::fmt::Debug for Redactor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").field("links", &self.links).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
