//! Where telephone numbers stand.

use std::ops::Range;

/// Fewest and most digits of a number with its country code (E.164).
const DIGITS_MIN: usize = 8;
const DIGITS_MAX: usize = 15;

/// Fewest digits of a number that a word like "phone" announces, or that ends like a number of the event's
/// own.
pub(super) const DIGITS_ANNOUNCED: usize = 7;

/// Most groups of digits that one number is written in.
const GROUPS_MAX: usize = 8;

/// Words that announce a number, and schemes of links to one.
const ANNOUNCING: [&str; 13] = [
    "number", "phone", "tel:", "tel.", "tel ", "mobile", "msisdn", "cell", "sms", "whatsapp", "handset",
    "callto:", "fax",
];

/// How far before a number such a word may stand, in bytes.
const ANNOUNCED_WITHIN: usize = 16;

/// Digits in a row, with single separators between, as a person writes a number.
struct Candidate {
    /// Where each group of digits stands.
    groups: [(usize, usize); GROUPS_MAX],
    count: usize,
    start: usize,
    has_plus: bool,
    has_bracket: bool,
}

impl Candidate {
    /// Reads one at `start`, where a digit, a `+` or an opening bracket stands.
    fn at(bytes: &[u8], start: usize) -> Self {
        let mut candidate = Self {
            groups: [(0, 0); GROUPS_MAX],
            count: 0,
            start,
            has_plus: bytes[start] == b'+',
            has_bracket: false,
        };
        let mut at = start + usize::from(candidate.has_plus);
        while candidate.count < GROUPS_MAX {
            if bytes.get(at) == Some(&b'(') {
                candidate.has_bracket = true;
                at += 1;
            }
            let digits = bytes[at.min(bytes.len())..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                break;
            }
            candidate.groups[candidate.count] = (at, at + digits);
            candidate.count += 1;
            at += digits;
            at += usize::from(candidate.has_bracket && bytes.get(at) == Some(&b')'));
            at += usize::from(matches!(bytes.get(at), Some(b' ' | b'-' | b'.' | b'/')));
        }
        candidate
    }

    fn groups(&self) -> &[(usize, usize)] {
        &self.groups[..self.count]
    }

    fn end(&self) -> usize {
        self.groups().last().map_or(self.start + 1, |group| group.1)
    }

    fn lengths(&self) -> impl Iterator<Item = usize> {
        self.groups().iter().map(|group| group.1 - group.0)
    }

    fn digits(&self) -> usize {
        self.lengths().sum()
    }

    /// The same with its first groups only.
    fn cut(mut self, groups: usize) -> Self {
        self.count = groups;
        self
    }

    fn range(&self) -> Range<usize> {
        self.start..self.end()
    }
}

/// What is known of where a text comes from.
pub(super) struct Setting<'a> {
    /// Numbers that the event names.
    pub(super) named: &'a [&'a str],
    /// Whether the event is about a telephone's message, so that a bare number is one.
    pub(super) is_phone_channel: bool,
}

/// Where numbers stand, in order, each with the spelling whose token it gets: the event's own where it is
/// that one.
pub(super) fn phones<'t>(text: &'t str, setting: &Setting<'t>) -> Vec<(Range<usize>, &'t str)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !begins(bytes, at) {
            at += 1;
            continue;
        }
        let candidate = Candidate::at(bytes, at);
        // Where all groups together are no number, those after the first may be one.
        let next = candidate.groups().first().map_or(at + 1, |group| group.1);
        if let Some((range, spelling)) = judge(text, candidate, setting) {
            at = range.end;
            found.push((range, spelling));
        } else {
            at = next;
        }
    }
    found
}

fn begins(bytes: &[u8], at: usize) -> bool {
    match bytes[at] {
        b'0'..=b'9' => true,
        b'+' => matches!(bytes.get(at + 1), Some(b'0'..=b'9' | b'(')),
        b'(' => matches!(bytes.get(at + 1), Some(b'0'..=b'9')),
        _ => false,
    }
}

fn judge<'t>(text: &'t str, candidate: Candidate, setting: &Setting<'t>) -> Option<(Range<usize>, &'t str)> {
    let bytes = text.as_bytes();
    let before = candidate.start.checked_sub(1).map(|at| bytes[at]);
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
    if candidate.has_plus {
        let own = candidate.lengths().next().unwrap_or(0);
        if (DIGITS_MIN..=DIGITS_MAX).contains(&own) {
            let number = candidate.cut(1).range();
            return Some((number.clone(), own_spelling(text, number, setting)));
        }
    }
    if before.is_some_and(is_word) {
        return None;
    }
    // The event's own number, in full or without its country code, whatever follows it.
    for groups in (1..=candidate.count).rev() {
        let range = candidate.start..candidate.groups[groups - 1].1;
        let is_whole = !bytes.get(range.end).copied().is_some_and(is_word);
        if let Some(named) = named(&text[range.clone()], setting.named).filter(|_| is_whole) {
            return Some((range, named));
        }
    }
    let candidate = fit(candidate, bytes)?;
    let range = candidate.range();
    if bytes.get(range.end).copied().is_some_and(is_word) || is_part_of_a_name(bytes, &range) {
        return None;
    }
    is_number(text, &candidate, before, setting).then(|| (range.clone(), &text[range]))
}

/// The candidate without the groups that no number has room for; of a North American number, what follows its
/// last group.
fn fit(candidate: Candidate, bytes: &[u8]) -> Option<Candidate> {
    let lengths: Vec<usize> = candidate.lengths().collect();
    let first = candidate.groups().first().map(|group| bytes[group.0])?;
    for american in [&[1, 3, 3, 4][..], &[3, 3, 4]] {
        let fits = lengths.starts_with(american) && (american.len() == 3 || first == b'1');
        if fits && (american.len() == 3) != candidate.has_plus {
            return Some(candidate.cut(american.len()));
        }
    }
    let prefix = if bytes[candidate.start..].starts_with(b"00") { 2 } else { 0 };
    if candidate.digits() <= DIGITS_MAX + prefix {
        return Some(candidate);
    }
    let mut total = 0;
    let fitting = lengths.iter().take_while(|length| {
        total += **length;
        total <= DIGITS_MAX
    });
    let groups = fitting.count();
    (groups > 0).then(|| candidate.cut(groups))
}

/// Whether the digits belong to a version, an address of a host, a file's name or a longer identifier.
fn is_part_of_a_name(bytes: &[u8], range: &Range<usize>) -> bool {
    let next = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
    matches!(bytes.get(range.end), Some(b'-' | b'.' | b'/' | b'=')) && next(range.end + 1)
}

fn is_number(text: &str, candidate: &Candidate, before: Option<u8>, setting: &Setting<'_>) -> bool {
    let bytes = text.as_bytes();
    let digits = candidate.digits();
    let lengths: Vec<usize> = candidate.lengths().collect();
    let Some(first) = candidate.groups().first().map(|group| &bytes[group.0..group.1]) else { return false };
    if candidate.has_plus {
        return first[0] != b'0' && (DIGITS_MIN..=DIGITS_MAX).contains(&digits) && lengths[0] <= 4;
    }
    let is_host =
        lengths.len() >= 4 && lengths.iter().all(|length| *length <= 3) && has_only(candidate, bytes, b'.');
    if is_host || matches!(before, Some(b'-' | b'.' | b'/' | b'#')) {
        return false;
    }
    let is_announced = || announced(&text[..candidate.start]);
    let is_american = matches!(lengths.as_slice(), [3, 3, 4] | [1, 3, 3, 4]);
    let is_trunk = first[0] == b'0' && first.get(1) != Some(&b'0');
    let is_national = is_trunk && lengths.len() >= 3 && (9..=12).contains(&digits);
    let is_international =
        first.starts_with(b"00") && first.get(2) != Some(&b'0') && (11..=17).contains(&digits);
    is_american
        || (is_national && !has_only(candidate, bytes, b'.') && is_even(candidate, bytes))
        || (is_international && first.len() >= 4)
        || (setting.is_phone_channel && lengths.len() == 1 && (10..=DIGITS_MAX).contains(&digits))
        || ((DIGITS_ANNOUNCED..=DIGITS_MAX).contains(&digits) && is_announced())
        || (lengths.len() == 1
            && (11..=DIGITS_MAX).contains(&digits)
            && is_addressed(&text[..candidate.start]))
}

fn separators<'a>(candidate: &'a Candidate, bytes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    candidate.groups().windows(2).map(|pair| &bytes[pair[0].1..pair[1].0])
}

fn has_only(candidate: &Candidate, bytes: &[u8], separator: u8) -> bool {
    separators(candidate, bytes).all(|between| between == [separator])
}

/// Whether all groups have the same separator.
fn is_even(candidate: &Candidate, bytes: &[u8]) -> bool {
    let mut all = separators(candidate, bytes);
    let first = all.next();
    all.all(|between| Some(between) == first)
}

/// Whether a word before the number says that it is one.
fn announced(before: &str) -> bool {
    let near = tail(before, ANNOUNCED_WITHIN).to_ascii_lowercase();
    ANNOUNCING.iter().any(|word| near.contains(word))
}

/// Whether the word before the number is one that recipients follow.
fn is_addressed(before: &str) -> bool {
    let near = tail(before, ANNOUNCED_WITHIN).to_ascii_lowercase();
    let word = near.trim_end_matches(|character: char| !character.is_ascii_alphanumeric());
    let word = &word[word.trim_end_matches(|character: char| character.is_ascii_alphanumeric()).len()..];
    matches!(word, "to" | "from" | "recipient" | "rcpt" | "subscriber")
}

/// The last `bytes` bytes of a text, or a few less.
fn tail(text: &str, bytes: usize) -> &str {
    let start = text.len().saturating_sub(bytes);
    let start = (start..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    &text[start..]
}

/// The event's own number that `written` spells: in full, or without its country code.
pub(super) fn named<'t>(written: &str, all: &[&'t str]) -> Option<&'t str> {
    let count = written.bytes().filter(u8::is_ascii_digit).count();
    let spells = |phone: &&&str| {
        let theirs = written.bytes().rev().filter(u8::is_ascii_digit);
        let ours = phone.bytes().rev().filter(u8::is_ascii_digit);
        let same = theirs.zip(ours).take_while(|(their, our)| their == our).count();
        // A trunk prefix (`0621…`, `0049621…`) stands before what is the same.
        let prefix = written.bytes().filter(u8::is_ascii_digit).take(count - same);
        same >= DIGITS_ANNOUNCED && prefix.eq(std::iter::repeat_n(b'0', count - same))
    };
    if !(DIGITS_ANNOUNCED..=DIGITS_MAX + 2).contains(&count) {
        None
    } else {
        all.iter().find(spells).copied()
    }
}

fn own_spelling<'t>(text: &'t str, number: Range<usize>, setting: &Setting<'t>) -> &'t str {
    named(&text[number.clone()], setting.named).unwrap_or(&text[number])
}

/// Whether a whole value is a telephone number, as a field of that name holds one.
pub(super) fn is_whole(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let text = text.trim();
    let schemes = ["tel:", "sms:", "whatsapp:"];
    let number = schemes.iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
    let is_part = |byte: u8| byte.is_ascii_digit() || b" +-.()/".contains(&byte);
    (DIGITS_ANNOUNCED..=DIGITS_MAX + 2).contains(&digits) && number.bytes().all(is_part)
}
