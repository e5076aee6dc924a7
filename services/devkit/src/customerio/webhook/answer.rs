//! What came of one call, and how long the vendor waits before the next try.

use std::error::Error as _;
use std::io::ErrorKind;
use std::time::Duration;

/// What came of one call.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Answer {
    /// A status. Any 2xx is success, nothing else: a redirect isn't followed.
    Status(u16),
    /// None within four seconds.
    TimedOut,
    /// The connection was refused.
    Refused,
    /// The connection was reset.
    Reset,
    /// The connection ended before the answer (`EOF`).
    Closed,
    /// The server's certificate wasn't trusted.
    Distrusted,
    /// No connection for another reason.
    Unreachable,
}

impl Answer {
    /// Whether the vendor takes the event as delivered.
    #[must_use]
    pub fn accepted(self) -> bool {
        matches!(self, Answer::Status(200..=299))
    }

    /// A short name, such as `503` or `refused`.
    #[must_use]
    pub fn label(self) -> String {
        let name = match self {
            Answer::Status(code) => return code.to_string(),
            Answer::TimedOut => "timed out",
            Answer::Refused => "refused",
            Answer::Reset => "reset",
            Answer::Closed => "closed",
            Answer::Distrusted => "distrusted",
            Answer::Unreachable => "unreachable",
        };
        name.to_owned()
    }

    /// What an error of the HTTP client means.
    pub(super) fn of(error: &reqwest::Error) -> Answer {
        if error.is_timeout() {
            return Answer::TimedOut;
        }
        let mut cause = error.source();
        while let Some(current) = cause {
            if let Some(io) = current.downcast_ref::<std::io::Error>() {
                match io.kind() {
                    ErrorKind::ConnectionRefused => return Answer::Refused,
                    ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => return Answer::Reset,
                    ErrorKind::UnexpectedEof => return Answer::Closed,
                    _ => {}
                }
            }
            if current.to_string().contains("certificate") {
                return Answer::Distrusted;
            }
            cause = current.source();
        }
        // The connection stood, and ended without an answer.
        if error.is_connect() { Answer::Unreachable } else { Answer::Closed }
    }

    /// Whether the vendor's documentation puts this on the list of what is tried again after an hour.
    fn waits_an_hour(self) -> bool {
        match self {
            Answer::Status(code) => matches!(code, 400..=405 | 410 | 429 | 500 | 502 | 521),
            Answer::Refused | Answer::Reset | Answer::Closed | Answer::Distrusted => true,
            Answer::TimedOut | Answer::Unreachable => false,
        }
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

/// No retry comes sooner, however fast the clock runs: a sender must not spin.
const WAIT_MIN: Duration = Duration::from_millis(50);

/// How long the vendor keeps trying one event before it gives it up.
pub(super) const PATIENCE: Duration = Duration::from_secs(7 * 24 * 3_600);

/// How long to wait after that answer, the `failures`-th failure of this event (1 is the first), on a clock
/// that runs `clock_factor` times as fast as the vendor's.
///
/// What isn't on the list backs off exponentially; the vendor doesn't publish the steps, so here they are
/// one second, doubled each time, an hour at most.
pub(super) fn wait(answer: Answer, failures: u32, clock_factor: f64) -> Duration {
    let steps = failures.saturating_sub(1).min(12);
    let vendor = if answer.waits_an_hour() { HOUR } else { Duration::from_secs(1 << steps).min(HOUR) };
    vendor.div_f64(clock_factor).max(WAIT_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_is_success() {
        for code in 100..600 {
            assert_eq!(Answer::Status(code).accepted(), (200..300).contains(&code), "{code}");
        }
        assert!(!Answer::TimedOut.accepted());
    }

    #[test]
    fn the_vendors_list_waits_one_hour_from_the_first_failure_on() {
        for code in [400, 401, 402, 403, 404, 405, 410, 429, 500, 502, 521] {
            assert_eq!(wait(Answer::Status(code), 1, 1.0), HOUR, "{code}");
        }
        for answer in [Answer::Refused, Answer::Reset, Answer::Closed, Answer::Distrusted] {
            assert_eq!(wait(answer, 3, 3_600.0), Duration::from_secs(1), "{answer:?}");
        }
    }

    #[test]
    fn everything_else_backs_off_from_one_second_to_one_hour() {
        for answer in [301, 408, 409, 413, 422, 503, 504].map(Answer::Status) {
            let seconds = |failures| wait(answer, failures, 1.0).as_secs();
            assert_eq!(
                [1, 2, 3, 12, 13, u32::MAX].map(seconds),
                [1, 2, 4, 2_048, 3_600, 3_600],
                "{answer:?}"
            );
        }
        assert_eq!(wait(Answer::TimedOut, 1, 1.0), Duration::from_secs(1));
    }

    #[test]
    fn a_fast_clock_never_spins() {
        assert_eq!(wait(Answer::Status(503), 1, 1e9), WAIT_MIN);
    }
}
