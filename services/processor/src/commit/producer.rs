//! A worker's transactional producer. Its successors have the same transactional id and a greater epoch.

use std::collections::VecDeque;
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
/// A rival process fences our member and each worker's producer at about the same time. Together they count
/// once.
const SAME_FENCE: Duration = Duration::from_millis(500);

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

    /// The producer, where there is one.
    #[must_use]
    pub(crate) fn current(&self) -> Option<&Transactional> {
        self.current.as_ref()
    }
}

/// Counts how often another process has fenced this one. The likely cause is a second process with the same
/// instance name: the two would fence each other without end.
#[derive(Debug, Default)]
pub(crate) struct FenceCounter {
    fences: Mutex<VecDeque<Instant>>,
}

impl FenceCounter {
    /// Notes that we were fenced.
    pub(crate) fn record(&self) {
        self.record_at(Instant::now());
    }

    /// Whether we were fenced too often for an accident.
    #[must_use]
    pub(crate) fn is_exceeded(&self) -> bool {
        self.fences().len() > FENCES_MAX
    }

    fn record_at(&self, now: Instant) {
        let mut fences = self.fences();
        // Once exceeded, it stays exceeded, so that each thread that asks later sees it.
        if fences.len() > FENCES_MAX
            || fences.back().is_some_and(|last| now.duration_since(*last) < SAME_FENCE)
        {
            return;
        }
        fences.retain(|fence| now.duration_since(*fence) < FENCES_WITHIN);
        fences.push_back(now);
    }

    fn fences(&self) -> MutexGuard<'_, VecDeque<Instant>> {
        self.fences.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether fences after so many milliseconds are too many.
    fn exceeded(fences_ms: impl IntoIterator<Item = u64>) -> bool {
        let (counter, start) = (FenceCounter::default(), Instant::now());
        fences_ms.into_iter().for_each(|after| counter.record_at(start + Duration::from_millis(after)));
        counter.is_exceeded()
    }

    #[test]
    fn a_few_fences_are_an_accident_and_more_are_a_rival() {
        assert!(!exceeded((0..5).map(|nth| nth * 1_000)));
        assert!(exceeded((0..6).map(|nth| nth * 1_000)));
        assert!(!exceeded((0..60).map(|nth| nth * 15_000)), "now and then");
        assert!(!exceeded(0..400), "all at once count once");
    }
}
