//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

/// Longest wait for anything that takes seconds on an idle machine, on one that is busy compiling.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(25);

/// Looks until `look` finds something, and answers it.
///
/// # Panics
/// After `limit`, naming `what` was waited for.
pub fn await_until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {limit:?} in vain for {what}");
        std::thread::sleep(PAUSE);
    }
}

/// [`await_until`] with [`PATIENCE`], for a condition that holds or not.
///
/// # Panics
/// If it doesn't come to hold.
pub fn await_that(what: &str, mut holds: impl FnMut() -> bool) {
    await_until(what, PATIENCE, || holds().then_some(()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_is_answered() {
        let mut looks = 0;
        let found = await_until("the third look", PATIENCE, || {
            looks += 1;
            (looks == 3).then_some("found")
        });
        assert_eq!((found, looks), ("found", 3));
    }

    #[test]
    #[should_panic(expected = "in vain for a miracle")]
    fn what_does_not_come_is_named() {
        await_until("a miracle", Duration::from_millis(60), || None::<()>);
    }
}
