//! What a failed delivery means: a provider's words become a class, and a class has a blame.
//!
//! The vendor tells only the provider's text, with no hint of hard or soft. Rules as data (`rules.txt`) read
//! it: a provider's own wording first, then wordings that many share together with the status code, a status
//! code alone last and with low confidence. Status codes are no ground of their own: real replies say 5.1.1
//! for a full mailbox and 5.5.0 for a dead one. [`class`] says whose fault each class is: sender and content
//! faults never touch a recipient.
//!
//! The rules were written and are checked against the replies of `corpus/replies.jsonl`, each with its
//! source.

pub mod class;
mod reply;
mod rules;
mod ruleset;
mod shape;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

pub use class::{Blame, Class, Effect};
pub use reply::REPLY_BYTES_MAX;
pub use shape::shape;

use reply::Reply;
use ruleset::Ruleset;

/// How sure a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Confidence {
    /// A status code alone, or words that mean several things.
    Low,
    /// Words that mean the class in nearly all replies.
    Medium,
    /// Words that mean nothing else.
    High,
}

impl Confidence {
    const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// The confidence's name in records and rules.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|confidence| confidence.as_str() == name)
    }
}

/// What a reply means, and which rule says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Classification {
    /// The class; its blame and effect follow from it.
    pub class: Class,
    /// How sure the rule is.
    pub confidence: Confidence,
    /// The rule's id in `rules.txt`; [`NO_RULE`] where none holds.
    pub rule: &'static str,
}

/// The version of the rules, as outcomes name it. It changes with the rules.
pub const CLASSIFIER: &str = "rules-1";

/// The rule's id where no rule holds.
pub const NO_RULE: &str = "none";

/// What a provider's reply on this channel means. Only its first [`REPLY_BYTES_MAX`] bytes are read.
#[must_use]
pub fn classify(channel: &str, reply: &str) -> Classification {
    let unknown = Classification { class: Class::Unknown, confidence: Confidence::Low, rule: NO_RULE };
    let Some((_, ruleset)) = RULESETS.iter().find(|(known, _)| *known == channel) else { return unknown };
    let reply = Reply::read(reply);
    let Some(rule) = ruleset.decide(&reply) else { return unknown };
    // On other channels 4xx is HTTP's, and permanent.
    let temporary = channel == "email" && reply.is_temporary();
    let class = if temporary { rule.class.while_temporary() } else { rule.class };
    Classification { class, confidence: rule.confidence, rule: rule.id }
}

static RULESETS: LazyLock<Vec<(&'static str, Ruleset)>> = LazyLock::new(rulesets);

fn rulesets() -> Vec<(&'static str, Ruleset)> {
    let mut rulesets = Vec::new();
    for section in rules::parse(include_str!("rules.txt")).expect("a test reads the rules") {
        let ruleset = Ruleset::new(section.rules).expect("far fewer words than an automaton holds");
        rulesets.push((section.channel, ruleset));
    }
    rulesets
}
