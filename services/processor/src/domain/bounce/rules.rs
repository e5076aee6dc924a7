//! The text of `rules.txt` as rules. Its head says what the format means.
//!
//! A rule needs a line of the corpus that it decides; a test holds every rule to that. A rule that names a
//! sender's or a content's fault stands before those that name the recipient's: a wrong "nobody has this
//! address" costs an address.

use std::collections::HashMap;

use super::Confidence;
use super::class::Class;
use super::reply::{Enhanced, Reply, number};

/// The rules of one channel, in the order in which they are asked.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) channel: &'static str,
    pub(super) rules: Vec<Rule>,
}

#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: &'static str,
    pub(super) class: Class,
    pub(super) confidence: Confidence,
    /// The status code must pass these.
    pub(super) codes: Vec<CodeTest>,
    /// One phrase of each of these stands in the reply.
    pub(super) has: Vec<Vec<Phrase>>,
    /// None of these stands in the reply.
    pub(super) not: Vec<Phrase>,
}

/// Parts that follow each other in a reply.
pub(super) type Phrase = Vec<Part>;

/// A part of a phrase: any of these texts. `" user "` is the word, `" block"` its beginning.
pub(super) type Part = Vec<String>;

/// A test of a reply's status code.
#[derive(Debug, Clone, Copy)]
pub(super) struct CodeTest {
    pattern: CodePattern,
    wanted: bool,
}

#[derive(Debug, Clone, Copy)]
enum CodePattern {
    /// The first digit of the enhanced code, else of the basic one.
    Class(u16),
    Basic(u16),
    Enhanced(u16, u16, Option<u16>),
}

impl CodeTest {
    fn parse(text: &str) -> Option<Self> {
        let (text, wanted) =
            if let Some(text) = text.strip_prefix('!') { (text, false) } else { (text, true) };
        let pattern = if let Some(subject) = text.strip_suffix(".*") {
            let (class, subject) = subject.split_once('.')?;
            CodePattern::Enhanced(number(class)?, number(subject)?, None)
        } else if let Some(code) = Enhanced::parse(text) {
            CodePattern::Enhanced(code.class, code.subject, Some(code.detail))
        } else {
            let code = number(text)?;
            if code < 10 { CodePattern::Class(code) } else { CodePattern::Basic(code) }
        };
        Some(Self { pattern, wanted })
    }

    fn matches(self, reply: &Reply) -> bool {
        match self.pattern {
            CodePattern::Class(class) => reply.class() == Some(class),
            CodePattern::Basic(code) => reply.basic == Some(code),
            CodePattern::Enhanced(class, subject, detail) => {
                let Some(code) = reply.enhanced else { return false };
                (code.class, code.subject) == (class, subject) && [None, Some(code.detail)].contains(&detail)
            }
        }
    }
}

impl Rule {
    /// Whether the reply's status code is one that the rule is for.
    pub(super) fn accepts_code(&self, reply: &Reply) -> bool {
        let (mut is_wanted, mut is_bound) = (false, false);
        for test in &self.codes {
            let matches = test.matches(reply);
            if matches && !test.wanted {
                return false;
            }
            is_wanted |= matches;
            is_bound |= test.wanted;
        }
        is_wanted || !is_bound
    }
}

/// Reads rules.
///
/// # Errors
/// The first line that can't be read, and why.
pub(super) fn parse(text: &'static str) -> Result<Vec<Section>, String> {
    let mut reader = Reader::default();
    for statement in statements(text) {
        if let Err(why) = reader.statement(statement) {
            return Err(format!("{why}: {statement}"));
        }
    }
    Ok(reader.sections)
}

/// The text's statements; one goes on over the lines that end in `/`.
fn statements(text: &'static str) -> Vec<&'static str> {
    let mut statements = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = 0;
        for line in rest.split_inclusive('\n') {
            end += line.len();
            if !line.trim_end().ends_with('/') {
                break;
            }
        }
        let statement = rest[..end].trim();
        rest = &rest[end..];
        if !statement.is_empty() && !statement.starts_with('#') {
            statements.push(statement);
        }
    }
    statements
}

#[derive(Default)]
struct Reader {
    groups: HashMap<&'static str, Part>,
    sections: Vec<Section>,
}

impl Reader {
    fn statement(&mut self, statement: &'static str) -> Result<(), &'static str> {
        if let Some(channel) = statement.strip_prefix('[') {
            let channel = channel.strip_suffix(']').ok_or("no ']'")?;
            self.sections.push(Section { channel, rules: Vec::new() });
            return Ok(());
        }
        let (keyword, rest) = statement.split_once(char::is_whitespace).ok_or("a keyword alone")?;
        if keyword == "define" {
            let (name, words) = rest.split_once('=').ok_or("no '='")?;
            self.groups.insert(name.trim(), alternatives(words).map(literal).collect());
            return Ok(());
        }
        if keyword == "rule" {
            let rule = head(rest)?;
            self.sections.last_mut().ok_or("no channel yet")?.rules.push(rule);
            return Ok(());
        }
        if keyword == "code" {
            for code in rest.split_whitespace() {
                let test = CodeTest::parse(code).ok_or("no status code")?;
                self.rule()?.codes.push(test);
            }
            return Ok(());
        }
        let mut phrases = Vec::new();
        for phrase in alternatives(rest) {
            phrases.push(self.phrase(phrase)?);
        }
        match keyword {
            "has" => self.rule()?.has.push(phrases),
            "not" => self.rule()?.not.extend(phrases),
            _ => return Err("unknown keyword"),
        }
        Ok(())
    }

    /// The rule that is being read.
    fn rule(&mut self) -> Result<&mut Rule, &'static str> {
        self.sections.last_mut().ok_or("no channel yet")?.rules.last_mut().ok_or("no rule yet")
    }

    /// `"no such {who}"`: words and groups in the order in which they stand.
    fn phrase(&self, text: &'static str) -> Result<Phrase, &'static str> {
        let mut parts = Phrase::new();
        for piece in text.split_inclusive('}') {
            let (words, group) = piece.split_once('{').unwrap_or((piece, ""));
            if !words.trim().is_empty() {
                parts.push(vec![literal(words.trim())]);
            }
            if let Some(name) = group.strip_suffix('}') {
                parts.push(self.groups.get(name).ok_or("unknown group")?.clone());
            }
        }
        Ok(parts)
    }
}

fn head(text: &'static str) -> Result<Rule, &'static str> {
    let (id, meaning) = text.split_once('=').ok_or("no '='")?;
    let (class, confidence) = meaning.split_once(',').ok_or("no ','")?;
    Ok(Rule {
        id: id.trim(),
        class: Class::named(class.trim()).ok_or("unknown class")?,
        confidence: Confidence::named(confidence.trim()).ok_or("unknown confidence")?,
        codes: Vec::new(),
        has: Vec::new(),
        not: Vec::new(),
    })
}

fn alternatives(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.split('/').map(str::trim).filter(is_some_text)
}

fn is_some_text(text: &&str) -> bool {
    !text.is_empty()
}

fn literal(words: &str) -> String {
    match words.strip_suffix('*') {
        Some(beginning) => format!(" {beginning}"),
        None => format!(" {words} "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &'static str) -> String {
        parse(text).expect_err("a fault")
    }

    #[test]
    fn a_fault_names_its_line() {
        assert_eq!(fault("rule a = unknown, low"), "no channel yet: rule a = unknown, low");
        assert_eq!(fault("[email]\nrule a = nonsense, low"), "unknown class: rule a = nonsense, low");
        assert_eq!(fault("[email]\nrule a = virus, very"), "unknown confidence: rule a = virus, very");
        assert_eq!(fault("[email]\nrule a = virus, low\n code 5.x"), "no status code: code 5.x");
        assert_eq!(fault("[email]\nrule a = virus, low\n has {b}"), "unknown group: has {b}");
        assert_eq!(fault("[email]\nmay x"), "unknown keyword: may x");
    }

    #[test]
    fn a_statement_goes_on_after_a_slash() {
        let [section] = &parse("[email]\ndefine b = c / d\n# no\n\nrule a = virus, low\n  has x /\n   {b} y")
            .expect("rules")[..]
        else {
            unreachable!("one section")
        };
        let expected = vec![
            vec![vec![" x ".to_owned()]],
            vec![vec![" c ".to_owned(), " d ".to_owned()], vec![" y ".to_owned()]],
        ];
        assert_eq!(section.rules[0].has, [expected]);
    }

    #[test]
    fn a_code_is_matched_whole_by_its_beginning_or_by_its_first_digit() {
        let passes =
            |test: &str, reply: &str| CodeTest::parse(test).expect("a test").matches(&Reply::read(reply));
        assert!(passes("5.7.*", "550 5.7.26 x") && !passes("5.7.*", "550 5.1.7 x"));
        assert!(passes("550", "550 5.7.26 x") && !passes("550", "554 x"));
        assert!(passes("4", "421 x") && passes("4", "550 4.2.2 x") && !passes("4", "x"));
    }
}
