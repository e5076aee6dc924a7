//! A warehouse as the target of a sink: reads a record as a row, and stores the rows of a batch in one step.

use std::collections::BTreeMap;
use std::time::Instant;

use delivery::Readiness;
use delivery::intake::{Gap, Partition, StoredPosition, Ticket};
use delivery::sink::{Delivered, Ended, Ending, Metrics, Pending, Reading, Rejection, Start, Work};
use kafka::Incoming;
use tracing::{error, warn};

use crate::target::{self, Batch, RefusedRow, Row, RowOutcome, StoreAnswer, Stored, Target};
use crate::{NAME, metric, reading};

/// The reason of a dead letter that the warehouse will never take.
const REFUSED: &str = "refused_by_warehouse";

/// The warehouse, whichever it is.
pub(crate) struct Warehouse {
    target: Box<dyn Target>,
}

impl Warehouse {
    pub(crate) fn new(target: Box<dyn Target>) -> Self {
        Self { target }
    }
}

impl delivery::Sink for Warehouse {
    type Item = Row;
    type Error = target::Error;

    const NAME: &'static str = NAME;
    /// Whatever the group has committed: a new warehouse is filled with all that the topic still holds.
    const START: Start = Start::AtTarget;
    const METRICS: Metrics = Metrics { records: metric::RECORDS, commit_failures: metric::COMMIT_FAILURES };

    fn read(&self, record: &Incoming, _now_ms: i64) -> Reading<Row> {
        reading::read(record)
    }

    fn positions(&mut self, partitions: &[Partition]) -> Result<Vec<Option<StoredPosition>>, target::Error> {
        self.target.positions(partitions)
    }

    fn record_gaps(&mut self, gaps: &[Gap]) -> Result<(), target::Error> {
        self.target.record_gaps(gaps)
    }

    fn deliver(
        &mut self,
        work: Work<Row>,
        _readiness: &Readiness<'_>,
    ) -> Result<Delivered<Row>, target::Error> {
        let mut records = Vec::with_capacity(work.items.len());
        let mut rows = Vec::with_capacity(work.items.len());
        for Pending { place, ticket, item } in work.items {
            records.push((place, ticket));
            rows.push(item);
        }
        let batch = Batch::new(rows, work.next);
        let began = Instant::now();
        let answer = self.target.store(&batch)?;
        metrics::histogram!(metric::STORE_SECONDS).record(began.elapsed());
        match answer {
            StoreAnswer::Stored(outcomes) => {
                log(outcomes.iter().copied().collect());
                let ended = |((place, _), outcome): (_, RowOutcome)| Ended {
                    place,
                    ending: Ending::Done(outcome.label()),
                };
                Ok(records.into_iter().zip(outcomes).map(ended).collect::<Vec<_>>().into())
            }
            StoreAnswer::Refused(refusals) => Ok(refused(records, batch.into_rows(), refusals)),
        }
    }

    fn maintain(&mut self) -> Result<(), target::Error> {
        self.target.prune()
    }
}

/// The refused rows become dead letters, and the others are delivered again.
fn refused(records: Vec<(usize, Ticket)>, rows: Vec<Row>, refusals: Vec<RefusedRow>) -> Delivered<Row> {
    let mut refusals: BTreeMap<usize, String> =
        refusals.into_iter().map(|RefusedRow { row, why }| (row, why)).collect();
    let mut delivered = Delivered { ended: Vec::with_capacity(refusals.len()), again: Vec::new() };
    for (index, ((place, ticket), item)) in records.into_iter().zip(rows).enumerate() {
        match refusals.remove(&index) {
            Some(why) => {
                let ending = Ending::Rejected(Rejection::explained(REFUSED, why));
                delivered.ended.push(Ended { place, ending });
            }
            None => delivered.again.push(Pending { place, ticket, item }),
        }
    }
    delivered
}

/// What an operator should look into.
fn log(stored: Stored) {
    let Stored { rows: _, conflicts, replayed } = stored;
    if conflicts > 0 {
        error!(conflicts, "outcome ids came twice: see message_outcome_conflicts in the warehouse");
    }
    if replayed > 0 {
        warn!(replayed, "records came again and were passed over");
    }
}
