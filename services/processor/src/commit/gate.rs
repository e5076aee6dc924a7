//! The gate between a rebalance and a commit, and which partitions are ours.
//!
//! The broker fences members of the group, not partitions: a member that has given a partition back is still
//! a member, so the broker would accept its transaction. For this reason T4 and T5 happen inside the gate,
//! and a partition is given back only when no commit is inside.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// One period of owning a partition. A partition that was lost and assigned again has another epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AssignmentEpoch(u64);

/// The gate, and the partitions that are ours.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    owned: RwLock<Owned>,
}

#[derive(Debug, Default)]
struct Owned {
    epochs: BTreeMap<i32, AssignmentEpoch>,
    last: u64,
}

/// A commit is inside the gate. Until the guard is dropped, no partition can be given up.
#[derive(Debug)]
pub(crate) struct GateGuard<'a> {
    _owned: RwLockReadGuard<'a, Owned>,
}

impl Gate {
    /// Takes `partition`, from now on.
    pub(crate) fn take(&self, partition: i32) -> AssignmentEpoch {
        let mut owned = self.write();
        owned.last += 1;
        let epoch = AssignmentEpoch(owned.last);
        owned.epochs.insert(partition, epoch);
        epoch
    }

    /// Gives `partitions` up. Blocks until no commit is inside the gate; from then on none of them can be
    /// committed.
    ///
    /// A commit that is in doubt may still be decided. The next owner waits for that decision in its restore.
    pub(crate) fn give_up(&self, partitions: &[i32]) {
        self.write().epochs.retain(|partition, _| !partitions.contains(partition));
    }

    /// Enters the gate, if every one of `assignments` still holds.
    pub(crate) fn enter(
        &self,
        mut assignments: impl Iterator<Item = (i32, AssignmentEpoch)>,
    ) -> Option<GateGuard<'_>> {
        let owned = self.owned.read().unwrap_or_else(PoisonError::into_inner);
        assignments
            .all(|(partition, epoch)| owned.epochs.get(&partition) == Some(&epoch))
            .then_some(GateGuard { _owned: owned })
    }

    /// Whether any of `assignments` still holds.
    pub(crate) fn holds_any(&self, mut assignments: impl Iterator<Item = (i32, AssignmentEpoch)>) -> bool {
        let owned = self.owned.read().unwrap_or_else(PoisonError::into_inner);
        assignments.any(|(partition, epoch)| owned.epochs.get(&partition) == Some(&epoch))
    }

    fn write(&self) -> RwLockWriteGuard<'_, Owned> {
        self.owned.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::TryLockError;

    use super::*;

    /// P1: what was given back can't be committed any more. When it is assigned again, it has another epoch.
    #[test]
    fn p1_a_revoked_partition_commits_nothing_more() {
        let gate = Gate::default();
        let assignments = [(1, gate.take(1)), (2, gate.take(2))];
        assert!(gate.enter(assignments.into_iter()).is_some());
        gate.give_up(&[2]);
        assert!(gate.enter(assignments.into_iter()).is_none());
        assert!(gate.holds_any(assignments.into_iter()), "the other one stays");
        gate.take(2);
        assert!(gate.enter(assignments.into_iter()).is_none(), "an old epoch stays void");
    }

    /// P1: giving up takes the lock for writing, which waits until no commit is inside.
    #[test]
    fn p1_a_partition_goes_only_when_nobody_is_inside() {
        let gate = Gate::default();
        let assignment = [(1, gate.take(1))];
        let inside = gate.enter(assignment.into_iter()).expect("ours");
        assert!(matches!(gate.owned.try_write(), Err(TryLockError::WouldBlock)), "a commit is going on");
        drop(inside);
        assert!(gate.owned.try_write().is_ok(), "nobody is inside");
        gate.give_up(&[1]);
        assert!(gate.enter(assignment.into_iter()).is_none());
    }
}
