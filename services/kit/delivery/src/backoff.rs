//! How long to wait before the next try.

use std::time::Duration;

/// Exponential backoff with full jitter: each wait is drawn evenly from nothing to a ceiling that doubles, so
/// that many clients of one failing destination don't come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The ceiling before the first retry.
    pub base: Duration,
    /// What the ceiling never exceeds.
    pub cap: Duration,
}

impl Backoff {
    /// The longest wait after `failures` failures in a row, of which there is at least one.
    #[must_use]
    pub fn ceiling(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.base.saturating_mul(1 << doublings).min(self.cap)
    }

    /// The wait after `failures` failures in a row, where `chance` is from 0 to 1.
    #[must_use]
    pub fn wait(&self, failures: u32, chance: f64) -> Duration {
        let chance = if chance.is_finite() { chance.clamp(0.0, 1.0) } else { 1.0 };
        self.ceiling(failures).mul_f64(chance)
    }

    /// The wait after `failures` failures in a row, by chance.
    #[must_use]
    pub fn random_wait(&self, failures: u32) -> Duration {
        self.wait(failures, rand::random())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BACKOFF: Backoff = Backoff { base: Duration::from_millis(500), cap: Duration::from_secs(60) };

    proptest! {
        #[test]
        fn a_wait_never_exceeds_its_ceiling_nor_the_cap(failures: u32, chance: f64) {
            let wait = BACKOFF.wait(failures, chance);
            prop_assert!(wait <= BACKOFF.ceiling(failures) && wait <= BACKOFF.cap);
        }

        #[test]
        fn ceilings_never_shrink(failures in 0_u32..u32::MAX) {
            prop_assert!(BACKOFF.ceiling(failures) <= BACKOFF.ceiling(failures + 1));
        }
    }

    #[test]
    fn ceilings_double_from_half_a_second_to_a_minute() {
        let millis: Vec<u128> = (1..=9).map(|failures| BACKOFF.ceiling(failures).as_millis()).collect();
        assert_eq!(millis, [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    }
}
