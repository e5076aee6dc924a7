//! One worker: a thread with some partitions and a producer. It reads a batch, applies it to each partition,
//! commits, and begins again.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::{Duration, Instant};

use kafka::transaction::{Arrival, Member, PartitionQueue};
use tracing::{info, warn};

use super::batch::RecordBatch;
use super::control::stoppage::{PartitionStop, StopCause};
use super::lag::InboxLag;
use super::partition::{self, AppliedBatch, ApplyInputs, OwnedPartition, Pending};
use super::schedule::CommitSchedule;
use super::watch::Watch;
use super::watch::activity::{Activity, Task};
use super::{Engine, SessionError, report};
use crate::commit::effects::{Commit, CommitContext, PartitionCommit};
use crate::commit::gate::{AssignmentEpoch, Gate};
use crate::commit::producer::Producer;
use crate::commit::protocol::{self, Act, End, State};
use crate::drill::Point;
use crate::restore::Restored;

mod upkeep;

/// How long a worker waits for records where none are there.
const IDLE_WAIT: Duration = Duration::from_millis(500);
/// The pause after an aborted transaction doubles between these bounds.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// What the control thread tells a worker to do.
pub(super) enum WorkerCommand {
    /// Work on a partition.
    Start { partition: i32, epoch: AssignmentEpoch, restored: Restored },
    /// Forget partitions: drop the records that were read of them, and close their disks. Then answer on
    /// `done`.
    Drop { partitions: Vec<i32>, done: Sender<()> },
}

/// What a worker reports to the control thread.
pub(super) enum WorkerReport {
    /// A partition can't continue. The worker has let go of it.
    Stopped { partition: i32, stop: PartitionStop },
    /// The worker has ended.
    Ended(Result<(), SessionError>),
}

/// What all workers of a session share.
pub(super) struct Session<'a> {
    pub(super) engine: &'a Engine<'a>,
    pub(super) member: &'a Member,
    pub(super) gate: Gate,
    pub(super) watch: &'a Watch<'a>,
    /// Whether the session must end.
    pub(super) is_over: &'a (dyn Fn() -> bool + Sync),
    /// Called after every committed transaction.
    pub(super) on_commit: &'a (dyn Fn() + Sync),
}

/// What a worker is made of.
pub(super) struct WorkerParts<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) activity: &'a Activity,
    pub(super) schedule: CommitSchedule,
    pub(super) commands: Receiver<WorkerCommand>,
    pub(super) reports: Sender<WorkerReport>,
    pub(super) inbox: PartitionQueue,
    pub(super) producer: Producer,
}

pub(super) struct Worker<'a> {
    session: &'a Session<'a>,
    activity: &'a Activity,
    schedule: CommitSchedule,
    commands: Receiver<WorkerCommand>,
    reports: Sender<WorkerReport>,
    inbox: PartitionQueue,
    producer: Producer,
    partitions: BTreeMap<i32, OwnedPartition>,
    batch: RecordBatch,
    /// When the last batch was read that held any record.
    read_at: Instant,
    lag: InboxLag,
    /// Transactions aborted since the last committed one.
    aborted: u32,
    /// When the changelogs' ends were read last.
    checked_at: Instant,
}

impl<'a> Worker<'a> {
    pub(super) fn new(parts: WorkerParts<'a>) -> Self {
        let now = Instant::now();
        Self {
            session: parts.session,
            activity: parts.activity,
            schedule: parts.schedule,
            commands: parts.commands,
            reports: parts.reports,
            inbox: parts.inbox,
            producer: parts.producer,
            partitions: BTreeMap::new(),
            batch: RecordBatch::default(),
            read_at: now,
            lag: InboxLag::new(now),
            aborted: 0,
            checked_at: now,
        }
    }

    /// Works until the session is over.
    pub(super) fn run(mut self) -> Result<(), SessionError> {
        let outcome = self.work();
        self.activity.begins(Task::Close);
        outcome
    }

    fn work(&mut self) -> Result<(), SessionError> {
        // Make the producer at once, though there is nothing to send yet. This ends the transaction that a
        // killed predecessor left open. Every restore that waits for that transaction would otherwise wait
        // for its timeout. Where no broker answers, the first transaction tries again.
        self.activity.begins(Task::Commit(Act::Renew));
        if let Err(error) = self.producer.renew() {
            warn!(error = &error as &dyn std::error::Error, "no producer yet");
        }
        while !(self.session.is_over)() {
            self.handle_commands()?;
            self.read_batch()?;
            self.transact()?;
            self.keep_up()?;
        }
        Ok(())
    }

    fn handle_commands(&mut self) -> Result<(), SessionError> {
        loop {
            self.activity.begins(Task::HandleCommands);
            match self.commands.try_recv() {
                Ok(WorkerCommand::Start { partition, epoch, restored }) => {
                    self.start(partition, epoch, restored)?;
                }
                Ok(WorkerCommand::Drop { partitions, done }) => {
                    for partition in &partitions {
                        self.activity.begins(Task::Drop { partition: *partition });
                        self.partitions.remove(partition);
                    }
                    self.batch.forget(&partitions);
                    // The send fails only where the session has ended meanwhile.
                    let _ = done.send(());
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return Ok(()),
            }
        }
    }

    fn start(
        &mut self,
        partition: i32,
        epoch: AssignmentEpoch,
        restored: Restored,
    ) -> Result<(), SessionError> {
        self.activity.begins(Task::Start { partition });
        let owned = match OwnedPartition::new(partition, restored, epoch) {
            Ok(owned) => owned,
            Err(error) => return self.store_failed(partition, error),
        };
        let next = owned.meta.src_next();
        info!(partition, seq = owned.meta.seq, %next, "partition starts");
        self.partitions.insert(partition, owned);
        self.session.engine.drill.reached(Point::Starting);
        // Only now: a record that arrives before its partition is known would be dropped.
        self.session.member.start(partition, next, &self.inbox)?;
        Ok(())
    }

    /// Reads records for one transaction, until the batch is full, the commit is due, or a command has come.
    ///
    /// The due time counts from the end of the last batch. What arrived during the last commit has already
    /// waited, and what arrives after an idle period needn't wait at all.
    fn read_batch(&mut self) -> Result<(), SessionError> {
        let (settings, clock) = (self.session.engine.settings, self.session.engine.clock);
        let bytes_max = self.session.engine.batch_bytes();
        let due = self.schedule.next_after(self.read_at);
        self.activity.begins(Task::ReadInbox);
        let mut now = Instant::now();
        self.returned(Duration::ZERO, false, now);
        while self.batch.has_room(settings.batch_records, bytes_max) {
            let wait = if self.batch.is_empty() { IDLE_WAIT } else { due.saturating_duration_since(now) };
            let arrival = self.inbox.poll(wait)?;
            now = Instant::now();
            self.returned(wait, matches!(arrival, Arrival::Nothing), now);
            match arrival {
                Arrival::Record(record) => {
                    let owned = self.partitions.get_mut(&record.partition);
                    if owned.is_some_and(|owned| owned.read(&record, clock)) {
                        self.batch.push(record);
                    }
                }
                Arrival::End { partition } => {
                    if let Some(owned) = self.partitions.get_mut(&partition) {
                        owned.reached_end(self.lag.is_caught_up());
                    }
                }
                Arrival::Nothing => break,
            }
        }
        if !self.batch.is_empty() {
            self.read_at = Instant::now();
        }
        Ok(())
    }

    /// The worker is back at its inbox after a wait. Where it is late, the next record of any partition has
    /// waited too.
    fn returned(&mut self, wait: Duration, found_nothing: bool, now: Instant) {
        if self.lag.returned(wait, found_nothing, now) {
            self.partitions.values_mut().for_each(OwnedPartition::may_have_waited);
        }
    }

    /// Makes one transaction of the records that were read and the timers that are due, if there are any.
    fn transact(&mut self) -> Result<(), SessionError> {
        let engine = self.session.engine;
        let inputs = ApplyInputs {
            rules: engine.rules,
            clock: engine.clock,
            timers_max: engine.settings.timers_max,
            activity: self.activity,
        };
        let AppliedBatch { pending, stopped } = partition::apply_all(&self.partitions, &self.batch, &inputs)?;
        for (partition, stop) in stopped {
            self.stop_partition(partition, stop)?;
        }
        let end = if pending.is_empty() { End::Committed } else { self.commit(&pending)? };
        if end == End::Aborted {
            return self.pause();
        }
        self.aborted = 0;
        report::latency(self.batch.by_partition(), engine.clock.now_ms());
        for (partition, pending) in pending {
            self.settle(partition, pending)?;
        }
        let partitions = &self.partitions;
        self.batch
            .remove_committed(|partition| partitions.get(&partition).map(|owned| owned.meta.src_next()));
        Ok(())
    }

    /// Commits everything that has an effect. An outcome that can't be known or repaired here ends the
    /// session, and then everything is restored.
    fn commit(&mut self, pending: &BTreeMap<i32, Pending>) -> Result<End, SessionError> {
        let mut commits = Vec::new();
        for (partition, Pending { applied, .. }) in pending {
            let Some(owned) = self.partitions.get(partition) else { continue };
            if applied.has_effect(&owned.meta) {
                let OwnedPartition { store, meta: before, epoch, .. } = owned;
                commits.push(PartitionCommit {
                    partition: *partition,
                    epoch: *epoch,
                    before,
                    applied,
                    store,
                });
            }
        }
        if commits.is_empty() {
            return Ok(End::Committed);
        }
        let (engine, session) = (self.session.engine, self.session);
        let started = Instant::now();
        let activity = self.activity;
        let context = CommitContext {
            member: session.member,
            application: engine.application,
            gate: &session.gate,
            fences: engine.fences,
            drill: engine.drill,
            on_act: &|act| activity.begins(Task::Commit(act)),
            keep_trying: &|| !(session.is_over)() && !engine.fences.is_exceeded(),
        };
        let start = State::start(self.producer.is_doubtful());
        let mut commit = Commit::new(context, &mut self.producer, &commits);
        let end = protocol::run(start, &mut commit);
        report::transaction(end, started.elapsed());
        if engine.fences.is_exceeded() {
            return Err(SessionError::Contested { instance: engine.instance.name().to_owned() });
        }
        if let Some(failure) = commit.failure.take() {
            return Err(failure.into());
        }
        match end {
            End::Committed | End::Aborted if commit.elsewhere.is_empty() => {
                if end == End::Committed {
                    (session.on_commit)();
                }
                Ok(end)
            }
            _ => Err(SessionError::Unresolved { end }),
        }
    }

    /// After an abort: the records stay in the batch, and half of them are tried again. Partitions that were
    /// revoked meanwhile are dropped by a command.
    fn pause(&mut self) -> Result<(), SessionError> {
        self.aborted += 1;
        self.batch.halve();
        if self.aborted > self.session.engine.settings.restarts_max {
            return Err(SessionError::Fruitless { times: self.aborted });
        }
        let pause = PAUSE_MAX.min(PAUSE_MIN * 2u32.saturating_pow(self.aborted));
        if let Some(held_back) = telemetry::seldom("transaction", "aborted") {
            warn!(
                aborted = self.aborted,
                ?pause,
                held_back,
                "transaction aborted, its records are tried again"
            );
        }
        self.activity.begins(Task::Pause);
        self.session.engine.stop.wait_timeout(pause);
        Ok(())
    }

    /// After the commit: notes where the partition stands now, or that it has to stop.
    fn settle(&mut self, partition: i32, pending: Pending) -> Result<(), SessionError> {
        let Pending { due, applied } = pending;
        let Some(owned) = self.partitions.get_mut(&partition) else { return Ok(()) };
        self.activity.begins(Task::Settle { partition });
        if applied.has_effect(&owned.meta) {
            report::counts(&applied.counts);
            if let Err(error) = owned.settle(&applied, &due) {
                return self.store_failed(partition, error);
            }
        }
        let Some((offset, reason)) = applied.stopped else { return Ok(()) };
        let why = format!("at offset {offset}: {reason}");
        self.stop_partition(partition, PartitionStop { cause: StopCause::UnknownSchema, why })
    }
}
