//! Rules made ready: one pass over a reply finds all their words.

use std::collections::HashMap;

use aho_corasick::AhoCorasick;

use super::reply::Reply;
use super::rules::{Part, Phrase, Rule};

/// The rules of one channel and the automaton that finds their words.
#[derive(Debug)]
pub(super) struct Ruleset {
    automaton: AhoCorasick,
    /// What each of the automaton's texts is for.
    uses: Vec<Use>,
    /// The phrases of several parts, by their first part.
    chains: Vec<Vec<Chain>>,
    rules: Vec<Ready>,
    conditions: usize,
}

#[derive(Debug, Default)]
struct Use {
    /// The conditions that this text alone fulfils.
    conditions: Vec<usize>,
    /// The parts of chains that it can be.
    parts: Vec<usize>,
}

/// Parts that fulfil a condition when they follow each other.
#[derive(Debug)]
struct Chain {
    after_first: Vec<usize>,
    condition: usize,
}

/// A rule, and the numbers of its conditions.
#[derive(Debug)]
struct Ready {
    rule: Rule,
    has: Vec<usize>,
    not: Option<usize>,
}

impl Ready {
    fn holds(&self, fulfilled: &[bool]) -> bool {
        self.has.iter().all(|condition| fulfilled[*condition]) && !self.not.is_some_and(|not| fulfilled[not])
    }
}

/// A part of a chain as it stands in a reply.
#[derive(Debug, Clone, Copy)]
struct Hit {
    part: usize,
    start: usize,
    end: usize,
}

impl Ruleset {
    /// # Errors
    /// The rules have more words than the automaton can hold.
    pub(super) fn new(rules: Vec<Rule>) -> Result<Self, aho_corasick::BuildError> {
        let mut compiler = Compiler::default();
        let mut ready = Vec::with_capacity(rules.len());
        for rule in rules {
            ready.push(compiler.rule(rule));
        }
        Ok(Self {
            automaton: AhoCorasick::new(&compiler.texts)?,
            uses: compiler.uses,
            chains: compiler.chains,
            rules: ready,
            conditions: compiler.conditions,
        })
    }

    /// The first rule that holds for the reply.
    pub(super) fn decide(&self, reply: &Reply) -> Option<&Rule> {
        let fulfilled = self.fulfilled(&reply.words);
        for ready in &self.rules {
            if ready.holds(&fulfilled) && ready.rule.accepts_code(reply) {
                return Some(&ready.rule);
            }
        }
        None
    }

    #[cfg(test)]
    pub(super) fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|ready| &ready.rule)
    }

    /// Which conditions the words fulfil, by their numbers.
    fn fulfilled(&self, words: &str) -> Vec<bool> {
        let mut fulfilled = vec![false; self.conditions];
        let mut hits = Vec::new();
        for found in self.automaton.find_overlapping_iter(words) {
            let found_use = &self.uses[found.pattern().as_usize()];
            for condition in &found_use.conditions {
                fulfilled[*condition] = true;
            }
            for part in &found_use.parts {
                hits.push(Hit { part: *part, start: found.start(), end: found.end() });
            }
        }
        hits.sort_unstable_by_key(|hit| hit.start);
        for hit in &hits {
            for chain in &self.chains[hit.part] {
                let met = &mut fulfilled[chain.condition];
                *met = *met || follow(&hits, hit.end, &chain.after_first);
            }
        }
        fulfilled
    }
}

/// Whether the parts follow each other from `end` on. Neighbours share the space between them.
fn follow(hits: &[Hit], end: usize, parts: &[usize]) -> bool {
    let Some((part, rest)) = parts.split_first() else { return true };
    let first = hits.partition_point(|hit| hit.start + 1 < end);
    for hit in &hits[first..] {
        if hit.start + 1 != end {
            return false;
        }
        if hit.part == *part && follow(hits, hit.end, rest) {
            return true;
        }
    }
    false
}

#[derive(Default)]
struct Compiler {
    texts: Vec<String>,
    numbers: HashMap<String, usize>,
    uses: Vec<Use>,
    parts: HashMap<Part, usize>,
    chains: Vec<Vec<Chain>>,
    conditions: usize,
}

impl Compiler {
    fn rule(&mut self, rule: Rule) -> Ready {
        let mut has = Vec::with_capacity(rule.has.len());
        for phrases in &rule.has {
            has.push(self.condition(phrases));
        }
        let not = if rule.not.is_empty() { None } else { Some(self.condition(&rule.not)) };
        Ready { rule, has, not }
    }

    /// The number of the condition that any of these phrases fulfils.
    fn condition(&mut self, phrases: &[Phrase]) -> usize {
        let condition = self.conditions;
        self.conditions += 1;
        for phrase in phrases {
            match &phrase[..] {
                [] => {}
                [texts] => {
                    for text in texts {
                        self.text(text).conditions.push(condition);
                    }
                }
                [first, rest @ ..] => {
                    let first = self.part(first);
                    let mut after_first = Vec::with_capacity(rest.len());
                    for part in rest {
                        after_first.push(self.part(part));
                    }
                    self.chains[first].push(Chain { after_first, condition });
                }
            }
        }
        condition
    }

    /// The number of a chain's part.
    fn part(&mut self, texts: &Part) -> usize {
        if let Some(part) = self.parts.get(texts) {
            return *part;
        }
        let part = self.chains.len();
        self.chains.push(Vec::new());
        self.parts.insert(texts.clone(), part);
        for text in texts {
            self.text(text).parts.push(part);
        }
        part
    }

    fn text(&mut self, text: &str) -> &mut Use {
        let next = self.uses.len();
        let number = *self.numbers.entry(text.to_owned()).or_insert(next);
        if number == next {
            self.texts.push(text.to_owned());
            self.uses.push(Use::default());
        }
        &mut self.uses[number]
    }
}
