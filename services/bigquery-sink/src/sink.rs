//! A warehouse as the target of a sink: reads a record as a row, and stores the rows of a batch in one step.

use std::time::Instant;

use delivery::Readiness;
use delivery::intake::Partition;
use delivery::sink::{Ended, Ending, Metrics, Pending, Reading, Start, Work};
use kafka::{Incoming, NextOffset};
use tracing::{error, warn};

use crate::target::{self, Batch, Row, RowOutcome, Stored, Target};
use crate::{NAME, metric, reading};

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

    fn positions(&mut self, partitions: &[Partition]) -> Result<Vec<Option<NextOffset>>, target::Error> {
        self.target.positions(partitions)
    }

    fn deliver(&mut self, work: Work<Row>, _readiness: &Readiness<'_>) -> Result<Vec<Ended>, target::Error> {
        let mut places = Vec::with_capacity(work.items.len());
        let mut rows = Vec::with_capacity(work.items.len());
        for Pending { place, item, .. } in work.items {
            places.push(place);
            rows.push(item);
        }
        let began = Instant::now();
        let outcomes = self.target.store(&Batch::new(rows, work.next))?;
        metrics::histogram!(metric::STORE_SECONDS).record(began.elapsed());
        log(outcomes.iter().copied().collect());
        let ended =
            |(place, outcome): (usize, RowOutcome)| Ended { place, ending: Ending::Done(outcome.label()) };
        Ok(places.into_iter().zip(outcomes).map(ended).collect())
    }
}

/// What an operator should look into.
fn log(stored: Stored) {
    let Stored { rows: _, conflicts, replayed } = stored;
    if conflicts > 0 {
        error!(conflicts, "event ids came twice: see message_outcome_conflicts in the warehouse");
    }
    if replayed > 0 {
        warn!(replayed, "records came again and were passed over");
    }
}
