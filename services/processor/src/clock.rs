//! The time by which timers fire and restores judge: the brokers' time.
//!
//! A node's wall clock can be wrong, and it can jump. Nothing in the processor reads it. A broker is asked
//! for its time once, at the start. From then on a monotonic clock counts, and the append times of records
//! correct it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tracing::warn;

use crate::metric;

/// If a record that has just arrived seems older than this, our clock is ahead.
const SKEW_MAX_MS: i64 = 60_000;
/// A partition that was read to its end counts as caught up until a record is older than this.
const BACKLOG_AFTER_MS: i64 = 10_000;

/// One clock for all partitions of a process. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    anchor: Arc<Mutex<Anchor>>,
}

#[derive(Debug, Clone, Copy)]
struct Anchor {
    at_ms: i64,
    since: Instant,
}

impl Anchor {
    fn now_ms(self, now: Instant) -> i64 {
        let elapsed = now.saturating_duration_since(self.since);
        self.at_ms.saturating_add(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
    }

    /// The anchor after a record that was appended at `appended_ms` and read at `now`. The broker's time
    /// can't be before the append. Where the record is `fresh`, the broker's time can't be far after it
    /// either.
    fn corrected(self, appended_ms: i64, fresh: bool, now: Instant) -> Self {
        let ahead_ms = self.now_ms(now).saturating_sub(appended_ms);
        let is_wrong = ahead_ms < 0 || (fresh && ahead_ms > SKEW_MAX_MS);
        if is_wrong { Self { at_ms: appended_ms, since: now } } else { self }
    }
}

/// How far a partition's own time has come.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PartitionClock {
    /// Whether everything that the partition holds has been read.
    caught_up: bool,
    /// Whether the next record will reach us without delay, so that its append time may correct our clock. A
    /// quiet partition can be caught up and not fresh, because Kafka reports the end of a partition only
    /// once.
    fresh: bool,
    /// The append time of the last record read.
    last_ms: Option<i64>,
}

impl PartitionClock {
    /// The partition was read to its end. `present` is whether the client has reported that end just now.
    pub(crate) fn reached_end(&mut self, present: bool) {
        self.caught_up = true;
        self.fresh = present;
    }

    /// The next record may have waited for us.
    pub(crate) fn may_have_waited(&mut self) {
        self.fresh = false;
    }
}

impl Clock {
    /// A clock that shows `at_ms` now, Unix milliseconds.
    pub(crate) fn starting_at(at_ms: i64) -> Self {
        Self { anchor: Arc::new(Mutex::new(Anchor { at_ms, since: Instant::now() })) }
    }

    /// The brokers' time, Unix milliseconds.
    pub(crate) fn now_ms(&self) -> i64 {
        self.anchor().now_ms(Instant::now())
    }

    /// Takes in a record of `partition` that was appended at `appended_ms`, Unix milliseconds.
    pub(crate) fn correct(&self, partition: &mut PartitionClock, appended_ms: i64) {
        // In a backlog, the records of one batch have the same append time. Skip them: all workers share the
        // clock's lock.
        if !partition.caught_up && partition.last_ms == Some(appended_ms) {
            return;
        }
        let now = Instant::now();
        let mut anchor = self.anchor();
        let now_ms = anchor.now_ms(now);
        let corrected = anchor.corrected(appended_ms, partition.fresh, now);
        let ahead_ms = now_ms.saturating_sub(corrected.now_ms(now));
        if ahead_ms > 0 {
            warn!(ahead_ms, "this node's clock is ahead of the broker's: timers wait for the broker's");
            metrics::counter!(metric::CLOCK_CORRECTIONS).increment(1);
        }
        *anchor = corrected;
        partition.last_ms = Some(appended_ms);
        // Compare with the clock before the correction. After it, the record that corrected the clock would
        // always look recent.
        partition.caught_up &= now_ms.saturating_sub(appended_ms) < BACKLOG_AFTER_MS;
        partition.fresh &= partition.caught_up;
    }

    /// A partition's time, Unix milliseconds; `None` before anything is known about it.
    ///
    /// The time of a partition with a backlog stands at its last record. If it ran ahead of the records that
    /// are still to be read, what they say would come too late.
    pub(crate) fn effective_ms(&self, partition: &PartitionClock) -> Option<i64> {
        let now_ms = self.now_ms();
        if partition.caught_up { Some(now_ms) } else { partition.last_ms.map(|last| last.min(now_ms)) }
    }

    fn anchor(&self) -> MutexGuard<'_, Anchor> {
        self.anchor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PRESENT_MS: i64 = 1_800_000_000_000;

    fn anchor(at_ms: i64) -> (Anchor, Instant) {
        let since = Instant::now();
        (Anchor { at_ms, since }, since)
    }

    #[test]
    fn time_passes_without_records() {
        let (anchor, since) = anchor(1_000);
        assert_eq!(anchor.now_ms(since + Duration::from_secs(3)), 4_000);
    }

    #[test]
    fn a_clock_that_is_wrong_is_set_by_the_broker() {
        let (slow, since) = anchor(1_000_000);
        assert_eq!(slow.corrected(1_000_500, false, since).now_ms(since), 1_000_500, "it was behind");
        assert_eq!(slow.corrected(900_000, true, since).now_ms(since), 900_000, "it was ahead");
        assert_eq!(slow.corrected(999_000, true, since).now_ms(since), 1_000_000, "a record takes a moment");
        assert_eq!(slow.corrected(10, false, since).now_ms(since), 1_000_000, "a backlog says nothing");
    }

    /// The records of one batch are alike, but where an end was seen among them, the next says that there is
    /// more, and old.
    #[test]
    fn p5_an_old_record_after_an_end_holds_time_back_though_it_is_stamped_like_the_last() {
        let (clock, mut partition) = (Clock::starting_at(PRESENT_MS), PartitionClock::default());
        let old_ms = PRESENT_MS - 2 * BACKLOG_AFTER_MS;
        clock.correct(&mut partition, old_ms);
        partition.reached_end(true);
        clock.correct(&mut partition, old_ms);
        assert_eq!(clock.effective_ms(&partition), Some(old_ms));
    }

    /// We stood still for 90 s, and records came meanwhile. What is read first was appended just after the
    /// end that was seen.
    #[test]
    fn p5_what_has_waited_for_us_is_a_backlog_and_does_not_set_the_clock_back() {
        let (clock, mut partition) = (Clock::starting_at(PRESENT_MS), PartitionClock::default());
        partition.reached_end(true);
        partition.may_have_waited();
        for waited_ms in [90_000, 60_000, BACKLOG_AFTER_MS + 1_000] {
            clock.correct(&mut partition, PRESENT_MS - waited_ms);
            assert_eq!(clock.effective_ms(&partition), Some(PRESENT_MS - waited_ms));
        }
        assert!(clock.now_ms() >= PRESENT_MS, "latencies tell the outage");
    }

    #[test]
    fn p5_time_passes_on_a_quiet_partition_though_its_worker_stood_still() {
        let (clock, mut partition) = (Clock::starting_at(PRESENT_MS), PartitionClock::default());
        partition.reached_end(true);
        partition.may_have_waited();
        assert!(clock.effective_ms(&partition) >= Some(PRESENT_MS));
        clock.correct(&mut partition, PRESENT_MS);
        assert!(clock.effective_ms(&partition) >= Some(PRESENT_MS), "and on with a record that did not wait");
    }

    #[test]
    fn an_end_that_waited_for_us_does_not_make_the_next_record_fresh() {
        let (clock, mut partition) = (Clock::starting_at(PRESENT_MS), PartitionClock::default());
        partition.reached_end(false);
        clock.correct(&mut partition, PRESENT_MS - 90_000);
        assert!(clock.now_ms() >= PRESENT_MS);
    }

    /// Also where it sets the clock: what is read next says how old it is.
    #[test]
    fn p5_an_old_record_is_a_backlog_by_the_clock_that_it_found() {
        let (clock, mut partition) = (Clock::starting_at(PRESENT_MS), PartitionClock::default());
        partition.reached_end(true);
        clock.correct(&mut partition, PRESENT_MS - 90_000);
        assert!(clock.now_ms() < PRESENT_MS - 80_000, "the clock was ahead");
        assert!(!partition.caught_up, "time stands until the end is seen again");
    }

    #[test]
    fn p5_a_backlog_holds_time_back_and_its_end_lets_it_go() {
        let clock = Clock::starting_at(PRESENT_MS);
        let mut partition = PartitionClock::default();
        assert_eq!(clock.effective_ms(&partition), None);
        clock.correct(&mut partition, 5_000);
        assert_eq!(clock.effective_ms(&partition), Some(5_000));
        partition.reached_end(true);
        assert!(clock.effective_ms(&partition) >= Some(PRESENT_MS), "the present");
        clock.correct(&mut partition, 6_000);
        assert!(
            clock.effective_ms(&partition) <= Some(6_000 + 1_000),
            "a fresh record from 1970 sets the clock"
        );
    }
}
