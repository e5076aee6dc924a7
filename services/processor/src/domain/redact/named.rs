//! What an event itself names: its person's addresses, and where it says them again in other spellings.

use std::ops::Range;

use memchr::memmem::Finder;
use schemas::key::is_address;
use schemas::token::{Kind, TokenKey, addresses};
use webhook::event::Event;
use webhook::rest::{Leftover, Rest};

use super::phone::DIGITS_ANNOUNCED;
use super::span::{Span, ordered};

/// Longest address that is looked for again, in bytes. A longer one is nobody's.
const ADDRESS_MAX: usize = 320;

/// Shortest push token that is looked for again, in bytes: a shorter one would be found inside words.
const DEVICE_MIN: usize = 4;

/// Longest separator between a local part and its domain, in bytes.
const SEPARATOR_MAX: usize = 8;

/// The addresses of an event.
#[derive(Default)]
pub(super) struct Named<'a> {
    emails: Vec<(&'a str, &'a str)>,
    phones: Vec<&'a str>,
    devices: Vec<Finder<'a>>,
}

impl<'a> Named<'a> {
    pub(super) fn of(event: &'a Event<'_>) -> Self {
        let mut named = Self::default();
        let ids = event.identifiers.as_ref();
        let texts = [
            event.recipient.as_deref(),
            event.email_address.as_deref(),
            ids.and_then(|ids| ids.email.as_deref()),
            ids.and_then(|ids| ids.id.as_deref()),
            event.customer_id.as_deref(),
        ];
        texts.into_iter().flatten().for_each(|text| named.add_emails(text));
        if matches!(&*event.channel, "sms" | "whatsapp") {
            named.add_phone(event.recipient.as_deref().unwrap_or_default());
        }
        named.add_phones(&event.rest);
        let devices = event.devices.iter().filter_map(|device| device.device_id.as_deref());
        named.devices.extend(devices.filter(|device| device.len() >= DEVICE_MIN).map(Finder::new));
        named
    }

    /// Numbers that the event names.
    pub(super) fn phones(&self) -> &[&'a str] {
        &self.phones
    }

    fn add_emails(&mut self, text: &'a str) {
        // Nearly every event names one address, several times.
        let is_known = |parts| self.emails.contains(&parts);
        if text.rsplit_once('@').is_none_or(is_known) || !is_address(text) {
            return;
        }
        for address in addresses(text) {
            let parts = address.rsplit_once('@').filter(|_| address.len() <= ADDRESS_MAX);
            let parts = parts.filter(|(local, domain)| !local.is_empty() && !domain.is_empty());
            if let Some(parts) = parts.filter(|parts| !self.emails.contains(parts)) {
                self.emails.push(parts);
            }
        }
    }

    fn add_phone(&mut self, text: &'a str) {
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        if digits >= DIGITS_ANNOUNCED && !self.phones.contains(&text) {
            self.phones.push(text);
        }
    }

    fn add_phones(&mut self, rest: &'a Rest<'_>) {
        for name in ["phone", "to"] {
            if let Some(Leftover::Json(written)) = rest.get(name) {
                self.add_phone(written.trim_matches('"'));
            }
        }
        if let Some(Leftover::Members(identifiers)) = rest.get("identifiers") {
            self.add_phones(identifiers);
        }
    }

    /// Where the event's addresses and push tokens stand in `text`, but for plain `local@domain`, which is
    /// found as any other address is. In order.
    pub(super) fn spans(&self, text: &str, tokens: &TokenKey) -> Vec<Span> {
        let mut spans = Vec::new();
        for (local, domain) in &self.emails {
            for range in spellings(text.as_bytes(), local.as_bytes(), domain.as_bytes()) {
                spans.push(Span { range, by: tokens.token(Kind::Email, &format!("{local}@{domain}")) });
            }
        }
        for device in &self.devices {
            for at in device.find_iter(text.as_bytes()) {
                let range = at..at + device.needle().len();
                if is_free(text.as_bytes(), &range) {
                    let by = tokens.token(Kind::Device, &text[range.clone()]);
                    spans.push(Span { range, by });
                }
            }
        }
        ordered(spans)
    }
}

/// Whether no letter or digit stands right before or after the range.
fn is_free(bytes: &[u8], range: &Range<usize>) -> bool {
    let before = range.start.checked_sub(1).map(|at| bytes[at]);
    !before.is_some_and(is_letter) && !bytes.get(range.end).copied().is_some_and(is_letter)
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// Whether the first two letters of `local` stand in `text`, without regard to ASCII case.
fn may_hold(text: &[u8], local: &[u8]) -> bool {
    let [first, second, ..] = local else { return true };
    let (first, second) = (first.to_ascii_lowercase(), second.to_ascii_lowercase());
    // Without a branch, so that the compiler makes vector instructions of it.
    text.windows(2).fold(false, |found, pair| {
        found | (pair[0].to_ascii_lowercase() == first) & (pair[1].to_ascii_lowercase() == second)
    })
}

/// Where an address stands whose `@` is written otherwise (`local=domain`, `local at domain`), or turned
/// round (`domain!local`, `domain=local`). Without regard to ASCII case.
fn spellings(text: &[u8], local: &[u8], domain: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    if !may_hold(text, local) {
        return found;
    }
    let (lower, upper) = (local[0].to_ascii_lowercase(), local[0].to_ascii_uppercase());
    for start in memchr::memchr2_iter(lower, upper, text) {
        let end = start + local.len();
        if !text.get(start..end).is_some_and(|part| part.eq_ignore_ascii_case(local)) {
            continue;
        }
        if start > 0 && is_letter(text[start - 1]) {
            continue;
        }
        let forward = separator(&text[end..]).and_then(|length| {
            let range = end + length..end + length + domain.len();
            let is_domain = text.get(range.clone()).is_some_and(|part| part.eq_ignore_ascii_case(domain));
            (is_domain && is_free(text, &range)).then_some(start..range.end)
        });
        let turned = || {
            let signs = text[..start].iter().rev().take_while(|byte| b"=!:/|".contains(byte)).count();
            let domain_end = start - signs;
            let range = domain_end.checked_sub(domain.len())?..domain_end;
            let is_domain = (1..=3).contains(&signs) && text[range.clone()].eq_ignore_ascii_case(domain);
            let whole = range.start..end;
            (is_domain && is_free(text, &whole)).then_some(whole)
        };
        found.extend(turned().or(forward));
    }
    found
}

/// The length of what stands between a local part and a domain in place of the `@`; `None` where the `@` is
/// there.
fn separator(text: &[u8]) -> Option<usize> {
    let signs = |from: usize| {
        text[from..].iter().take(SEPARATOR_MAX + 1).take_while(|byte| !is_letter(**byte)).count()
    };
    let first = signs(0);
    if first == 0 || first > SEPARATOR_MAX || text[..first].contains(&b'@') {
        return None;
    }
    // `==a==`, ` at `, `[AT]`.
    let word = text[first..].iter().take(3).take_while(|byte| is_letter(**byte)).count();
    let is_at = matches!(text[first..first + word].to_ascii_lowercase().as_slice(), b"a" | b"at");
    let second = if is_at { signs(first + word) } else { 0 };
    Some(if (1..=SEPARATOR_MAX).contains(&second) { first + word + second } else { first })
}
