//! When a worker commits.

use std::time::{Duration, Instant};

/// The times at which a worker's transactions are due: one interval apart, and between the times of the other
/// workers.
///
/// Transactions that meet on the same broker wait for each other. Spread out, the slowest one per cent of
/// them take a tenth less time.
#[derive(Debug, Clone, Copy)]
pub(super) struct CommitSchedule {
    first: Instant,
    interval: Duration,
}

impl CommitSchedule {
    /// The schedule of worker `number` of `workers`, who all started at `start`.
    pub(super) fn for_worker(number: usize, workers: usize, start: Instant, interval: Duration) -> Self {
        let part = number as f64 / workers as f64;
        Self { first: start + interval.mul_f64(part), interval }
    }

    /// The next commit time after a batch was read at `read_at`: the first slot at least half an interval
    /// later.
    ///
    /// A late batch thus catches up, and a worker that lost its slot (its batch was full, or a pause ended)
    /// returns to it.
    pub(super) fn next_after(&self, read_at: Instant) -> Instant {
        let earliest = read_at + self.interval / 2;
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

    fn after(schedule: &CommitSchedule, start: Instant, millis: u64) -> u128 {
        (schedule.next_after(start + Duration::from_millis(millis)) - start).as_millis()
    }

    #[test]
    fn workers_are_spread_over_the_interval_and_stay_there() {
        let start = Instant::now();
        let schedules = [0, 1, 2, 3].map(|number| CommitSchedule::for_worker(number, 4, start, INTERVAL));
        assert_eq!(schedules.map(|schedule| after(&schedule, start, 1_000)), [1_100, 1_125, 1_050, 1_075]);
        let second = schedules[1];
        assert_eq!([1_025, 1_030, 1_074].map(|late| after(&second, start, late)), [1_125; 3]);
        assert_eq!([1_076, 1_120].map(|out_of_step| after(&second, start, out_of_step)), [1_225; 2]);
    }

    #[test]
    fn an_interval_of_nothing_lets_nobody_wait() {
        let start = Instant::now();
        let schedule = CommitSchedule::for_worker(1, 2, start, Duration::ZERO);
        assert_eq!(after(&schedule, start, 7), 7);
    }

    proptest! {
        #[test]
        fn the_next_one_is_half_an_interval_to_one_and_a_half_away(
            number in 0..8_usize,
            interval in 1..10_000_u64,
            read_at in 0..1_000_000_000_u64,
        ) {
            let (start, interval) = (Instant::now(), Duration::from_micros(interval));
            let schedule = CommitSchedule::for_worker(number, 8, start, interval);
            let read_at = schedule.first + Duration::from_micros(read_at);
            let wait = schedule.next_after(read_at) - read_at;
            prop_assert!(wait >= interval / 2 && wait <= interval + interval / 2, "{wait:?}");
            prop_assert_eq!((schedule.next_after(read_at) - schedule.first).as_nanos() % interval.as_nanos(), 0);
        }
    }
}
