//! A workspace's people and messages, and what became of them: deterministic, from a seed.

pub(super) mod dice;
mod message;
mod outcome;
mod person;
#[cfg(test)]
mod tests;

pub use self::message::{MESSAGES, Message, Sender};
pub use self::outcome::{MATRIX, Outcome, Outcomes};
pub use self::person::{Device, Person, Shape};

use self::dice::Dice;

/// The people of a workspace.
#[derive(Clone, Debug)]
pub struct Population {
    people: Vec<Person>,
}

impl Population {
    /// That many people, at least one. The same seed makes the same people on every machine; 50 are enough
    /// to have every [`Shape`].
    #[must_use]
    pub fn new(seed: u64, people: usize) -> Population {
        let mut dice = Dice::new(seed, 1);
        Population { people: (1..=people.max(1)).map(|number| Person::new(number, &mut dice)).collect() }
    }

    /// All people, in order of their number.
    #[must_use]
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// The first `count` outcomes of that seed, in order of time: what happened before `now_s` (Unix
    /// seconds), each once. 200 are enough to have every message's [`MATRIX`] cell, 5,000 for the changes of
    /// subscriptions and all quirks too.
    #[must_use]
    pub fn outcomes(&self, seed: u64, count: usize, now_s: i64) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = Outcomes::new(self, seed, now_s).take(count).collect();
        outcomes.sort_by(|one, other| {
            (one.timestamp_s, &one.event_id).cmp(&(other.timestamp_s, &other.event_id))
        });
        outcomes
    }
}
