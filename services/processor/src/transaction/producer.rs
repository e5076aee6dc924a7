//! The transactional producer of one worker, and its successors under the same id.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kafka::Connection;
use kafka::transaction::{TransactionLimits, Transactional};

use crate::metric;

/// How long a new producer waits for the coordinator, which may still be loading. It is tried again after that.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// This many fences within [`FENCES_WITHIN`] are no accident.
const FENCES_MAX: usize = 5;
const FENCES_WITHIN: Duration = Duration::from_mins(1);
/// A rival fences our member and each worker's producer at about the same time: that is one fence.
const SAME_FENCE: Duration = Duration::from_millis(500);

/// A producer that can be taken anew: its successor has the same transactional id and a greater epoch.
#[derive(Debug)]
pub struct Producer {
    connection: Connection,
    id: String,
    limits: TransactionLimits,
    current: Option<Transactional>,
}

impl Producer {
    /// None yet.
    #[must_use]
    pub fn new(connection: &Connection, id: String, limits: TransactionLimits) -> Self {
        Self { connection: connection.clone(), id, limits, current: None }
    }

    /// Whether the next transaction wants another one: there is none, a connection to a broker was disturbed, or a coordinator took
    /// its time. Without KIP-890's second half, which librdkafka lacks, a delayed request of an earlier transaction could end a
    /// later one of the same epoch.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        self.current.as_ref().is_none_or(Transactional::was_disturbed)
    }

    /// Takes a new one. Whatever the old one left open is ended: committed where that was already decided, else aborted.
    ///
    /// # Errors
    /// Where the broker refuses, or doesn't answer in time. There is no producer then.
    pub fn renew(&mut self) -> Result<(), kafka::Error> {
        // The old one first: its connections close, and with them goes what is still on its way.
        self.current = None;
        self.current = Some(Transactional::init(&self.connection, &self.id, &self.limits, INIT_TIMEOUT)?);
        metrics::counter!(metric::PRODUCER_RENEWALS).increment(1);
        Ok(())
    }

    /// The producer, where there is one.
    #[must_use]
    pub fn current(&self) -> Option<&Transactional> {
        self.current.as_ref()
    }
}

/// How often somebody else took our place: another process with the same instance name, most likely, and then each fences
/// the other without end.
#[derive(Debug, Default)]
pub struct Contest {
    fences: Mutex<VecDeque<Instant>>,
}

impl Contest {
    /// Notes that we were fenced.
    pub fn fenced(&self) {
        self.fenced_at(Instant::now());
    }

    /// Whether that has happened too often to be an accident.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.fences().len() > FENCES_MAX
    }

    fn fenced_at(&self, now: Instant) {
        let mut fences = self.fences();
        // Once lost, it stays so: somebody is still to read it.
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

    /// Whether fences after so many milliseconds are a lost contest.
    fn lost(fences_ms: impl IntoIterator<Item = u64>) -> bool {
        let (contest, start) = (Contest::default(), Instant::now());
        fences_ms.into_iter().for_each(|after| contest.fenced_at(start + Duration::from_millis(after)));
        contest.is_lost()
    }

    #[test]
    fn a_few_fences_are_an_accident_and_more_are_a_contest() {
        assert!(!lost((0..5).map(|nth| nth * 1_000)));
        assert!(lost((0..6).map(|nth| nth * 1_000)));
        assert!(!lost((0..60).map(|nth| nth * 15_000)), "now and then");
        assert!(!lost(0..400), "all at once are one");
    }
}
