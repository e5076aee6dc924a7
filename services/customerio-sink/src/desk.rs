//! Which records are in hand: the ledger, shared by the polling thread, its rebalance hooks and the requests in flight.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use delivery::ledger::{Declined, Partition};
use delivery::{Ledger, Ticket};
use kafka::consumer::{Assignment, Revocation};
use kafka::{Incoming, NextOffset};

/// Every method holds its lock for its own few steps only: a hook runs inside a poll of the thread that calls the others.
#[derive(Debug, Default)]
pub(crate) struct Desk(Mutex<Ledger>);

impl Desk {
    /// Takes a record in hand.
    pub(crate) fn begin(&self, record: &Incoming) -> Result<Ticket, Declined> {
        self.ledger().begin(&(record.topic.clone(), record.partition), record.offset)
    }

    /// Takes no more of a partition until it is assigned again.
    pub(crate) fn stop(&self, partition: &Partition) {
        self.ledger().stop(partition);
    }

    /// Whether the record is still ours to deliver.
    pub(crate) fn holds(&self, ticket: &Ticket) -> bool {
        self.ledger().holds(ticket)
    }

    /// The record is done.
    pub(crate) fn complete(&self, ticket: &Ticket) {
        self.ledger().complete(ticket);
    }

    /// Where committed offsets may move to.
    pub(crate) fn committable(&self) -> Vec<(Arc<str>, i32, NextOffset)> {
        self.ledger().committable()
    }

    /// These offsets were committed.
    pub(crate) fn committed(&self, offsets: &[(Arc<str>, i32, NextOffset)]) {
        self.ledger().committed(offsets);
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Assignment for Desk {
    fn assigned(&self, partitions: &[(String, i32)]) -> Vec<Option<NextOffset>> {
        let mut ledger = self.ledger();
        for (topic, number) in partitions {
            ledger.assign((Arc::from(topic.as_str()), *number));
        }
        vec![None; partitions.len()]
    }

    /// What is in flight is left to its end, uncommitted: the next owner repeats it, which does no harm (S2).
    fn revoked(&self, partitions: &[(String, i32)], _how: Revocation) {
        let mut ledger = self.ledger();
        for (topic, number) in partitions {
            ledger.revoke(&(Arc::from(topic.as_str()), *number));
        }
    }
}
