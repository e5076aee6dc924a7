//! What the sender has done so far, readable while it works.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::answer::Answer;

/// A view of a sender's numbers; cheap to clone and to read.
#[derive(Clone, Debug, Default)]
pub struct Stats(Arc<Mutex<Tally>>);

/// A sender's numbers at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Calls of the schedule that were begun, copies included.
    pub started: u64,
    /// Requests sent: calls and their retries.
    pub attempts: u64,
    /// Calls that ended in a 2xx.
    pub accepted: u64,
    /// Requests that repeated a failed one.
    pub retried: u64,
    /// Calls given up after the vendor's seven days.
    pub given_up: u64,
    /// Answers by their label: `200`, `503`, `timed out`, `refused`, …
    pub answers: BTreeMap<String, u64>,
    /// How often the queue came to a halt behind a failing call.
    pub stalls: u64,
    /// How long it stood still, in all.
    pub stalled_for: Duration,
    /// Whether it stands still now.
    pub stalled: bool,
    /// The slowest answer of all.
    pub slowest: Duration,
    /// The last failure, such as `503 for 01J…`.
    pub last_error: Option<String>,
}

#[derive(Debug, Default)]
struct Tally {
    so_far: Snapshot,
    stalled_since: Option<Instant>,
}

impl Stats {
    /// The numbers now.
    #[must_use]
    pub fn read(&self) -> Snapshot {
        self.with(|tally| {
            let mut snapshot = tally.so_far.clone();
            if let Some(since) = tally.stalled_since {
                snapshot.stalled = true;
                snapshot.stalled_for += since.elapsed();
            }
            snapshot
        })
    }

    pub(super) fn started(&self) {
        self.with(|tally| tally.so_far.started += 1);
    }

    pub(super) fn retried(&self) {
        self.with(|tally| tally.so_far.retried += 1);
    }

    pub(super) fn given_up(&self) {
        self.with(|tally| tally.so_far.given_up += 1);
    }

    pub(super) fn answered(&self, event_id: &str, answer: Answer, took: Duration) {
        self.with(|tally| {
            let stats = &mut tally.so_far;
            stats.attempts += 1;
            stats.slowest = stats.slowest.max(took);
            *stats.answers.entry(answer.label()).or_default() += 1;
            if answer.accepted() {
                stats.accepted += 1;
            } else {
                stats.last_error = Some(format!("{} for {event_id}", answer.label()));
            }
        });
    }

    /// Tells how many calls are failing at this moment: the queue stands still while there is one.
    pub(super) fn failing(&self, count: usize) {
        self.with(|tally| match (count, tally.stalled_since) {
            (0, Some(since)) => {
                tally.so_far.stalled_for += since.elapsed();
                tally.stalled_since = None;
            }
            (1.., None) => {
                tally.so_far.stalls += 1;
                tally.stalled_since = Some(Instant::now());
            }
            _ => {}
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Tally) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
