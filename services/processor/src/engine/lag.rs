//! Whether a worker keeps up with its inbox.

use std::time::{Duration, Instant};

/// A worker that is back at its inbox later than this has let records wait there.
const LATE_AFTER: Duration = Duration::from_secs(1);

/// Whether what a worker reads now has waited in its inbox.
///
/// A record may wait because a commit took its time, or because the whole process stood still. Its append
/// time then shows our delay, and says nothing about the broker's present time.
#[derive(Debug, Clone, Copy)]
pub(super) struct InboxLag {
    since: Instant,
    /// Whether nothing is left in the inbox of what arrived while the worker was late.
    is_caught_up: bool,
}

impl InboxLag {
    /// For a worker that begins at `now`.
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, is_caught_up: false }
    }

    /// The worker returned at `now` from a wait of `wait`, and found its inbox empty or not. Returns whether
    /// it is late.
    pub(super) fn returned(&mut self, wait: Duration, found_nothing: bool, now: Instant) -> bool {
        let is_late = now.saturating_duration_since(self.since) > wait + LATE_AFTER;
        self.since = now;
        self.is_caught_up = !is_late && (self.is_caught_up || found_nothing);
        is_late
    }

    /// Whether what is read now has arrived just now.
    pub(super) fn is_caught_up(self) -> bool {
        self.is_caught_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_was_late_keeps_up_again_when_its_inbox_was_empty_in_time() {
        const WAIT: Duration = Duration::from_millis(500);
        let mut now = Instant::now();
        let mut lag = InboxLag::new(now);
        let mut returned = |after_ms, found_nothing| {
            now += Duration::from_millis(after_ms);
            (lag.returned(WAIT, found_nothing, now), lag.is_caught_up())
        };
        assert_eq!(returned(100, false), (false, false), "what comes first may have waited");
        assert_eq!(returned(500, true), (false, true));
        assert_eq!(returned(1_400, false), (false, true), "a little later than it meant to");
        assert_eq!(returned(60_000, true), (true, false), "it stood still, and records may still arrive");
        assert_eq!(returned(10, false), (false, false));
        assert_eq!(returned(500, true), (false, true));
    }
}
