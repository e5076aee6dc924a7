//! Who works, who is stuck, and for how long.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::transaction::protocol::Act;

/// After this long at one act, a worker is told of in readiness.
const STUCK_AFTER: Duration = Duration::from_secs(15);
/// After this long at one act that should have ended by its own timeout, nothing will end it.
const HOPELESS_AFTER: Duration = Duration::from_secs(90);

/// What a worker is at.
#[derive(Debug)]
pub(super) struct Pulse {
    state: Mutex<Doing>,
}

#[derive(Debug, Clone, Copy)]
struct Doing {
    /// `None` while it waits for records.
    act: Option<Act>,
    /// Since when it has been at nothing else.
    since: Instant,
    /// When it last began something, be it the same again.
    begun: Instant,
}

/// How a worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// Works, or waits for records.
    Well,
    /// At one act for longer than it should take.
    Stuck(Act),
    /// In a call that its own timeout should have ended long ago.
    Hopeless(Option<Act>),
}

impl Default for Pulse {
    fn default() -> Self {
        let now = Instant::now();
        Self { state: Mutex::new(Doing { act: None, since: now, begun: now }) }
    }
}

impl Pulse {
    /// Begins an act, or the same one again.
    pub(super) fn begins(&self, act: Option<Act>) {
        let now = Instant::now();
        let mut doing = self.doing();
        let since = if doing.act == act { doing.since } else { now };
        *doing = Doing { act, since, begun: now };
    }

    pub(super) fn condition(&self) -> Condition {
        judge(*self.doing(), Instant::now())
    }

    fn doing(&self) -> MutexGuard<'_, Doing> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn judge(doing: Doing, now: Instant) -> Condition {
    match doing.act {
        act if now.duration_since(doing.begun) > HOPELESS_AFTER => Condition::Hopeless(act),
        Some(act) if now.duration_since(doing.since) > STUCK_AFTER => Condition::Stuck(act),
        _ => Condition::Well,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doing(act: Option<Act>, since: u64, begun: u64, now: Instant) -> Doing {
        let ago = |seconds| now - Duration::from_secs(seconds);
        Doing { act, since: ago(since), begun: ago(begun) }
    }

    #[test]
    fn a_worker_that_tries_again_and_again_is_stuck_and_one_that_never_returns_is_hopeless() {
        let now = Instant::now() + Duration::from_hours(1);
        let (long, short) = (HOPELESS_AFTER.as_secs() + 1, STUCK_AFTER.as_secs() - 1);
        assert_eq!(judge(doing(None, long, short, now), now), Condition::Well);
        assert_eq!(judge(doing(Some(Act::Flush), short, short, now), now), Condition::Well);
        assert_eq!(judge(doing(Some(Act::Renew), long, short, now), now), Condition::Stuck(Act::Renew));
        assert_eq!(
            judge(doing(Some(Act::Commit), long, long, now), now),
            Condition::Hopeless(Some(Act::Commit))
        );
        assert_eq!(judge(doing(None, long, long, now), now), Condition::Hopeless(None));
    }
}
