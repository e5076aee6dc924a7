//! Customer.io as the target of a sink: reads a record as a write, and sends the writes of a batch wave by
//! wave.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use customerio::Client;
use delivery::intake::{Gap, Partition, StoredPosition, Ticket};
use delivery::sink::{Delivered, Ended, Ending, Metrics, Pending, Reading, Rejection, Start, Work};
use delivery::{Context, Readiness};
use kafka::Incoming;
use schemas::topic::{Topic, Topics};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::plan::{self, Bounds, Planned, Wave};
use crate::reading::{self, NotWritten, Subject, Write};
use crate::sender::{InFlight, Pace, Sender, Sent, VendorHealth};
use crate::{Error, NAME, Settings, metric, outcome};

/// Customer.io, with a small runtime for its requests.
pub(crate) struct CustomerIo {
    sender: Arc<Sender>,
    runtime: Runtime,
    bounds: Bounds,
    requests_in_flight: usize,
    suppression_topic: String,
}

/// A request's task ended without an outcome: a bug.
#[derive(Debug, thiserror::Error)]
#[error("a request's task ended without an outcome")]
pub struct TaskError(#[source] tokio::task::JoinError);

impl CustomerIo {
    pub(crate) fn new(settings: &Settings, topics: &Topics, context: &Context) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(NAME)
            .enable_all()
            .build()
            .map_err(Error::Runtime)?;
        let sender = Sender {
            client: Client::new(settings.track.clone()).map_err(Error::Client)?,
            backoff: settings.retry(),
            recheck_after: settings.recheck_after,
            drain_timeout: settings.drain_timeout,
            pace: Pace::new(settings.requests_per_second),
            health: VendorHealth::new(context.target.clone()),
            intake: Arc::clone(&context.intake),
            stop: context.stop.clone(),
        };
        Ok(Self {
            sender: Arc::new(sender),
            runtime,
            bounds: Bounds {
                operations_max: settings.request_operations,
                bytes_max: plan::REQUEST_BYTES_MAX,
            },
            requests_in_flight: settings.requests_in_flight,
            suppression_topic: topics.name(Topic::Suppression).to_owned(),
        })
    }

    /// Ends without waiting for a request that was given up and may still be on its way.
    pub(crate) fn close(self) {
        self.runtime.shutdown_background();
    }

    /// Sends a wave, so many requests at a time.
    fn send(
        &self,
        wave: Wave,
        tickets: &HashMap<usize, Ticket>,
        readiness: &Readiness<'_>,
    ) -> Result<Vec<Sent>, TaskError> {
        let mut waiting: VecDeque<Vec<InFlight>> =
            wave.into_iter().map(|request| in_flight(request, tickets)).collect();
        let mut requests: JoinSet<Vec<Sent>> = JoinSet::new();
        let mut sent = Vec::new();
        loop {
            while requests.len() < self.requests_in_flight
                && let Some(request) = waiting.pop_front()
            {
                let sender = Arc::clone(&self.sender);
                requests.spawn_on(async move { sender.send(request).await }, self.runtime.handle());
            }
            match self.runtime.block_on(requests.join_next()) {
                Some(ended) => {
                    sent.extend(ended.map_err(TaskError)?);
                    readiness.report();
                }
                None => return Ok(sent),
            }
        }
    }
}

impl delivery::Sink for CustomerIo {
    type Item = Write;
    type Error = TaskError;

    const NAME: &'static str = NAME;
    const START: Start = Start::AtCommitted;
    const METRICS: Metrics = Metrics { records: metric::RECORDS, commit_failures: metric::COMMIT_FAILURES };

    fn read(&self, record: &Incoming, now_ms: i64) -> Reading<Write> {
        let subject =
            if *record.topic == *self.suppression_topic { Subject::Suppression } else { Subject::Traits };
        match reading::read(record, subject, now_ms) {
            Ok(write) => Reading::Deliver(write),
            Err(NotWritten::Skipped(kind)) => {
                metric::skipped(kind.label());
                Reading::Done(outcome::SKIPPED)
            }
            Err(NotWritten::Tombstone) => Reading::Done(outcome::TOMBSTONE),
            Err(NotWritten::Unchanged) => Reading::Done(outcome::UNCHANGED),
            Err(NotWritten::Malformed { reason, detail }) => {
                Reading::Rejected(Rejection::explained(reason, detail))
            }
            Err(NotWritten::UnknownSchema(fingerprint)) => Reading::UnknownSchema(fingerprint),
        }
    }

    /// Customer.io keeps no positions: the group's committed offsets say where reading starts.
    fn positions(&mut self, partitions: &[Partition]) -> Result<Vec<Option<StoredPosition>>, TaskError> {
        Ok(vec![None; partitions.len()])
    }

    /// The loop commits the offset behind the gap. Log and counter are the record.
    fn record_gaps(&mut self, _gaps: &[Gap]) -> Result<(), TaskError> {
        Ok(())
    }

    fn deliver(
        &mut self,
        work: Work<Write>,
        readiness: &Readiness<'_>,
    ) -> Result<Delivered<Write>, TaskError> {
        let tickets = work.items.iter().map(|pending| (pending.place, pending.ticket.clone())).collect();
        let planned = |Pending { place, item, .. }| Planned { record: place, write: item };
        let plan = plan::plan(work.items.into_iter().map(planned).collect(), &self.bounds);
        let mut ended = Vec::new();
        for (records, breach) in plan.refused {
            let rejection = Rejection::explained(breach.code(), breach.to_string());
            end(&mut ended, &records, &Ending::Rejected(rejection));
        }
        for wave in plan.waves {
            for Sent { operation, ending } in self.send(wave, &tickets, readiness)? {
                end(&mut ended, &operation.records, &ending);
            }
        }
        Ok(ended.into())
    }
}

/// The operations with the tickets of their last records: all records of an operation are of one partition
/// and epoch.
fn in_flight(request: plan::Request, tickets: &HashMap<usize, Ticket>) -> Vec<InFlight> {
    let ticket = |operation: &plan::Operation| tickets.get(operation.records.last()?).cloned();
    let in_flight = |operation| Some(InFlight { ticket: ticket(&operation)?, operation });
    request.into_iter().filter_map(in_flight).collect()
}

/// Each record of an operation ends as the operation does.
fn end(ended: &mut Vec<Ended>, records: &[usize], ending: &Ending) {
    ended.extend(records.iter().map(|place| Ended { place: *place, ending: ending.clone() }));
}
