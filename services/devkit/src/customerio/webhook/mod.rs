//! The reporting webhook as the vendor sends it: signed, impatient, stubborn, one failing call at a time.

mod answer;
mod queue;
mod schedule;
mod sender;
mod signature;
mod stats;
#[cfg(test)]
mod tests;

pub use self::answer::Answer;
pub use self::schedule::{Disorder, Schedule};
pub use self::sender::Sender;
pub use self::signature::sign;
pub use self::stats::{Snapshot, Stats};

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

/// The vendor gives up on an answer after four seconds, whatever the clock factor.
pub const TIMEOUT: Duration = Duration::from_secs(4);

/// What the requests call themselves. The vendor's name is in it, as it is in the vendor's own.
pub const USER_AGENT: &str = "Customer.io Webhooks (aftersend devkit)";

/// Where and how to send.
#[derive(Clone)]
pub struct Settings {
    /// The receiver's endpoint, `http://host:port/path`.
    pub url: String,
    /// The key to sign with.
    pub signing_key: String,
    /// Calls under way at the same time, at least 1. With 1 the receiver sees the schedule's own order.
    pub lanes: usize,
    /// New calls per second at most, at least 0.001; none is as fast as the receiver answers.
    pub pace_per_s: Option<f64>,
    /// How much faster than the vendor's the clock of waits and backoffs runs, at least 1: with 3,600 the
    /// hour passes in a second, and the seven days after which an event is given up in 168. No wait is
    /// shorter than 50 ms.
    pub clock_factor: f64,
}

impl Settings {
    /// One lane, no pace, the vendor's own clock.
    #[must_use]
    pub fn new(url: impl Into<String>, signing_key: impl Into<String>) -> Settings {
        Settings {
            url: url.into(),
            signing_key: signing_key.into(),
            lanes: 1,
            pace_per_s: None,
            clock_factor: 1.0,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("url", &self.url).field("lanes", &self.lanes).finish_non_exhaustive()
    }
}

/// Why there is no sender.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The endpoint isn't a URL.
    #[error("the webhook endpoint isn't a URL, expected http://host:port/path")]
    Endpoint(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The clock factor or the pace is too small, or no number.
    #[error("{name} must be a number, {least} at least")]
    TooSmall {
        /// Which of them.
        name: &'static str,
        /// The least it may be.
        least: f64,
    },
    /// The HTTP client can't be built.
    #[error("the HTTP client can't be built")]
    Client(#[source] reqwest::Error),
}

/// How a sending ended.
#[derive(Debug)]
pub struct Report {
    /// Why it ended.
    pub ended: Ended,
    /// The outcomes answered with a 2xx at least once, as places in [`Schedule::outcomes`].
    pub accepted: BTreeSet<usize>,
}

/// Why a sending ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// Every call of the schedule was accepted, or given up (see [`Snapshot::given_up`]).
    Complete,
    /// It was asked to stop: calls on their way were waited for, failing ones weren't repeated.
    Stopped,
}
