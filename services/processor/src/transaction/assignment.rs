//! Which partitions are ours, and the gate between a rebalance and a commit.
//!
//! The broker's fence knows members, not partitions: a member that gave a partition back is still a member, and its
//! transaction would be taken. So T4 and T5 happen inside the gate, and a partition is given back only outside it.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// One holding of a partition. Lost and got again, it has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch(u64);

/// The partitions that are ours.
#[derive(Debug, Default)]
pub struct Assignment {
    held: RwLock<Held>,
}

#[derive(Debug, Default)]
struct Held {
    epochs: BTreeMap<i32, Epoch>,
    last: u64,
}

/// The gate, held open. While it is, no partition goes.
#[derive(Debug)]
pub struct Inside<'a> {
    _held: RwLockReadGuard<'a, Held>,
}

impl Assignment {
    /// Takes `partition` up, as from now.
    pub fn take(&self, partition: i32) -> Epoch {
        let mut held = self.write();
        held.last += 1;
        let epoch = Epoch(held.last);
        held.epochs.insert(partition, epoch);
        epoch
    }

    /// Gives `partitions` up. Waits until nobody is inside the gate: from then on, no commit of them is begun. (One
    /// in doubt may yet be decided: whoever has the partition next waits for that in its restore.)
    pub fn give_up(&self, partitions: &[i32]) {
        self.write().epochs.retain(|partition, _| !partitions.contains(partition));
    }

    /// Enters the gate, if all of `holdings` still stand.
    pub fn enter(&self, mut holdings: impl Iterator<Item = (i32, Epoch)>) -> Option<Inside<'_>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        holdings
            .all(|(partition, epoch)| held.epochs.get(&partition) == Some(&epoch))
            .then_some(Inside { _held: held })
    }

    /// Whether any of `holdings` still stands.
    pub fn holds_any(&self, mut holdings: impl Iterator<Item = (i32, Epoch)>) -> bool {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        holdings.any(|(partition, epoch)| held.epochs.get(&partition) == Some(&epoch))
    }

    fn write(&self) -> RwLockWriteGuard<'_, Held> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::TryLockError;

    use super::*;

    /// P1: what was given back can't be committed any more, and got again it is another holding.
    #[test]
    fn p1_a_revoked_partition_commits_nothing_more() {
        let assignment = Assignment::default();
        let holdings = [(1, assignment.take(1)), (2, assignment.take(2))];
        assert!(assignment.enter(holdings.into_iter()).is_some());
        assignment.give_up(&[2]);
        assert!(assignment.enter(holdings.into_iter()).is_none());
        assert!(assignment.holds_any(holdings.into_iter()), "the other one stays");
        assignment.take(2);
        assert!(assignment.enter(holdings.into_iter()).is_none(), "an old holding stays void");
    }

    /// P1: giving up writes, and nobody writes while somebody is inside.
    #[test]
    fn p1_a_partition_goes_only_when_nobody_is_inside() {
        let assignment = Assignment::default();
        let holding = [(1, assignment.take(1))];
        let inside = assignment.enter(holding.into_iter()).expect("ours");
        assert!(matches!(assignment.held.try_write(), Err(TryLockError::WouldBlock)), "a commit is going on");
        drop(inside);
        assert!(assignment.held.try_write().is_ok(), "nobody is inside");
        assignment.give_up(&[1]);
        assert!(assignment.enter(holding.into_iter()).is_none());
    }
}
