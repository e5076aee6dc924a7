//! The side of the loop that talks to the target and to the topic of dead letters. It may wait, for it is not
//! the thread that polls.

use std::time::{Duration, Instant};

use kafka::{Incoming, PublishError};
use lifecycle::clock;
use tracing::warn;

use super::Context;
use super::batch::{Batch, Opened, Rejected};
use crate::intake::{Gap, Partition, StoredPosition};
use crate::sink::{Delivered, MAINTAIN_EVERY, Sink};
use crate::{Backoff, Counts, DeadLetters, Readiness};

/// How long to wait before a dead letter is written again.
const DEAD_LETTER_RETRY: Backoff = Backoff { base: Duration::from_millis(200), cap: Duration::from_secs(2) };

/// Processes batches, one after the other.
pub(super) struct Delivery<'a, S> {
    sink: &'a mut S,
    context: &'a Context,
    dead_letters: DeadLetters,
    readiness: &'a Readiness<'a>,
    counts: Counts,
    /// When the target's housekeeping was last done.
    maintained: Instant,
}

/// What became of the dead letters of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    /// All that are still this member's are acknowledged.
    All,
    /// The stop came first.
    Stopping,
}

impl<'a, S: Sink> Delivery<'a, S> {
    pub(super) fn new(
        sink: &'a mut S,
        context: &'a Context,
        dead_letters: DeadLetters,
        readiness: &'a Readiness<'a>,
    ) -> Self {
        Self { sink, context, dead_letters, readiness, counts: Counts::default(), maintained: Instant::now() }
    }

    /// Where the target stands in each of `partitions`.
    pub(super) fn positions(
        &mut self,
        partitions: &[Partition],
    ) -> Result<Vec<Option<StoredPosition>>, S::Error> {
        self.sink.positions(partitions)
    }

    /// Writes down what can't be read any more.
    pub(super) fn record_gaps(&mut self, gaps: &[Gap]) -> Result<(), S::Error> {
        self.sink.record_gaps(gaps)
    }

    /// Brings each of `records` to its end. Dead letters of records that can't be read come first, since a
    /// target that keeps positions moves them past such records, too (S4).
    pub(super) fn process(&mut self, records: Vec<Incoming>) -> Result<(), S::Error> {
        let (now_ms, intake) = (clock::now_ms(), &self.context.intake);
        let Opened { mut batch, items } =
            Batch::open(records, intake, |record| self.sink.read(record, now_ms));
        let mut next = Some(items);
        while self.write_dead_letters(&mut batch) == Written::All
            && let Some(items) = next.take()
        {
            // Asked after the dead letters: meanwhile partitions may have gone.
            let work = batch.work(items, intake);
            if !work.next.is_empty() {
                let Delivered { ended, again } = self.sink.deliver(work, self.readiness)?;
                // Each round ends some item, so the rounds come to an end.
                next = Some(again).filter(|again| !again.is_empty() && !ended.is_empty());
                batch.settle(ended);
            }
        }
        batch.close(intake);
        self.counts.add(S::METRICS.records, batch.outcomes());
        Ok(())
    }

    /// Whether the target's housekeeping is due.
    pub(super) fn is_maintenance_due(&self) -> bool {
        self.maintained.elapsed() >= MAINTAIN_EVERY
    }

    /// The target's housekeeping.
    pub(super) fn maintain(&mut self) -> Result<(), S::Error> {
        self.maintained = Instant::now();
        self.sink.maintain()
    }

    /// How many records ended in which outcome.
    pub(super) fn into_counts(self) -> Counts {
        self.counts
    }

    /// Writes every dead letter of the batch, each for as long as it takes.
    fn write_dead_letters(&self, batch: &mut Batch) -> Written {
        for place in batch.rejected_places() {
            let mut failures = 0;
            // Ends by itself where the partition goes: then the next owner writes the dead letter.
            while let Some(rejected) =
                batch.rejected(place).filter(|rejected| self.context.intake.holds(rejected.ticket))
            {
                match self.write_dead_letter(&rejected) {
                    Ok(()) => batch.dead_lettered(place),
                    Err(_) if self.context.stop.requested() => return Written::Stopping,
                    Err(error) => {
                        failures += 1;
                        self.wait_to_write_again(error, failures);
                    }
                }
            }
        }
        Written::All
    }

    fn write_dead_letter(&self, rejected: &Rejected<'_>) -> Result<(), PublishError> {
        self.dead_letters.write(rejected.record, rejected.rejection)?;
        warn!(record = ?rejected.record, reason = rejected.rejection.reason, "record kept as a dead letter");
        self.readiness.dead_letters().works();
        self.readiness.report();
        Ok(())
    }

    /// Trying without end is right: the record's offset moves no further, and neither does anything behind
    /// it, so nothing is lost.
    fn wait_to_write_again(&self, error: PublishError, failures: u32) {
        warn!(code = error.code(), failures, "dead letter not acknowledged, trying again");
        let mend = if error.is_poison() {
            ": check the topic's max.message.bytes and this principal's ACLs"
        } else {
            ""
        };
        self.readiness
            .dead_letters()
            .fails(format!("dead letters: {error}; {failures} failures in a row, retrying{mend}"));
        self.readiness.report_new_cause();
        self.context.stop.wait_timeout(DEAD_LETTER_RETRY.random_wait(failures));
    }
}
