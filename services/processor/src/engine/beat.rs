use std::time::{Duration, Instant};

/// When a worker's transactions are due: moments one interval apart, each worker's between those of the others. Transactions that
/// meet on the same broker wait for each other; where they are spread out, the slowest of a hundred take a tenth less time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beat {
    first: Instant,
    interval: Duration,
}

impl Beat {
    /// That of worker `number` of `workers`, who have worked since `start`.
    pub(super) fn of(number: usize, workers: usize, start: Instant, interval: Duration) -> Self {
        let part = number as f64 / workers as f64;
        Self { first: start + interval.mul_f64(part), interval }
    }

    /// What follows a gathering that ended at `gathered`: the nearest moment after half an interval. So a gathering that was
    /// late makes up for it, and one that came out of step, because the batch was full or a pause was over, finds back.
    pub(super) fn after(&self, gathered: Instant) -> Instant {
        let earliest = gathered + self.interval / 2;
        let beyond =
            earliest.saturating_duration_since(self.first).as_nanos() % self.interval.as_nanos().max(1);
        let beyond = Duration::from_nanos(u64::try_from(beyond).unwrap_or_default());
        if beyond.is_zero() { earliest.max(self.first) } else { earliest + (self.interval - beyond) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INTERVAL: Duration = Duration::from_millis(100);

    fn after(beat: &Beat, start: Instant, millis: u64) -> u128 {
        (beat.after(start + Duration::from_millis(millis)) - start).as_millis()
    }

    #[test]
    fn workers_are_spread_over_the_interval_and_stay_there() {
        let start = Instant::now();
        let beats = [0, 1, 2, 3].map(|number| Beat::of(number, 4, start, INTERVAL));
        assert_eq!(beats.map(|beat| after(&beat, start, 1_000)), [1_100, 1_125, 1_050, 1_075]);
        let second = beats[1];
        assert_eq!([1_025, 1_030, 1_074].map(|late| after(&second, start, late)), [1_125; 3]);
        assert_eq!([1_076, 1_120].map(|out_of_step| after(&second, start, out_of_step)), [1_225; 2]);
    }

    #[test]
    fn an_interval_of_nothing_lets_nobody_wait() {
        let start = Instant::now();
        let beat = Beat::of(1, 2, start, Duration::ZERO);
        assert_eq!(after(&beat, start, 7), 7);
    }

    proptest! {
        #[test]
        fn the_next_one_is_half_an_interval_to_one_and_a_half_away(
            number in 0..8_usize,
            interval in 1..10_000_u64,
            gathered in 0..1_000_000_000_u64,
        ) {
            let (start, interval) = (Instant::now(), Duration::from_micros(interval));
            let beat = Beat::of(number, 8, start, interval);
            let gathered = beat.first + Duration::from_micros(gathered);
            let wait = beat.after(gathered) - gathered;
            prop_assert!(wait >= interval / 2 && wait <= interval + interval / 2, "{wait:?}");
            prop_assert_eq!((beat.after(gathered) - beat.first).as_nanos() % interval.as_nanos(), 0);
        }
    }
}
