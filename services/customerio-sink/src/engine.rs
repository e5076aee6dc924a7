//! The loop: poll, read, ship wave by wave, keep dead letters, commit. One thread; the requests run beside it.
//!
//! ```text
//! poll_batch ─▶ begin, read ─▶ plan ─▶ ship (waves; keep_alive meanwhile) ─▶ dead letters, acknowledged ─▶ commit
//! ```
//!
//! A batch is a barrier: the next poll waits until every record of this one is done, so that a customer's next write leaves after
//! the previous one is acknowledged (S2) without any memory across batches.

mod batch;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use customerio::Client;
use delivery::ledger::Partition;
use delivery::{DeadLetters, dead_letter};
use kafka::{Consumer, consumer};
use lifecycle::{Stop, Vital};
use schemas::topic::{Topic, Topics};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{error, warn};

use crate::desk::Desk;
use crate::plan::{self, Bounds, Operation, Wave};
use crate::reading::Subject;
use crate::shipment::{Courier, Pace, Parcel, Trouble, Verdict};
use crate::{Error, NAME, Settings, Summary, metric};
use batch::{Batch, Grief};

/// Without progress for this long, the sink counts as stalled. Retries aren't progress.
pub(crate) const STALL_AFTER: Duration = Duration::from_secs(60);

/// How often the loop looks up while requests are in flight.
const LOOK_UP: Duration = Duration::from_millis(100);

/// A poll in between, long enough to serve a rebalance.
const KEEP_ALIVE: Duration = Duration::from_millis(10);

/// The running sink.
pub(crate) struct Engine<'a> {
    consumer: Consumer,
    desk: Arc<Desk>,
    courier: Arc<Courier>,
    trouble: Arc<Trouble>,
    dead_letters: DeadLetters,
    settings: &'a Settings,
    subjects: [(&'a str, Subject); 2],
    halted: BTreeMap<Partition, String>,
    named: RefCell<Option<String>>,
    stop: &'a Stop,
    vital: &'a Vital,
    runtime: Handle,
    summary: Summary,
}

impl<'a> Engine<'a> {
    pub(crate) fn new(
        settings: &'a Settings,
        connection: &kafka::Connection,
        topics: &'a Topics,
        stop: &'a Stop,
        vital: &'a Vital,
        runtime: Handle,
    ) -> Result<Self, Error> {
        let subjects = [
            (topics.name(Topic::Trait), Subject::Traits),
            (topics.name(Topic::Suppression), Subject::Suppression),
        ];
        let (desk, trouble) = (Arc::<Desk>::default(), Arc::<Trouble>::default());
        let group = consumer::Group {
            id: settings.group.clone(),
            instance: settings.instance.clone(),
            session_timeout: settings.session_timeout,
        };
        let names = subjects.map(|(name, _)| name.to_owned());
        let consumer = Consumer::subscribe(connection, &group, &names, desk.clone())?;
        let courier = Courier {
            client: Client::new(settings.track.clone()).map_err(Error::Client)?,
            backoff: settings.retry(),
            recheck_after: settings.recheck_after,
            drain_timeout: settings.drain_timeout,
            pace: Pace::new(settings.requests_per_second),
            trouble: trouble.clone(),
            desk: desk.clone(),
            stop: stop.clone(),
        };
        let publisher = dead_letter::publisher(connection)?;
        Ok(Self {
            consumer,
            desk,
            courier: Arc::new(courier),
            trouble,
            dead_letters: DeadLetters::new(publisher, topics.name(Topic::DeadLetter).to_owned(), NAME),
            settings,
            subjects,
            halted: BTreeMap::new(),
            named: RefCell::default(),
            stop,
            vital,
            runtime,
            summary: Summary::default(),
        })
    }

    /// Batch after batch until the stop is requested.
    pub(crate) fn run(&mut self) -> Result<Summary, Error> {
        while !self.stop.requested() {
            self.round()?;
            self.report();
        }
        Ok(self.summary)
    }

    fn round(&mut self) -> Result<(), Error> {
        let limits = consumer::Batch {
            records_max: self.settings.batch_records,
            bytes_max: usize::try_from(self.settings.batch_bytes.bytes()).unwrap_or(usize::MAX),
            wait_max: self.settings.batch_wait,
        };
        let records = self.consumer.poll_batch(&limits)?;
        if !records.is_empty() {
            let mut batch = Batch::open(records, &self.subjects, &self.desk, now_ms());
            self.note_halted(&batch);
            self.deliver(&mut batch)?;
            self.bury(&mut batch)?;
            batch.close(&self.desk);
            self.summary.count(batch.fates());
        }
        self.commit()
    }

    fn deliver(&mut self, batch: &mut Batch) -> Result<(), Error> {
        let bounds =
            Bounds { operations_max: self.settings.request_operations, bytes_max: plan::REQUEST_BYTES_MAX };
        let plan = plan::plan(batch.take_writes(), &bounds);
        for (records, breach) in plan.refused {
            batch.grieve(&records, &Grief { reason: breach.code(), detail: breach.to_string() });
        }
        plan.waves.into_iter().try_for_each(|wave| self.ship(wave, batch))
    }

    /// Ships a wave, so many requests at a time, and stays in the group meanwhile.
    fn ship(&self, wave: Wave, batch: &mut Batch) -> Result<(), Error> {
        let mut waiting: VecDeque<Vec<Parcel>> =
            wave.into_iter().map(|request| parcels(request, batch)).collect();
        let mut flying: JoinSet<Vec<(Operation, Verdict)>> = JoinSet::new();
        while !(waiting.is_empty() && flying.is_empty()) {
            while flying.len() < self.settings.requests_in_flight
                && let Some(request) = waiting.pop_front()
            {
                let courier = self.courier.clone();
                flying.spawn_on(async move { courier.ship(request).await }, &self.runtime);
            }
            let landed = self.runtime.block_on(async { timeout(LOOK_UP, flying.join_next()).await });
            match landed {
                Ok(Some(ended)) => {
                    batch.settle(ended.map_err(Error::Task)?);
                    self.report();
                }
                Ok(None) => {}
                Err(_) => self.keep_alive(KEEP_ALIVE)?,
            }
        }
        Ok(())
    }

    /// Keeps every dead letter of the batch. S4: acknowledged before the offset moves, so this tries for as long as it takes.
    fn bury(&self, batch: &mut Batch) -> Result<(), Error> {
        for index in batch.grieved() {
            let mut failures = 0;
            while let Some((record, grief)) =
                batch.grief(index).filter(|_| self.desk.holds(batch.ticket(index)))
            {
                match self.dead_letters.keep_explained(record, grief.reason, &grief.detail) {
                    Ok(()) => {
                        warn!(record = ?record, reason = grief.reason, "record kept as a dead letter");
                        batch.buried(index);
                    }
                    Err(_) if self.stop.requested() => return Ok(()),
                    Err(err) => {
                        failures += 1;
                        warn!(error = %err, failures, "dead letter not kept, trying again");
                        self.vital.not_ready(format!(
                            "dead letters: {err}; {failures} failures in a row, retrying"
                        ));
                        self.wait(self.settings.retry().random_wait(failures))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Commits what is done. A failure is left to the next round: until then the records would only be delivered again.
    fn commit(&self) -> Result<(), Error> {
        let offsets = self.desk.committable();
        if offsets.is_empty() {
            return Ok(());
        }
        match self.consumer.commit(&offsets) {
            Ok(()) => self.desk.committed(&offsets),
            Err(err @ (kafka::Error::Unauthorized { .. } | kafka::Error::Fatal { .. })) => {
                return Err(err.into());
            }
            Err(err) => {
                metric::commit_failed();
                warn!(error = %err, "offsets not committed, trying again after the next batch");
            }
        }
        Ok(())
    }

    /// Waits, in the group, until `length` has passed or the stop is requested.
    fn wait(&self, length: Duration) -> Result<(), Error> {
        let mut left = length;
        while !left.is_zero() && !self.stop.wait_timeout(left.min(LOOK_UP)) {
            left = left.saturating_sub(LOOK_UP);
            self.keep_alive(KEEP_ALIVE)?;
        }
        Ok(())
    }

    /// Saying the same again would pass for progress (E4), so only a new cause is named while waiting.
    fn keep_alive(&self, length: Duration) -> Result<(), Error> {
        let cause = self.trouble.cause();
        if self.named.replace(cause.clone()) != cause && cause.is_some() {
            self.report();
        }
        Ok(self.consumer.keep_alive(length)?)
    }

    fn note_halted(&mut self, batch: &Batch) {
        for (partition, fingerprint) in batch.halts() {
            let (topic, number) = &partition;
            error!(
                topic = &**topic,
                partition = number,
                fingerprint = format!("{fingerprint:016x}"),
                "unknown schema"
            );
            let cause = format!(
                "{topic}/{number} stopped at schema {fingerprint:016x}, which this version does not know: upgrade this sink"
            );
            self.halted.insert(partition, cause);
        }
    }

    /// Something was done: ready, or what keeps it from the rest of its work. Counts as progress.
    fn report(&self) {
        let halted = self.halted.iter().find(|((topic, number), _)| self.consumer.owns(topic, *number));
        match self.trouble.cause().or_else(|| halted.map(|(_, cause)| cause.clone())) {
            Some(cause) => self.vital.not_ready(cause),
            None => self.vital.ready(),
        }
    }
}

/// The operations with the tickets of their last records: all of an operation's records are of one partition and epoch.
fn parcels(request: Vec<Operation>, batch: &Batch) -> Vec<Parcel> {
    let ticket = |operation: &Operation| operation.records.last().map(|record| batch.ticket(*record).clone());
    request
        .into_iter()
        .filter_map(|operation| Some(Parcel { ticket: ticket(&operation)?, operation }))
        .collect()
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
