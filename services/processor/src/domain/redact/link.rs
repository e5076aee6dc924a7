//! Secrets in links: one-time tokens in a query, a password before the host, a webhook's whole path.

use std::ops::Range;

/// What becomes of the values in a clicked link's query. `utm_` parameters always stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkQueries {
    /// Each value becomes a keyed token, so that links can still be grouped by it.
    #[default]
    Tokens,
    /// Values stay, but for addresses and known secrets in them.
    Keep,
    /// Parameters go.
    Drop,
}

impl LinkQueries {
    /// Its name in settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Keep => "keep",
            Self::Drop => "drop",
        }
    }
}

/// Parameters whose value is a secret wherever a link stands.
const SECRETS: [&str; 24] = [
    "key",
    "sig",
    "hmac",
    "code",
    "otp",
    "pin",
    "pass",
    "pwd",
    "passwd",
    "auth",
    "authorization",
    "jwt",
    "session",
    "sid",
    "sessionid",
    "ticket",
    "nonce",
    "magic",
    "invite",
    "reset",
    "verification",
    "credential",
    "apikey",
    "ott",
];
const SECRET_ENDS: [&str; 6] = ["token", "_key", "-key", "secret", "signature", "password"];

/// Hosts at which a webhook's path is all that protects it, with the beginning of that path.
const WEBHOOKS: [(&str, &str); 18] = [
    ("hooks.slack.com", "/"),
    ("discord.com", "/api/webhooks/"),
    ("discordapp.com", "/api/webhooks/"),
    ("hooks.zapier.com", "/"),
    ("webhook.office.com", "/"),
    ("outlook.office.com", "/webhook"),
    ("logic.azure.com", "/"),
    ("chat.googleapis.com", "/"),
    ("hook.make.com", "/"),
    ("hook.integromat.com", "/"),
    ("maker.ifttt.com", "/"),
    ("api.telegram.org", "/bot"),
    ("webhook.site", "/"),
    ("pipedream.net", "/"),
    ("fcm.googleapis.com", "/fcm/send/"),
    ("updates.push.services.mozilla.com", "/"),
    ("notify.windows.com", "/"),
    ("web.push.apple.com", "/"),
];

/// Whether a parameter says where a click came from, and nothing of who clicked.
pub(super) fn is_campaign(name: &str) -> bool {
    name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("utm_"))
}

/// Where secrets stand in the links of a text, in order. `paths` says that every link's path is one.
pub(super) fn secrets(text: &str, paths: bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut searched = 0;
    while let Some(at) = scheme_end(&text[searched..]) {
        let start = searched + at + 3;
        let end = start + link_length(&text[start..]);
        in_link(&text[start..end], start, paths, &mut found);
        // A link in a link's query is looked at by itself.
        searched = start;
    }
    found.sort_by_key(|range| (range.start, usize::MAX - range.end));
    found.dedup_by(|later, first| later.start < first.end);
    found
}

/// Where `://` begins.
fn scheme_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b':', bytes).find(|at| bytes[at + 1..].starts_with(b"//"))
}

fn link_length(text: &str) -> usize {
    let ends = |character: char| character.is_whitespace() || "\"'<>`{}|\\^[]".contains(character);
    let nested = scheme_end(text)
        .map(|at| at - text[..at].bytes().rev().take_while(u8::is_ascii_alphanumeric).count());
    let near = &text[..nested.unwrap_or(text.len())];
    near[..near.find(ends).unwrap_or(near.len())].trim_end_matches(['.', ',', ')', ';', ':', '!']).len()
}

/// Secrets of a link that begins with its authority, at `offset` of the whole text.
fn in_link(link: &str, offset: usize, paths: bool, found: &mut Vec<Range<usize>>) {
    let authority = link.find(['/', '?', '#']).unwrap_or(link.len());
    let credentials = link[..authority].rfind('@');
    // Without a colon it is an address as any other.
    if credentials.is_some_and(|at| link[..at].contains(':')) {
        found.push(offset..offset + authority);
    }
    let host = &link[credentials.map_or(0, |at| at + 1)..authority];
    let rest = &link[authority..];
    if rest.len() > 1 && (paths || is_webhook(host, rest)) {
        found.push(offset + authority + 1..offset + link.len());
        return;
    }
    let Some(query) = rest.find(['?', '#']) else { return };
    let mut start = authority + query + 1;
    for pair in link[start..].split(['&', ';', '?', '#']) {
        if let Some((name, value)) =
            pair.split_once('=').filter(|(name, value)| !value.is_empty() && is_secret(name))
        {
            found.push(offset + start + name.len() + 1..offset + start + name.len() + 1 + value.len());
        }
        start += pair.len() + 1;
    }
}

fn is_secret(name: &str) -> bool {
    let is = |known: &&str| name.eq_ignore_ascii_case(known);
    let ends = |end: &&str| {
        let start = name.len().checked_sub(end.len());
        start.and_then(|start| name.get(start..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
    };
    SECRETS.iter().any(is) || SECRET_ENDS.iter().any(ends)
}

fn is_webhook(host: &str, path: &str) -> bool {
    let host = host.split(':').next().unwrap_or(host);
    WEBHOOKS.iter().any(|(known, start)| {
        let at = host.len().checked_sub(known.len());
        let tail = at.and_then(|at| host.get(at..)).is_some_and(|tail| tail.eq_ignore_ascii_case(known));
        let is_whole = at == Some(0) || at.is_some_and(|at| host[..at].ends_with('.'));
        tail && is_whole && path.starts_with(start)
    })
}

/// Whether a whole value is a link.
pub(super) fn is_whole(text: &str) -> bool {
    let scheme = ["http://", "https://"]
        .into_iter()
        .find(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    scheme.is_some() && !text.bytes().any(|byte| byte.is_ascii_whitespace())
}

/// A link's parts: what comes before its query, and its query and fragment, each with the sign that begins
/// it.
pub(super) fn parts(link: &str) -> (&str, Option<&str>, Option<&str>) {
    let (before, fragment) = match link.find('#') {
        Some(at) => (&link[..at], Some(&link[at..])),
        None => (link, None),
    };
    match before.find('?') {
        Some(at) => (&before[..at], Some(&before[at..]), fragment),
        None => (before, None, fragment),
    }
}
