//! What became of the records: each ends in exactly one counted outcome (E1).

use crate::metric;
use crate::target::Stored;

/// What became of the records of one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows written.
    pub stored: u64,
    /// Outcomes kept beside the table because their event id was taken. Anything but 0 is a fault upstream.
    pub conflicts: u64,
    /// Records that were stored before.
    pub replayed: u64,
    /// Records kept as dead letters.
    pub dead_lettered: u64,
    /// Records not stored because their partition waits for a newer version of this sink. They stay in the topic.
    pub withheld: u64,
    /// Records not stored because their partition went to another member, which reads them.
    pub revoked: u64,
}

impl Summary {
    pub(crate) fn add_stored(&mut self, stored: Stored) {
        add(&mut self.stored, "stored", stored.rows);
        add(&mut self.conflicts, "conflict", stored.conflicts);
        add(&mut self.replayed, "replayed", stored.replayed);
    }

    pub(crate) fn add_dead_letter(&mut self) {
        add(&mut self.dead_lettered, "dead_lettered", 1);
    }

    pub(crate) fn add_withheld(&mut self) {
        add(&mut self.withheld, "withheld", 1);
    }

    pub(crate) fn add_revoked(&mut self, rows: usize) {
        add(&mut self.revoked, "revoked", u64::try_from(rows).unwrap_or(u64::MAX));
    }
}

fn add(sum: &mut u64, outcome: &'static str, records: u64) {
    *sum += records;
    metrics::counter!(metric::RECORDS, "outcome" => outcome).increment(records);
}
