//! Chance, reproducible: the same seed throws the same numbers on every machine.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use ulid::Ulid;

/// A seeded source of chance.
#[derive(Debug)]
pub(in crate::customerio) struct Dice(ChaCha8Rng);

impl Dice {
    /// Dice for one purpose: two purposes under one seed are independent of each other.
    pub(in crate::customerio) fn new(seed: u64, purpose: u64) -> Dice {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(purpose);
        Dice(rng)
    }

    /// True in `percent` of 100 throws.
    pub(in crate::customerio) fn percent(&mut self, percent: u32) -> bool {
        self.0.random_ratio(percent, 100)
    }

    /// A number from 0 up to and without `end`, which is at least 1.
    pub(in crate::customerio) fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end)
    }

    /// A number of seconds between both, inclusive.
    pub(in crate::customerio) fn between(&mut self, (least, most): (i64, i64)) -> i64 {
        self.0.random_range(least..=most)
    }

    /// One of several, all equally likely; there is at least one.
    pub(in crate::customerio) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Null, false or true: the vendor's optional booleans are absent as often as not.
    pub(in crate::customerio) fn maybe(&mut self) -> Option<bool> {
        self.one_of(&[None, Some(false), Some(true)])
    }

    /// Sixteen random bytes as a number.
    pub(in crate::customerio) fn number(&mut self) -> u128 {
        self.0.random()
    }

    /// A ULID of that second.
    pub(in crate::customerio) fn ulid(&mut self, second: i64) -> String {
        let milliseconds = u64::try_from(second * 1_000).unwrap_or(0) + self.0.random_range(0..1_000);
        Ulid::from_parts(milliseconds, self.0.random()).to_string()
    }

    /// An id as a JSON number, now and then as a string: both occur on the wire.
    pub(in crate::customerio) fn id(&mut self, id: u64) -> Value {
        if self.percent(3) { Value::from(id.to_string()) } else { Value::from(id) }
    }
}
