//! How a record ended: the outcomes of this sink beside those that all sinks have, and their sum (E1).

use delivery::{Counts, outcome as common};

use crate::target::RowOutcome;

/// What the sink did, in records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows written.
    pub stored: u64,
    /// Outcomes kept beside the table because their outcome id was taken. Anything but 0 is a fault upstream.
    pub conflicts: u64,
    /// Records that were stored before.
    pub replayed: u64,
    /// Kept in the dead letters.
    pub dead_lettered: u64,
    /// Left where they are: their partition is stopped at a record of an unknown schema.
    pub stopped: u64,
    /// To be read again, by this member or another.
    pub put_back: u64,
}

impl From<&Counts> for Summary {
    fn from(counts: &Counts) -> Self {
        Self {
            stored: counts.of(RowOutcome::Stored.label()),
            conflicts: counts.of(RowOutcome::Conflict.label()),
            replayed: counts.of(RowOutcome::Replayed.label()),
            dead_lettered: counts.of(common::DEAD_LETTERED),
            stopped: counts.of(common::STOPPED),
            put_back: counts.of(common::PUT_BACK),
        }
    }
}
