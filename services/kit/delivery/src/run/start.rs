//! Where assigned partitions start: the stored position is held against the log as it is.

use std::time::{Duration, Instant};

use kafka::Connection;
use kafka::consumer::{Ends, LogBounds};
use tracing::{error, info};

use super::Error;
use super::delivery::Delivery;
use super::session::{LOOK_UP, Session, pass};
use crate::intake::position::{from_metadata, start, to_metadata};
use crate::intake::{Awaited, Gap, OnGap, Partition, StoredPosition};
use crate::metric;
use crate::sink::{Sink, Start};

/// How often a position that can't be right is checked again: an operator may have brought the topic back.
const CHECK_AGAIN: Duration = Duration::from_secs(30);

/// What is needed to find out where partitions start.
pub(super) struct Starts {
    brokers: Ends,
    on_gap: OnGap,
    checked: Option<Instant>,
}

impl Starts {
    pub(super) fn new(connection: &Connection, on_gap: OnGap) -> Result<Self, kafka::Error> {
        Ok(Self { brokers: Ends::new(connection)?, on_gap, checked: None })
    }
}

impl Session<'_> {
    /// Starts the partitions that were assigned. A partition whose position can't be right is refused, or its
    /// gap is recorded. A partition of which no broker says where its log begins is tried again.
    pub(super) fn start_awaited<S: Sink>(
        &mut self,
        delivery: &mut Delivery<'_, S>,
    ) -> Result<(), Error<S::Error>> {
        let awaited = self.context.intake.awaited();
        let all_refused = awaited.len() == self.context.intake.refused().len();
        if awaited.is_empty()
            || (all_refused && self.starts.checked.is_some_and(|at| at.elapsed() < CHECK_AGAIN))
        {
            return Ok(());
        }
        let partitions: Vec<Partition> = awaited.iter().map(|awaited| awaited.partition.clone()).collect();
        let stored = match S::START {
            Start::AtTarget => {
                self.beside(S::NAME, || delivery.positions(&partitions))?.map_err(Error::Target)?
            }
            Start::AtCommitted => match self.beside(S::NAME, || self.consumer.committed(&partitions))? {
                Ok(committed) => committed
                    .into_iter()
                    .map(|found| {
                        Some(StoredPosition { next: found.next?, log: from_metadata(&found.metadata) })
                    })
                    .collect(),
                Err(error) => return Ok(pass(error, "committed offsets not read, trying again")?),
            },
        };
        let logs = self.beside(S::NAME, || self.starts.brokers.logs(&partitions))?;
        self.starts.checked = Some(Instant::now());
        for ((awaited, stored), bounds) in awaited.iter().zip(stored).zip(logs) {
            if let Some(bounds) = bounds {
                self.start_one(delivery, awaited, stored, &bounds)?;
            }
        }
        Ok(())
    }

    fn start_one<S: Sink>(
        &self,
        delivery: &mut Delivery<'_, S>,
        awaited: &Awaited,
        stored: Option<StoredPosition>,
        bounds: &LogBounds,
    ) -> Result<(), Error<S::Error>> {
        if !self.context.intake.awaits(awaited) {
            return Ok(());
        }
        let position = match start(&awaited.partition, stored, bounds) {
            Ok(position) => position,
            Err(gap) => match self.starts.on_gap {
                OnGap::Refuse => {
                    error!(kind = gap.kind.label(), %gap, "partition refused: its position can't be right");
                    self.context.intake.refuse(awaited, gap.to_string());
                    return Ok(());
                }
                OnGap::Record => self.record(delivery, *gap)?,
            },
        };
        let (topic, number) = &awaited.partition;
        match self.consumer.start(topic, *number, position.next) {
            Ok(()) => {
                info!(
                    topic = &**topic,
                    partition = number,
                    next_offset = position.next.0,
                    "partition starts"
                );
                self.context.intake.started(&awaited.partition, position.log);
            }
            Err(error) => {
                pass(error, "partition not started, trying again")?;
                self.consumer.keep_alive(LOOK_UP)?;
            }
        }
        Ok(())
    }

    /// Records the gap where the position is kept, before anything behind it is read. Returns where reading
    /// goes on.
    fn record<S: Sink>(
        &self,
        delivery: &mut Delivery<'_, S>,
        gap: Gap,
    ) -> Result<StoredPosition, Error<S::Error>> {
        error!(kind = gap.kind.label(), %gap, goes_on_at = gap.resume.next.0, "gap recorded");
        let gaps = std::slice::from_ref(&gap);
        self.beside(S::NAME, || delivery.record_gaps(gaps))?.map_err(Error::Target)?;
        let (topic, number) = &gap.partition;
        let resume = [(topic.clone(), *number, gap.resume.next)];
        // Where this fails, the gap is found and counted again: never missed.
        if let Err(error) = self.consumer.commit(&resume, |_| to_metadata(&gap.resume.log)) {
            pass(error, "offset behind a gap not committed")?;
        }
        metrics::counter!(metric::GAPS, "kind" => gap.kind.label()).increment(1);
        Ok(gap.resume)
    }
}
