//! A worker's transactional producer. Its successors have the same transactional id and a greater epoch.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kafka::Connection;
use kafka::transaction::{TransactionLimits, Transactional};

use crate::metric;

/// How long a new producer waits for the coordinator, which may still be loading. After that the caller tries
/// again.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// More fences than this within [`FENCES_WITHIN`] are not an accident.
const FENCES_MAX: usize = 5;
const FENCES_WITHIN: Duration = Duration::from_mins(1);

/// A producer that can be replaced by a new one with the same transactional id and a greater epoch.
#[derive(Debug)]
pub(crate) struct Producer {
    connection: Connection,
    id: String,
    limits: TransactionLimits,
    current: Option<Transactional>,
}

impl Producer {
    /// Without a producer yet; the first [`renew`](Self::renew) makes it.
    #[must_use]
    pub(crate) fn new(connection: &Connection, id: String, limits: TransactionLimits) -> Self {
        Self { connection: connection.clone(), id, limits, current: None }
    }

    /// Whether the next transaction needs a new producer: there is none yet, a connection to a broker was
    /// disturbed, or a coordinator answered slowly.
    ///
    /// librdkafka lacks the second part of KIP-890. Without it, a delayed request of an earlier transaction
    /// could end a later transaction of the same epoch.
    #[must_use]
    pub(crate) fn is_doubtful(&self) -> bool {
        self.current.as_ref().is_none_or(Transactional::was_disturbed)
    }

    /// Makes a new producer. The broker ends what the old one left open: it commits the transaction if that
    /// was already decided, and aborts it otherwise.
    ///
    /// # Errors
    /// Where the broker refuses, or doesn't answer in time. There is no producer then.
    pub(crate) fn renew(&mut self) -> Result<(), kafka::Error> {
        // Drop the old producer first: its connections close, so its unsent requests are lost with them.
        self.current = None;
        self.current = Some(Transactional::init(&self.connection, &self.id, &self.limits, INIT_TIMEOUT)?);
        metrics::counter!(metric::PRODUCER_RENEWALS).increment(1);
        Ok(())
    }

    /// The transactional id.
    #[must_use]
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The producer, where there is one.
    #[must_use]
    pub(crate) fn current(&self) -> Option<&Transactional> {
        self.current.as_ref()
    }
}

/// Counts how often another process has fenced this one. The likely cause is a second process with the same
/// instance name: the two would fence each other without end.
///
/// Each client is counted by itself: a rival fences the same client again and again. Where all of a process's
/// workers are fenced once in a bad minute, that is one fence and not many.
#[derive(Debug, Default)]
pub(crate) struct FenceCounter {
    fences: Mutex<BTreeMap<String, VecDeque<Instant>>>,
}

impl FenceCounter {
    /// Notes that `client` was fenced: a transactional id, or the group member.
    pub(crate) fn record(&self, client: &str) {
        self.record_at(client, Instant::now());
    }

    /// Whether a client was fenced too often for an accident.
    #[must_use]
    pub(crate) fn is_exceeded(&self) -> bool {
        self.fences().values().any(|fences| fences.len() > FENCES_MAX)
    }

    fn record_at(&self, client: &str, now: Instant) {
        let mut all = self.fences();
        let fences = all.entry(client.to_owned()).or_default();
        // Once exceeded, it stays exceeded, so that each thread that asks later sees it.
        if fences.len() <= FENCES_MAX {
            fences.retain(|fence| now.duration_since(*fence) < FENCES_WITHIN);
            fences.push_back(now);
        }
    }

    fn fences(&self) -> MutexGuard<'_, BTreeMap<String, VecDeque<Instant>>> {
        self.fences.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether fences of clients, each after so many milliseconds, are too many.
    fn exceeded(fences: impl IntoIterator<Item = (u64, u64)>) -> bool {
        let (counter, start) = (FenceCounter::default(), Instant::now());
        for (client, after_ms) in fences {
            counter.record_at(&client.to_string(), start + Duration::from_millis(after_ms));
        }
        counter.is_exceeded()
    }

    #[test]
    fn a_few_fences_are_an_accident_and_more_are_a_rival() {
        assert!(!exceeded((0..5).map(|nth| (0, nth * 1_000))));
        assert!(exceeded((0..6).map(|nth| (0, nth * 1_000))));
        assert!(!exceeded((0..60).map(|nth| (0, nth * 15_000))), "now and then");
    }

    /// A rival fences every client of a process, and each of them again.
    #[test]
    fn a_bad_minute_in_which_every_worker_is_fenced_once_is_not_a_rival() {
        assert!(!exceeded((0..64).map(|worker| (worker, worker * 900))));
        assert!(exceeded((0..64).map(|fence| (fence % 8, fence * 900))));
    }
}
