//! A provider's reply in the form that the rules read.

/// How much of a reply is read, in bytes.
pub const REPLY_BYTES_MAX: usize = 2048;

/// What Postfix says of the command that was refused: it speaks of senders and recipients, and blames none.
const IN_REPLY_TO: &str = "(in reply to ";

/// A reply as words, and its status codes.
///
/// Addresses, IP addresses and status codes are left out of the words, so that "user <ada@example.com>
/// unknown" and the lines of "550-5.1.1 no such 550 5.1.1 user" read as one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// The words in lower case, one space before and after each.
    pub(super) words: String,
    /// The first three-digit code.
    pub(super) basic: Option<u16>,
    /// The enhanced code (RFC 3463): the first that begins with 5, else the first that begins with 4.
    pub(super) enhanced: Option<Enhanced>,
}

/// An enhanced status code, such as 5.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Enhanced {
    pub(super) class: u16,
    pub(super) subject: u16,
    pub(super) detail: u16,
}

impl Enhanced {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let mut part = || parts.next().filter(|part| (1..=3).contains(&part.len())).and_then(number);
        let code = Self { class: part()?, subject: part()?, detail: part()? };
        (parts.next().is_none() && matches!(code.class, 2 | 4 | 5) && text.as_bytes()[1] == b'.')
            .then_some(code)
    }
}

fn is_not_permanent(basic: u16) -> bool {
    basic / 100 != 5
}

/// The number that these digits are: no sign, no spaces.
pub(super) fn number(text: &str) -> Option<u16> {
    // `parse` would take a sign.
    if text.starts_with('+') { None } else { text.parse().ok() }
}

impl Reply {
    /// Reads the first [`REPLY_BYTES_MAX`] bytes of `text`.
    pub(super) fn read(text: &str) -> Self {
        let mut rest = &text[..text.floor_char_boundary(REPLY_BYTES_MAX)];
        let mut reply = Self { words: String::with_capacity(rest.len() + 2), basic: None, enhanced: None };
        reply.words.push(' ');
        while let Some((before, after)) = rest.split_once(IN_REPLY_TO) {
            reply.runs(before);
            rest = match after.split_once(')') {
                Some((_, after)) => after,
                None => "",
            };
        }
        reply.runs(rest);
        reply
    }

    /// Whether the server asks for another attempt: a code that begins with 4, and none that begins with 5.
    pub(super) fn is_temporary(&self) -> bool {
        self.class() == Some(4) && self.basic.is_none_or(is_not_permanent)
    }

    /// The first digit of the enhanced code, else of the basic one.
    pub(super) fn class(&self) -> Option<u16> {
        match self.enhanced {
            Some(code) => Some(code.class),
            None => Some(self.basic? / 100),
        }
    }

    fn runs(&mut self, text: &str) {
        for run in text.split(between_runs) {
            if run.contains('@') {
                continue;
            }
            for word in run.split(between_words) {
                self.word(word.trim_matches(['.', '\'']));
            }
        }
    }

    fn word(&mut self, word: &str) {
        let numeric = word.as_bytes().first().is_some_and(u8::is_ascii_digit);
        if word.is_empty() || numeric && (self.is_code(word) || is_ip_address(word)) {
            return;
        }
        for character in word.chars() {
            match character {
                '\'' | '\u{2019}' => {}
                'A'..='Z' => self.words.push(character.to_ascii_lowercase()),
                '\u{c0}'..='\u{17f}' => fold(character, &mut self.words),
                _ => self.words.push(character),
            }
        }
        if !self.words.ends_with(' ') {
            self.words.push(' ');
        }
    }

    /// Whether the word is a status code; it is noted then.
    fn is_code(&mut self, word: &str) -> bool {
        if let Some(code) = Enhanced::parse(word) {
            match self.enhanced {
                Some(known) if known.class >= code.class || code.class != 5 => {}
                _ => self.enhanced = Some(code),
            }
            return true;
        }
        match number(word) {
            Some(code @ 400..=599) if word.len() == 3 => *self.basic.get_or_insert(code) == code,
            _ => false,
        }
    }
}

/// Whether these are four short numbers with dots between them.
fn is_ip_address(word: &str) -> bool {
    let short = |part: &str| (1..=3).contains(&part.len()) && number(part).is_some();
    word.split('.').count() == 4 && word.split('.').all(short)
}

/// What no address holds.
fn between_runs(character: char) -> bool {
    character.is_whitespace()
        || matches!(character, '<' | '>' | '(' | ')' | '[' | ']' | '{' | '}' | '"' | ',' | ';' | ':')
}

fn between_words(character: char) -> bool {
    character.is_ascii_punctuation() && !matches!(character, '.' | '\'')
}

/// Latin letters without their marks: replies are written with and without them.
fn fold(character: char, words: &mut String) {
    let plain = match character {
        'À'..='Å' | 'à'..='å' | 'Ā'..='ą' => "a",
        'Æ' | 'æ' => "ae",
        'Ç' | 'ç' | 'Ć'..='č' => "c",
        'È'..='Ë' | 'è'..='ë' | 'Ē'..='ě' => "e",
        'Ì'..='Ï' | 'ì'..='ï' | 'Ĩ'..='ı' => "i",
        'Ł' | 'ł' => "l",
        'Ñ' | 'ñ' | 'Ń'..='ň' => "n",
        'Ò'..='Ö' | 'Ø' | 'ò'..='ö' | 'ø' | 'Ō'..='ő' => "o",
        'Œ' | 'œ' => "oe",
        'Ś'..='š' => "s",
        'ß' => "ss",
        'Ù'..='Ü' | 'ù'..='ü' | 'Ũ'..='ų' => "u",
        'Ý' | 'ý' | 'ÿ' => "y",
        'Ź'..='ž' => "z",
        _ => return words.push(character),
    };
    words.push_str(plain);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        Reply::read(text).words.trim().to_owned()
    }

    fn codes(text: &str) -> (Option<u16>, Option<(u16, u16, u16)>) {
        let reply = Reply::read(text);
        (reply.basic, reply.enhanced.map(|code| (code.class, code.subject, code.detail)))
    }

    #[test]
    fn lines_read_as_one_sentence() {
        let text = "550-5.7.26 The MAIL FROM domain has\r\n550-5.7.26 a hard fail policy 550 5.7.26 gsmtp";
        assert_eq!(words(text), "the mail from domain has a hard fail policy gsmtp");
    }

    #[test]
    fn addresses_and_marks_stand_between_no_words() {
        assert_eq!(words("User <ada@example.com>: unknown!"), "user unknown");
        assert_eq!(words("your IP [192.0.2.1]:25 isn't listed"), "your ip 25 isnt listed");
        assert_eq!(words("no (in reply to MAIL FROM command) more"), "no more");
        assert_eq!(words("Boîte désactivée, größe"), "boite desactivee grosse");
    }

    #[test]
    fn an_ip_address_is_no_status_code() {
        assert_eq!(codes("550 IP 5.7.1.100 is blacklisted"), (Some(550), None));
        assert_eq!(codes("Server at 5.2.2.50 rejected"), (None, None));
    }

    #[test]
    fn a_permanent_code_counts_before_a_passing_one() {
        assert_eq!(codes("421 4.7.0 too busy 550 5.1.1 unknown"), (Some(421), Some((5, 1, 1))));
        assert_eq!(codes("450 4.2.0 retry in 550 seconds"), (Some(450), Some((4, 2, 0))));
        assert_eq!(codes("no mailbox here (#5.1.1)"), (None, Some((5, 1, 1))));
        assert_eq!(codes("500.5.1"), (None, None));
    }

    #[test]
    fn one_permanent_code_makes_a_reply_permanent() {
        let temporary = |text| Reply::read(text).is_temporary();
        assert!(temporary("450 user unknown") && temporary("4.1.1 user unknown"));
        assert!(!temporary("550 4.1.1 x") && !temporary("450 5.1.1 x") && !temporary("user unknown"));
    }
}
