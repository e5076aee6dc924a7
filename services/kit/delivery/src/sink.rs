//! What a sink adds to the loop: how it reads a record, and how its target takes it.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka::Incoming;

use crate::Readiness;
use crate::intake::{Gap, Partition, StoredPosition, Ticket};

/// A destination of records: a mapping and a target. The loop ([`crate::run()`]) does everything else.
///
/// `positions` and `deliver` may take as long as they need. They run on a thread of their own, while another
/// thread polls Kafka and keeps the membership in the group. One call runs at a time, in the order of the
/// records.
pub trait Sink: Send {
    /// What a record asks of the target, such as a row or an identify.
    type Item: Send;

    /// Why the target can't be used. It ends the sink, so what passes with time isn't one: `deliver` waits
    /// for that.
    type Error: std::error::Error + Send;

    /// The sink's name: the component in readiness, the stage in dead letters, and the name of its threads.
    const NAME: &'static str;

    /// Where reading starts.
    const START: Start;

    /// Where the loop counts.
    const METRICS: Metrics;

    /// Decides what becomes of `record`. It depends on nothing but the arguments and the sink's settings.
    fn read(&self, record: &Incoming, now_ms: i64) -> Reading<Self::Item>;

    /// How far the target is in each of `partitions`, in their order; `None` where it holds nothing of a
    /// partition.
    ///
    /// Asked where [`Sink::START`] is [`Start::AtTarget`]: after an assignment, before a record of it is
    /// read. A target finishes here what an earlier owner of the partition decided but did not complete.
    ///
    /// # Errors
    /// Where the target can't be read.
    fn positions(&mut self, partitions: &[Partition]) -> Result<Vec<Option<StoredPosition>>, Self::Error>;

    /// Writes down that records can't be read any more, and moves the positions to where reading goes on, in
    /// one step. Asked only where the settings say so: see [`OnGap::Record`](crate::intake::OnGap).
    ///
    /// # Errors
    /// Where the target can't be written.
    fn record_gaps(&mut self, gaps: &[Gap]) -> Result<(), Self::Error>;

    /// Delivers `work`, and says how each item ended. An item that isn't named in the answer is put back: its
    /// record will be read again.
    ///
    /// A target that keeps positions never moves them past an item that it refuses: a crash before the item's
    /// dead letter was written would lose it. It delivers nothing then, names the refused items, and asks for
    /// the others [again](Delivered::again).
    ///
    /// Where a stop is requested, it returns soon, and leaves out what isn't delivered by then. `readiness`
    /// is for progress: a call that takes long reports each step, or the sink counts as stalled.
    ///
    /// # Errors
    /// Where the target can't be used.
    fn deliver(
        &mut self,
        work: Work<Self::Item>,
        readiness: &Readiness<'_>,
    ) -> Result<Delivered<Self::Item>, Self::Error>;

    /// Housekeeping of the target, such as deleting what is too old. Called every [`MAINTAIN_EVERY`] between
    /// two batches, so one call does a bounded piece of it.
    ///
    /// # Errors
    /// Where the target can't be used.
    fn maintain(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// How often [`Sink::maintain`] is called.
pub const MAINTAIN_EVERY: Duration = Duration::from_secs(5);

/// Where the reading of a newly assigned partition starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the offset that the group has committed, else at the beginning of the log. The log's id is
    /// committed with each offset.
    AtCommitted,
    /// At the position that the target holds, else at the beginning of the log. What the group has committed
    /// is for lag monitoring alone.
    AtTarget,
}

/// The metrics of a sink that the loop writes.
#[derive(Debug, Clone, Copy)]
pub struct Metrics {
    /// Counter of records, by `outcome`.
    pub records: &'static str,
    /// Counter of offset commits that failed.
    pub commit_failures: &'static str,
}

/// What becomes of a record before anything is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading<I> {
    /// The target is asked for this.
    Deliver(I),
    /// There is nothing to deliver; counted under this outcome.
    Done(&'static str),
    /// It can never be delivered: a dead letter (S4).
    Rejected(Rejection),
    /// A newer version wrote it, with a schema of this fingerprint. Its partition stops until this sink is
    /// upgraded. It is never a dead letter: a rolling upgrade would drain good records.
    UnknownSchema(u64),
}

/// Why a record becomes a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// A short code, such as `malformed`.
    pub reason: &'static str,
    /// What to look at. It quotes no payload.
    pub detail: Option<String>,
}

impl Rejection {
    /// A rejection that its reason explains.
    #[must_use]
    pub fn plain(reason: &'static str) -> Self {
        Self { reason, detail: None }
    }

    /// A rejection with what to look at.
    #[must_use]
    pub fn explained(reason: &'static str, detail: impl Into<String>) -> Self {
        Self { reason, detail: Some(detail.into()) }
    }
}

/// What one call of [`Sink::deliver`] delivers.
#[derive(Debug)]
pub struct Work<I> {
    /// The items, those of one partition in the order of their offsets.
    pub items: Vec<Pending<I>>,
    /// Where each partition goes on once all items are delivered. It counts the records that make no item,
    /// such as dead letters that are already acknowledged, so a partition may be named that has no item.
    pub next: BTreeMap<Partition, StoredPosition>,
}

/// An item to deliver.
#[derive(Debug, Clone)]
pub struct Pending<I> {
    /// The place of its record in the batch. [`Ended`] names it.
    pub place: usize,
    /// Whether the record is still this member's: see [`crate::Intake::holds`].
    pub ticket: Ticket,
    /// What the record asks for.
    pub item: I,
}

/// What a call of [`Sink::deliver`] did.
#[derive(Debug)]
pub struct Delivered<I> {
    /// How items ended.
    pub ended: Vec<Ended>,
    /// Items to deliver once the dead letters of the refused ones are acknowledged. Empty where none is
    /// refused.
    pub again: Vec<Pending<I>>,
}

impl<I> From<Vec<Ended>> for Delivered<I> {
    /// Nothing is to be delivered again.
    fn from(ended: Vec<Ended>) -> Self {
        Self { ended, again: Vec::new() }
    }
}

/// How an item ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The item's [`Pending::place`].
    pub place: usize,
    /// How.
    pub ending: Ending,
}

/// How the delivery of an item ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The target has it; counted under this outcome.
    Done(&'static str),
    /// The target will never take it: a dead letter (S4).
    Rejected(Rejection),
    /// Not known, or not tried: the record will be read again, by this member or another.
    PutBack,
}
