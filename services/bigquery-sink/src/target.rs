//! What a warehouse must be able to do, whichever it is.

mod location;
pub mod sqlite;

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka::RecordOffset;
use schemas::record::MessageOutcome;

pub use location::Location;

pub use delivery::intake::{Gap, Partition, StoredPosition};

/// What the default consumer group of every kind of warehouse begins with, behind the topic prefix. ACLs can
/// be granted by it.
pub const DEFAULT_GROUP_PREFIX: &str = "aftersend-warehouse-";

/// A warehouse that holds each record once, whatever crashes (S1).
///
/// A target keeps its own position of each partition and moves it in the same step that makes the rows
/// visible: in one transaction where the warehouse has transactions, by a decision record where it has none.
/// The sink starts a partition where the target says. The offset that Kafka holds as committed is for lag
/// monitoring alone.
///
/// Neither call runs on the thread that polls Kafka, so both may wait for a remote service. Only one runs at
/// a time.
pub trait Target: Send {
    /// The consumer group of the sinks that write to this warehouse, where the settings name none. All of
    /// them get the same, and the sinks of another warehouse get another: in one group, each of two
    /// warehouses would hold the outcomes of a part of the partitions.
    fn default_group(&self) -> String;

    /// How far each partition is stored, in order of the question; `None` where nothing of it is.
    ///
    /// Asked when partitions are assigned, before a record of them is read. A target finishes here what an
    /// earlier owner of the partition decided but did not complete.
    ///
    /// # Errors
    /// Where the warehouse can't be read.
    fn positions(&mut self, partitions: &[Partition]) -> Result<Vec<Option<StoredPosition>>, Error>;

    /// Writes down that records can't be read any more, and moves the positions to where reading goes on, in
    /// one step.
    ///
    /// # Errors
    /// Where the warehouse can't be written.
    fn record_gaps(&mut self, gaps: &[Gap]) -> Result<(), Error>;

    /// Makes the whole batch visible and moves the positions, or does neither. Rows that lie before the
    /// stored position are left out, so that a replay or a second owner doubles nothing.
    ///
    /// # Errors
    /// Where the warehouse can't be written. Nothing of the batch is visible then.
    fn store(&mut self, batch: &Batch) -> Result<StoreAnswer, Error>;

    /// Deletes a bounded number of the rows that are older than the settings keep them, if any.
    ///
    /// # Errors
    /// Where the warehouse can't be written.
    fn prune(&mut self) -> Result<(), Error>;
}

/// What a warehouse did with a batch.
#[derive(Debug)]
pub enum StoreAnswer {
    /// It is visible: what became of each row, in the order of the rows.
    Stored(Vec<RowOutcome>),
    /// Nothing is stored, since the warehouse will never take some of the rows. Without them it is to be
    /// stored again.
    Refused(Vec<RefusedRow>),
}

/// A row that the warehouse will never take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRow {
    /// Its place among the batch's rows.
    pub row: usize,
    /// Why, in the warehouse's words. It quotes no value.
    pub why: String,
}

/// What one call of [`Target::store`] stores: rows, and how far each partition then is.
#[derive(Debug, Default)]
pub struct Batch {
    rows: Vec<Row>,
    next: BTreeMap<Partition, StoredPosition>,
}

impl Batch {
    /// `rows` are those of one partition in the order of their offsets; `next` names the partition of each
    /// row.
    #[must_use]
    pub fn new(rows: Vec<Row>, next: BTreeMap<Partition, StoredPosition>) -> Self {
        Self { rows, next }
    }

    /// The rows, those of one partition in the order of their offsets.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The rows, for another batch.
    #[must_use]
    pub fn into_rows(self) -> Vec<Row> {
        self.rows
    }

    /// Where each partition goes on: the partition of each row is among them. It may lie beyond the last row,
    /// because some records make no row.
    #[must_use]
    pub fn next(&self) -> &BTreeMap<Partition, StoredPosition> {
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

/// What became of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowOutcome {
    /// It is visible now.
    Stored,
    /// Its outcome id was taken by a row of another position. It is recorded beside the table. The processor
    /// lets no duplicate through (P1), so each conflict is a fault to look into.
    Conflict,
    /// It was stored before.
    Replayed,
}

impl RowOutcome {
    /// The metric's label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Conflict => "conflict",
            Self::Replayed => "replayed",
        }
    }
}

/// What became of the rows of a batch: each is counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stored {
    /// Rows that are visible now.
    pub rows: u64,
    /// Rows whose outcome id was taken: see [`RowOutcome::Conflict`].
    pub conflicts: u64,
    /// Rows that were stored before.
    pub replayed: u64,
}

impl FromIterator<RowOutcome> for Stored {
    fn from_iter<I: IntoIterator<Item = RowOutcome>>(outcomes: I) -> Self {
        let mut stored = Self::default();
        for outcome in outcomes {
            match outcome {
                RowOutcome::Stored => stored.rows += 1,
                RowOutcome::Conflict => stored.conflicts += 1,
                RowOutcome::Replayed => stored.replayed += 1,
            }
        }
        stored
    }
}

/// The warehouse can't be used. The text names the mend.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An SQLite file.
    #[error(transparent)]
    Sqlite(#[from] sqlite::Error),
}
