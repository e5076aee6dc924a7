//! The state of a component, derived from what it last reported and how long ago.

use std::time::Duration;

use serde::Serialize;

/// What a component last reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    Starting,
    Ready,
    NotReady(String),
    Finished,
    Died,
}

/// The state of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Registered, and not ready yet.
    Starting,
    /// It does its work.
    Ready,
    /// It reported that it can't do its work now.
    NotReady,
    /// It made no progress for longer than it may, whatever it reported last.
    Stalled,
    /// It ended as intended.
    Finished,
    /// It ended without a report, because of an error or a panic.
    Died,
}

/// A component's state and, unless it is ready or finished, the cause.
pub(super) fn judge(phase: &Phase, idle: Duration, stall_after: Duration) -> (State, Option<String>) {
    match phase {
        Phase::Finished => (State::Finished, None),
        Phase::Died => (State::Died, Some("ended without having finished".to_owned())),
        _ if idle > stall_after => (State::Stalled, Some(stall(phase, idle, stall_after))),
        Phase::Starting => (State::Starting, Some("still starting".to_owned())),
        Phase::NotReady(why) => (State::NotReady, Some(why.clone())),
        Phase::Ready => (State::Ready, None),
    }
}

fn stall(phase: &Phase, idle: Duration, stall_after: Duration) -> String {
    let stall =
        format!("no progress for {} ms, at most {} ms allowed", idle.as_millis(), stall_after.as_millis());
    match phase {
        Phase::NotReady(why) => format!("{stall}; before that: {why}"),
        _ => stall,
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Phase, State, judge};

    const LIMIT: Duration = Duration::from_secs(30);

    #[test]
    fn e4_progress_decides_and_not_what_was_said_last() {
        let late = LIMIT + Duration::from_millis(1);
        for phase in [Phase::Starting, Phase::Ready, Phase::NotReady("no broker".to_owned())] {
            assert_ne!(judge(&phase, LIMIT, LIMIT).0, State::Stalled, "{phase:?}");
            assert_eq!(judge(&phase, late, LIMIT).0, State::Stalled, "{phase:?}");
        }
    }

    #[test]
    fn what_has_ended_cannot_stall() {
        let year = Duration::from_secs(31_536_000);
        assert_eq!(judge(&Phase::Finished, year, LIMIT), (State::Finished, None));
        assert_eq!(judge(&Phase::Died, year, LIMIT).0, State::Died);
    }

    #[test]
    fn a_stall_keeps_the_earlier_cause() {
        let (_, cause) = judge(&Phase::NotReady("no broker".to_owned()), LIMIT * 2, LIMIT);
        assert_eq!(
            cause.unwrap(),
            "no progress for 60000 ms, at most 30000 ms allowed; before that: no broker"
        );
    }
}
