//! The target, and the partitions that this member holds: what the polling loop and Kafka's rebalance hooks share.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kafka::NextOffset;
use kafka::consumer::{Assignment, Revocation};
use tracing::info;

use crate::target::{Batch, Error, Stored, Target};

/// The target behind a lock. Hooks run on the polling thread, inside a poll, so nobody ever waits for it.
pub(crate) struct Desk {
    inner: Mutex<Inner>,
}

struct Inner {
    target: Box<dyn Target>,
    /// Partitions stopped at a record of an unknown schema.
    withheld: BTreeSet<(String, i32)>,
    /// Why the positions of an assignment could not be read: a hook can't fail.
    fault: Option<Error>,
}

impl Desk {
    pub(crate) fn new(target: Box<dyn Target>) -> Self {
        Self { inner: Mutex::new(Inner { target, withheld: BTreeSet::new(), fault: None }) }
    }

    pub(crate) fn store(&self, batch: &Batch) -> Result<Stored, Error> {
        self.inner().target.store(batch)
    }

    /// Must be asked after every poll, before anything is stored: without positions the partitions began somewhere else.
    pub(crate) fn fault(&self) -> Result<(), Error> {
        self.inner().fault.take().map_or(Ok(()), Err)
    }

    /// Stops a partition until it is assigned anew.
    pub(crate) fn withhold(&self, topic: &str, partition: i32) {
        self.inner().withheld.insert((topic.to_owned(), partition));
    }

    pub(crate) fn withholds(&self, topic: &str, partition: i32) -> bool {
        self.inner().withheld.iter().any(|(known, number)| known == topic && *number == partition)
    }

    /// The numbers of the partitions stopped, in order.
    pub(crate) fn withheld(&self) -> Vec<i32> {
        self.inner().withheld.iter().map(|(_, partition)| *partition).collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Assignment for Desk {
    /// A partition of which the target holds nothing starts at the beginning of its log, whatever the group has
    /// committed: a new warehouse is filled with all that the topic still holds. Where the log begins later, the consumer
    /// moves there by itself.
    fn assigned(&self, partitions: &[(String, i32)]) -> Vec<Option<NextOffset>> {
        let mut inner = self.inner();
        inner.withheld.retain(|partition| !partitions.contains(partition));
        match inner.target.positions(partitions) {
            Ok(positions) => {
                for ((topic, partition), position) in partitions.iter().zip(&positions) {
                    info!(topic, partition, next_offset = position.map(|next| next.0), "partition starts");
                }
                positions.into_iter().map(|position| position.or(Some(NextOffset(0)))).collect()
            }
            Err(fault) => {
                inner.fault = Some(fault);
                vec![None; partitions.len()]
            }
        }
    }

    fn revoked(&self, partitions: &[(String, i32)], _how: Revocation) {
        self.inner().withheld.retain(|partition| !partitions.contains(partition));
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Holds positions, or fails.
    struct Positions(Option<Vec<Option<NextOffset>>>);

    impl Target for Positions {
        fn positions(&mut self, _partitions: &[(String, i32)]) -> Result<Vec<Option<NextOffset>>, Error> {
            let unreadable = crate::target::sqlite::Error::NoWriteAheadLog { path: "w".to_owned() };
            self.0.clone().ok_or(Error::Sqlite(unreadable))
        }

        fn store(&mut self, _batch: &Batch) -> Result<Stored, Error> {
            Ok(Stored::default())
        }
    }

    fn partitions() -> [(String, i32); 2] {
        [("outcomes.warehouse.v1".to_owned(), 0), ("outcomes.warehouse.v1".to_owned(), 1)]
    }

    #[test]
    fn a_partition_starts_where_the_target_stands_else_at_the_beginning() {
        let desk = Desk::new(Box::new(Positions(Some(vec![Some(NextOffset(7)), None]))));
        assert_eq!(desk.assigned(&partitions()), [Some(NextOffset(7)), Some(NextOffset(0))]);
        assert!(desk.fault().is_ok());
    }

    #[test]
    fn unreadable_positions_stop_the_sink_before_it_stores() {
        let desk = Desk::new(Box::new(Positions(None)));
        assert_eq!(desk.assigned(&partitions()), [None, None]);
        assert!(desk.fault().is_err());
    }

    #[test]
    fn a_withheld_partition_is_tried_again_after_it_went_and_came() {
        let desk = Desk::new(Box::new(Positions(Some(vec![None, None]))));
        let [first, second] = partitions();
        for (topic, partition) in [&first, &second] {
            desk.withhold(topic, *partition);
        }
        desk.revoked(std::slice::from_ref(&first), Revocation::Revoked);
        assert_eq!(desk.withheld(), [1]);
        assert!(desk.withholds(&second.0, second.1) && !desk.withholds(&first.0, first.1));
        desk.assigned(&[second]);
        assert!(desk.withheld().is_empty());
    }
}
