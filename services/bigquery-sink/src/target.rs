//! What a warehouse must be able to do, whichever it is.

mod location;
pub mod sqlite;

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka::{NextOffset, RecordOffset};
use schemas::record::MessageOutcome;

pub use location::Location;

/// A topic and one of its partitions.
pub type Partition = (Arc<str>, i32);

/// A warehouse that holds each record once, whatever crashes (S1).
///
/// A target keeps its own position of each partition and moves it in the same step that makes the rows visible: in one
/// transaction where the warehouse has them, by a decision record where it has none. The sink follows: it starts a
/// partition where the target says, and what Kafka holds as committed offset is for lag monitoring alone.
pub trait Target: Send {
    /// How far each partition is stored, in order of the question; `None` where nothing of it is.
    ///
    /// Asked when partitions are assigned, before anything of them is read. A target finishes here what an earlier
    /// owner decided but did not complete.
    ///
    /// # Errors
    /// Where the warehouse can't be read.
    fn positions(&mut self, partitions: &[(String, i32)]) -> Result<Vec<Option<NextOffset>>, Error>;

    /// Makes the whole batch visible and moves the positions, or does neither. Rows that lie before the stored
    /// position are left out and counted, so that a replay or a second owner doubles nothing.
    ///
    /// # Errors
    /// Where the warehouse can't be written; nothing of the batch is visible then.
    fn store(&mut self, batch: &Batch) -> Result<Stored, Error>;
}

/// What one call of [`Target::store`] stores: rows, and how far each partition then is.
#[derive(Debug, Default)]
pub struct Batch {
    rows: Vec<Row>,
    next: BTreeMap<Partition, NextOffset>,
}

impl Batch {
    /// Adds a row; those of one partition in the order of their offsets.
    pub fn add(&mut self, row: Row) {
        self.pass(&row.topic, row.partition, row.offset);
        self.rows.push(row);
    }

    /// Takes a record as dealt with that makes no row, such as a dead letter.
    pub fn pass(&mut self, topic: &Arc<str>, partition: i32, offset: RecordOffset) {
        self.next.insert((Arc::clone(topic), partition), offset.next());
    }

    /// Drops what belongs to partitions that `owned` denies.
    pub fn retain(&mut self, owned: impl Fn(&str, i32) -> bool) {
        self.rows.retain(|row| owned(&row.topic, row.partition));
        self.next.retain(|(topic, partition), _| owned(topic, *partition));
    }

    /// The rows, those of one partition in the order of their offsets.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Where each partition goes on: each row's partition is among them. It may lie beyond the last row.
    #[must_use]
    pub fn next(&self) -> &BTreeMap<Partition, NextOffset> {
        &self.next
    }
}

/// An outcome and where it was read.
#[derive(Debug, Clone)]
pub struct Row {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: RecordOffset,
    /// What is stored.
    pub outcome: MessageOutcome<'static>,
}

/// What became of a batch's rows: each is counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stored {
    /// Rows that are visible now.
    pub rows: u64,
    /// Rows whose event id was taken by a row of another position: recorded beside the table. The processor lets no
    /// duplicate through (P1), so each one is a fault to look into.
    pub conflicts: u64,
    /// Rows that were stored before.
    pub replayed: u64,
}

/// The warehouse can't be used. The text names the mend.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An SQLite file.
    #[error(transparent)]
    Sqlite(#[from] sqlite::Error),
}
