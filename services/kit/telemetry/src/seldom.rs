//! Lets one log line a second through for each cause, since an outage has thousands.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time between two lines for the same cause.
const EVERY: Duration = Duration::from_secs(1);

/// When each cause was let through, and how many lines were held back since.
static CAUSES: Mutex<BTreeMap<(&'static str, &'static str), Held>> = Mutex::new(BTreeMap::new());

struct Held {
    since: Instant,
    lines: u64,
}

/// Whether a line for the cause `(who, what)` may be logged now: the first in a second. `Some` has the number
/// of lines that were held back since the last one.
///
/// Causes are kept for the life of the process: they must come from a bounded set.
#[must_use]
pub fn seldom(who: &'static str, what: &'static str) -> Option<u64> {
    let mut causes = CAUSES.lock().unwrap_or_else(PoisonError::into_inner);
    seldom_at(&mut causes, (who, what), Instant::now())
}

fn seldom_at(
    causes: &mut BTreeMap<(&'static str, &'static str), Held>,
    cause: (&'static str, &'static str),
    now: Instant,
) -> Option<u64> {
    if let Some(held) = causes.get_mut(&cause)
        && now.saturating_duration_since(held.since) < EVERY
    {
        held.lines += 1;
        return None;
    }
    let before = causes.insert(cause, Held { since: now, lines: 0 });
    Some(before.map_or(0, |held| held.lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_logged_once_a_second_and_says_how_many_lines_were_held_back() {
        let (mut causes, start) = (BTreeMap::new(), Instant::now());
        let mut ask =
            |cause, after_ms| seldom_at(&mut causes, (cause, ""), start + Duration::from_millis(after_ms));
        assert_eq!(ask("a", 0), Some(0));
        assert_eq!((ask("a", 10), ask("a", 990), ask("b", 20)), (None, None, Some(0)));
        assert_eq!((ask("a", 1_000), ask("a", 2_000)), (Some(2), Some(0)));
    }
}
