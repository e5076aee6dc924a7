//! Chance from a seed.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The seed of a short run, unless `CHAOS_SEED` says otherwise: it is the same every time.
const SEED: u64 = 20_261_121;

/// The seed of this run. A long one draws it from the clock.
pub(crate) fn seed() -> u64 {
    static DRAWN: OnceLock<u64> = OnceLock::new();
    let by_clock = || SystemTime::UNIX_EPOCH.elapsed().map_or(SEED, |since| since.as_secs());
    *DRAWN.get_or_init(|| {
        number("CHAOS_SEED").unwrap_or_else(|| if kills().is_some() { by_clock() } else { SEED })
    })
}

/// How many kills a long run is asked for; none of a short one, which takes some of each scenario's faults.
pub(crate) fn kills() -> Option<u64> {
    number("CHAOS_KILLS")
}

/// A number from the environment.
///
/// # Panics
/// If it is none.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().expect("CHAOS_SEED and CHAOS_KILLS are numbers"))
}

/// A seeded source of chance.
#[derive(Debug)]
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// Dice for one purpose: two purposes under one seed are independent of each other.
    pub(crate) fn new(seed: u64, purpose: u64) -> Dice {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(purpose);
        Dice(rng)
    }

    /// True in `percent` of 100 throws.
    pub(crate) fn percent(&mut self, percent: u32) -> bool {
        self.0.random_ratio(percent, 100)
    }

    /// A number from 0 up to and without `end`, which is at least 1.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0.random_range(0..end)
    }

    /// A place in a list of `length`.
    pub(crate) fn place(&mut self, length: usize) -> usize {
        self.0.random_range(0..length)
    }

    /// One of several, all equally likely; there is at least one.
    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.place(choices.len())]
    }

    /// A time between both, in milliseconds.
    pub(crate) fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.0.random_range(least..=most))
    }

    /// Sixteen random bytes as a number.
    pub(crate) fn number(&mut self) -> u128 {
        self.0.random()
    }
}
