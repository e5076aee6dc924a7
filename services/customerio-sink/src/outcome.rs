//! How a record ended: the outcomes of this sink beside those that all sinks have, and their sum.

use delivery::{Counts, outcome as common};

/// Customer.io accepted the write.
pub(crate) const DELIVERED: &str = "delivered";
/// The customer is nobody whom Customer.io could be told about.
pub(crate) const SKIPPED: &str = "skipped";
/// Nothing is sent for a tombstone.
pub(crate) const TOMBSTONE: &str = "tombstone";
/// The record holds nothing that this version writes.
pub(crate) const UNCHANGED: &str = "unchanged";

/// What the sink did, in records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Accepted by Customer.io.
    pub delivered: u64,
    /// Kept in the dead letters.
    pub dead_lettered: u64,
    /// Of nobody whom Customer.io could be told about.
    pub skipped: u64,
    /// Tombstones.
    pub tombstones: u64,
    /// Nothing to write.
    pub unchanged: u64,
    /// Left where they are: their partition is stopped at a record of an unknown schema.
    pub stopped: u64,
    /// To be read again.
    pub put_back: u64,
}

impl From<&Counts> for Summary {
    fn from(counts: &Counts) -> Self {
        Self {
            delivered: counts.of(DELIVERED),
            dead_lettered: counts.of(common::DEAD_LETTERED),
            skipped: counts.of(SKIPPED),
            tombstones: counts.of(TOMBSTONE),
            unchanged: counts.of(UNCHANGED),
            stopped: counts.of(common::STOPPED),
            put_back: counts.of(common::PUT_BACK),
        }
    }
}
