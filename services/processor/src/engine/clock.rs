//! The time by which timers fire and restores judge: the brokers'.
//!
//! A node's wall clock can be wrong, and can jump: nothing here reads it. A broker is asked once, at the start; from there on a
//! monotonic clock counts, and the append times of records correct it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::warn;

use crate::metric;

/// A fresh record that seems older than this shows that our clock is ahead.
const SKEW_MAX_MS: i64 = 60_000;
/// A partition that was read to its end counts as caught up until a record is older than this.
const BACKLOG_AFTER_MS: i64 = 10_000;
/// A worker that is back at its inbox later than this has let things wait there.
const LAPSE_AFTER: Duration = Duration::from_secs(1);

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

    /// What a record appended at `appended_ms` and read at `now` tells. The broker's time can't be before it; and where the
    /// record is `fresh`, not far after it either.
    fn corrected(self, appended_ms: i64, fresh: bool, now: Instant) -> Self {
        let ahead_ms = self.now_ms(now).saturating_sub(appended_ms);
        let is_wrong = ahead_ms < 0 || (fresh && ahead_ms > SKEW_MAX_MS);
        if is_wrong { Self { at_ms: appended_ms, since: now } } else { self }
    }
}

/// How far a partition's own time is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reading {
    /// Whether everything that the partition holds has been read.
    caught_up: bool,
    /// Whether what comes next comes at once. A partition that stays quiet is caught up without: its end is told only once.
    fresh: bool,
    /// The append time of the last record read.
    last_ms: Option<i64>,
}

impl Reading {
    /// A partition was read to its end. `present` is whether that is the news of this moment, and not of an earlier one.
    pub(crate) fn reached_end(&mut self, present: bool) {
        (self.caught_up, self.fresh) = (true, present);
    }

    /// What comes next may have waited for us.
    pub(crate) fn lapsed(&mut self) {
        self.fresh = false;
    }
}

/// Whether a worker keeps up with its inbox. What has waited there, while a commit took its time or the whole process stood still,
/// tells our delay and not the broker's time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attention {
    since: Instant,
    /// Whether nothing is left in the inbox of what came during a lapse.
    is_close: bool,
}

impl Attention {
    /// That of a worker that begins at `now`.
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, is_close: false }
    }

    /// The worker is back at `now` from a wait of `wait`, and its inbox was found empty or not. Answers whether it is back late.
    pub(super) fn back(&mut self, wait: Duration, found_nothing: bool, now: Instant) -> bool {
        let is_late = now.saturating_duration_since(self.since) > wait + LAPSE_AFTER;
        self.since = now;
        self.is_close = !is_late && (self.is_close || found_nothing);
        is_late
    }

    /// Whether what comes now comes at once.
    pub(super) fn is_close(self) -> bool {
        self.is_close
    }
}

impl Clock {
    /// One that shows `at_ms` now, Unix milliseconds.
    pub(crate) fn showing(at_ms: i64) -> Self {
        Self { anchor: Arc::new(Mutex::new(Anchor { at_ms, since: Instant::now() })) }
    }

    /// The brokers' time, Unix milliseconds.
    pub(crate) fn now_ms(&self) -> i64 {
        self.anchor().now_ms(Instant::now())
    }

    /// A record of a partition was read.
    pub(crate) fn read(&self, reading: &mut Reading, appended_ms: i64) {
        // Of a backlog, the records of one batch say the same, and the clock is everybody's.
        if !reading.caught_up && reading.last_ms == Some(appended_ms) {
            return;
        }
        let now = Instant::now();
        let mut anchor = self.anchor();
        let now_ms = anchor.now_ms(now);
        let corrected = anchor.corrected(appended_ms, reading.fresh, now);
        let ahead_ms = now_ms.saturating_sub(corrected.now_ms(now));
        if ahead_ms > 0 {
            warn!(ahead_ms, "this node's clock is ahead of the broker's: timers wait for the broker's");
            metrics::counter!(metric::CLOCK_CORRECTIONS).increment(1);
        }
        *anchor = corrected;
        reading.last_ms = Some(appended_ms);
        // By the clock as it was: a record that has set it would always seem to be of the present.
        reading.caught_up &= now_ms.saturating_sub(appended_ms) < BACKLOG_AFTER_MS;
        reading.fresh &= reading.caught_up;
    }

    /// The time of a partition, Unix milliseconds: it doesn't run ahead of what is still to be read, or what a backlog will
    /// say would come too late. `None` before anything is known of it.
    pub(crate) fn effective_ms(&self, reading: &Reading) -> Option<i64> {
        let now_ms = self.now_ms();
        if reading.caught_up { Some(now_ms) } else { reading.last_ms.map(|last| last.min(now_ms)) }
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

    /// The records of one batch are alike, but where an end was seen among them, the next says that there is more, and old.
    #[test]
    fn p5_an_old_record_after_an_end_holds_time_back_though_it_is_stamped_like_the_last() {
        let (clock, mut reading) = (Clock::showing(PRESENT_MS), Reading::default());
        let old_ms = PRESENT_MS - 2 * BACKLOG_AFTER_MS;
        clock.read(&mut reading, old_ms);
        reading.reached_end(true);
        clock.read(&mut reading, old_ms);
        assert_eq!(clock.effective_ms(&reading), Some(old_ms));
    }

    /// We stood still for 90 s, and records came meanwhile. What is read first was appended just after the end that was seen.
    #[test]
    fn p5_what_has_waited_for_us_is_a_backlog_and_does_not_set_the_clock_back() {
        let (clock, mut reading) = (Clock::showing(PRESENT_MS), Reading::default());
        reading.reached_end(true);
        reading.lapsed();
        for waited_ms in [90_000, 60_000, BACKLOG_AFTER_MS + 1_000] {
            clock.read(&mut reading, PRESENT_MS - waited_ms);
            assert_eq!(clock.effective_ms(&reading), Some(PRESENT_MS - waited_ms));
        }
        assert!(clock.now_ms() >= PRESENT_MS, "latencies tell the outage");
    }

    #[test]
    fn p5_time_passes_on_a_quiet_partition_though_its_worker_stood_still() {
        let (clock, mut reading) = (Clock::showing(PRESENT_MS), Reading::default());
        reading.reached_end(true);
        reading.lapsed();
        assert!(clock.effective_ms(&reading) >= Some(PRESENT_MS));
        clock.read(&mut reading, PRESENT_MS);
        assert!(clock.effective_ms(&reading) >= Some(PRESENT_MS), "and on with a record that did not wait");
    }

    #[test]
    fn an_end_that_waited_for_us_does_not_make_the_next_record_fresh() {
        let (clock, mut reading) = (Clock::showing(PRESENT_MS), Reading::default());
        reading.reached_end(false);
        clock.read(&mut reading, PRESENT_MS - 90_000);
        assert!(clock.now_ms() >= PRESENT_MS);
    }

    /// Also where it sets the clock: what is read next says how old it is.
    #[test]
    fn p5_an_old_record_is_a_backlog_by_the_clock_that_it_found() {
        let (clock, mut reading) = (Clock::showing(PRESENT_MS), Reading::default());
        reading.reached_end(true);
        clock.read(&mut reading, PRESENT_MS - 90_000);
        assert!(clock.now_ms() < PRESENT_MS - 80_000, "the clock was ahead");
        assert!(!reading.caught_up, "time stands until the end is seen again");
    }

    #[test]
    fn a_worker_that_was_late_keeps_up_again_when_its_inbox_was_empty_in_time() {
        const WAIT: Duration = Duration::from_millis(500);
        let mut now = Instant::now();
        let mut attention = Attention::new(now);
        let mut back = |after_ms, found_nothing| {
            now += Duration::from_millis(after_ms);
            (attention.back(WAIT, found_nothing, now), attention.is_close())
        };
        assert_eq!(back(100, false), (false, false), "what comes first may have waited");
        assert_eq!(back(500, true), (false, true));
        assert_eq!(back(1_400, false), (false, true), "a little later than it meant to");
        assert_eq!(back(60_000, true), (true, false), "it stood still, and what came may not be there yet");
        assert_eq!(back(10, false), (false, false));
        assert_eq!(back(500, true), (false, true));
    }

    #[test]
    fn p5_a_backlog_holds_time_back_and_its_end_lets_it_go() {
        let clock = Clock::showing(PRESENT_MS);
        let mut reading = Reading::default();
        assert_eq!(clock.effective_ms(&reading), None);
        clock.read(&mut reading, 5_000);
        assert_eq!(clock.effective_ms(&reading), Some(5_000));
        reading.reached_end(true);
        assert!(clock.effective_ms(&reading) >= Some(PRESENT_MS), "the present");
        clock.read(&mut reading, 6_000);
        assert!(
            clock.effective_ms(&reading) <= Some(6_000 + 1_000),
            "a fresh record from 1970 sets the clock"
        );
    }
}
