//! One worker: some partitions, a producer, a thread. Reads a batch, makes a step of each partition, commits, again.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::{Duration, Instant};

use kafka::transaction::{Arrival, Inbox, Member};
use schemas::topic::Topic;
use tracing::{error, info, warn};

use super::batch::Batch;
use super::beat::Beat;
use super::clock::Attention;
use super::partition::{self, Partition, Work};
use super::pulse::{Pulse, Task};
use super::watch::Watch;
use super::{Engine, SessionError, report};
use crate::restore::Restored;
use crate::state::meta::Progress;
use crate::transaction::assignment::{Assignment, Epoch};
use crate::transaction::commit::{Commit, Means, Share};
use crate::transaction::drill::Point;
use crate::transaction::producer::Producer;
use crate::transaction::protocol::{self, Act, End, State};

/// How long a wait for records lasts where none are there.
const IDLE_WAIT: Duration = Duration::from_millis(500);
/// Pauses after a transaction that was aborted, doubling.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// What the control thread wants of a worker.
pub(super) enum Order {
    /// Work on a partition.
    Start { partition: i32, epoch: Epoch, restored: Restored },
    /// Forget partitions: drop what was read of them, close their disks. `done` hears when that has happened.
    Drop { partitions: Vec<i32>, done: Sender<()> },
}

/// What a worker has to tell.
pub(super) enum News {
    /// A partition can't go on.
    Stopped { partition: i32, why: String },
    /// The worker has ended.
    Ended(Result<(), SessionError>),
}

/// What all workers of a session share.
pub(super) struct Session<'a> {
    pub(super) engine: &'a Engine<'a>,
    pub(super) member: &'a Member,
    pub(super) assignment: Assignment,
    pub(super) watch: &'a Watch<'a>,
    /// Whether the session is to end.
    pub(super) over: &'a (dyn Fn() -> bool + Sync),
    /// Hears of every transaction that is committed.
    pub(super) committed: &'a (dyn Fn() + Sync),
}

pub(super) struct Worker<'a> {
    session: &'a Session<'a>,
    pulse: &'a Pulse,
    beat: Beat,
    orders: Receiver<Order>,
    news: Sender<News>,
    inbox: Inbox,
    producer: Producer,
    running: BTreeMap<i32, Partition>,
    batch: Batch,
    /// When the last gathering ended that brought something.
    gathered: Instant,
    attention: Attention,
    /// Transactions aborted since the last one that was committed.
    aborted: u32,
    looked_at: Instant,
}

impl<'a> Worker<'a> {
    pub(super) fn new(
        session: &'a Session<'a>,
        (pulse, beat): (&'a Pulse, Beat),
        (orders, news): (Receiver<Order>, Sender<News>),
        (inbox, producer): (Inbox, Producer),
    ) -> Self {
        let (running, batch, aborted) = Default::default();
        Self {
            session,
            pulse,
            beat,
            orders,
            news,
            inbox,
            producer,
            running,
            batch,
            gathered: Instant::now(),
            attention: Attention::new(Instant::now()),
            aborted,
            looked_at: Instant::now(),
        }
    }

    /// Works until the session is over.
    pub(super) fn run(mut self) -> Result<(), SessionError> {
        let outcome = self.work();
        self.pulse.begins(Task::Close);
        outcome
    }

    fn work(&mut self) -> Result<(), SessionError> {
        // At once, though nothing is to be sent yet: what a killed predecessor left open is ended by this, and every restore that
        // waits for it would otherwise wait for the transaction's timeout. Without a broker, the first transaction tries again.
        self.pulse.begins(Task::Commit(Act::Renew));
        if let Err(error) = self.producer.renew() {
            warn!(error = &error as &dyn std::error::Error, "no producer yet");
        }
        while !(self.session.over)() {
            self.obey()?;
            self.gather()?;
            self.transact()?;
            self.keep_up()?;
        }
        Ok(())
    }

    fn obey(&mut self) -> Result<(), SessionError> {
        loop {
            self.pulse.begins(Task::Obey);
            match self.orders.try_recv() {
                Ok(Order::Start { partition, epoch, restored }) => {
                    self.pulse.begins(Task::Start { partition });
                    let started = Partition::new(partition, restored, epoch)?;
                    let next = started.meta.src_next();
                    info!(partition, seq = started.meta.seq, %next, "partition starts");
                    self.running.insert(partition, started);
                    self.session.engine.drill.reached(Point::Starting);
                    // Only now: a record that comes before its partition is known would be dropped.
                    self.session.member.start(partition, next, &self.inbox)?;
                }
                Ok(Order::Drop { partitions, done }) => {
                    for partition in &partitions {
                        self.pulse.begins(Task::Drop { partition: *partition });
                        self.running.remove(partition);
                    }
                    self.batch.forget(&partitions);
                    // Nobody waits any more only where the session has ended meanwhile.
                    let _ = done.send(());
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return Ok(()),
            }
        }
    }

    /// Reads records for one transaction: until the batch is full, the worker's beat comes, or the control thread wants something. The
    /// beat counts from the last gathering's end: what came while the last transaction was committed has waited already, and what
    /// comes after a pause needn't wait at all.
    fn gather(&mut self) -> Result<(), SessionError> {
        let (settings, clock) = (self.session.engine.settings, self.session.engine.clock);
        let bytes_max = self.session.engine.batch_bytes();
        let due = self.beat.after(self.gathered);
        self.pulse.begins(Task::Gather);
        let mut now = Instant::now();
        self.attend(Duration::ZERO, false, now);
        while self.batch.has_room(settings.batch_records, bytes_max) {
            let wait = if self.batch.is_empty() { IDLE_WAIT } else { due.saturating_duration_since(now) };
            let arrival = self.inbox.take(wait)?;
            now = Instant::now();
            self.attend(wait, matches!(arrival, Arrival::Nothing), now);
            match arrival {
                Arrival::Record(record) => {
                    let running = self.running.get_mut(&record.partition);
                    if running.is_some_and(|running| running.read(&record, clock)) {
                        self.batch.push(record);
                    }
                }
                Arrival::End { partition } => {
                    if let Some(running) = self.running.get_mut(&partition) {
                        running.reached_end(self.attention.is_close());
                    }
                }
                Arrival::Nothing => break,
            }
        }
        if !self.batch.is_empty() {
            self.gathered = Instant::now();
        }
        Ok(())
    }

    /// Back at the inbox after a wait. Where that is late, what is read next has waited too, of whichever partition.
    fn attend(&mut self, wait: Duration, found_nothing: bool, now: Instant) {
        if self.attention.back(wait, found_nothing, now) {
            self.running.values_mut().for_each(Partition::lapsed);
        }
    }

    /// Makes one transaction of what was read and what time has brought, if there is anything.
    fn transact(&mut self) -> Result<(), SessionError> {
        let engine = self.session.engine;
        let means = (engine.rules, engine.clock, engine.settings.timers_max);
        let works = partition::steps(&self.running, &self.batch, means, self.pulse)?;
        let end = if works.is_empty() { End::Committed } else { self.commit(&works)? };
        if end == End::Aborted {
            return self.pause();
        }
        self.aborted = 0;
        report::latency(self.batch.by_partition(), engine.clock.now_ms());
        works.into_iter().try_for_each(|(partition, work)| self.settle(partition, work))?;
        self.batch
            .worked_off(|partition| self.running.get(&partition).map(|running| running.meta.src_next()));
        Ok(())
    }

    /// Commits the steps that got anywhere. What can't be known or made good here ends the session: then everything is
    /// restored.
    fn commit(&mut self, works: &BTreeMap<i32, Work>) -> Result<End, SessionError> {
        let share = |(partition, work): (&i32, &'_ Work)| {
            let running = self.running.get(partition)?;
            work.step.has_effect(&running.meta).then_some((*partition, running))
        };
        let shares: Vec<Share<'_>> = works
            .iter()
            .filter_map(|entry| {
                let (partition, Partition { store, meta: before, epoch, .. }) = share(entry)?;
                Some(Share { partition, epoch: *epoch, before, step: &entry.1.step, store })
            })
            .collect();
        if shares.is_empty() {
            return Ok(End::Committed);
        }
        let (engine, started) = (self.session.engine, Instant::now());
        let watch = |act: Act| {
            self.pulse.begins(Task::Commit(act));
            !(self.session.over)() && !engine.contest.is_lost()
        };
        let means = Means {
            member: self.session.member,
            topics: engine.topics,
            assignment: &self.session.assignment,
            contest: engine.contest,
            drill: engine.drill,
            watch: &watch,
        };
        let start = State::start(self.producer.is_doubtful());
        let mut commit = Commit::new(means, &mut self.producer, &shares);
        let end = protocol::run(start, &mut commit);
        report::transaction(end, started.elapsed());
        let (failure, elsewhere) = (commit.failure.take(), std::mem::take(&mut commit.elsewhere));
        match (end, failure) {
            _ if engine.contest.is_lost() => {
                Err(SessionError::Contested { instance: engine.instance.name().to_owned() })
            }
            (_, Some(failure)) => Err(failure.into()),
            (End::Committed | End::Aborted, None) if elsewhere.is_empty() => {
                if end == End::Committed {
                    (self.session.committed)();
                }
                Ok(end)
            }
            _ => Err(SessionError::Unresolved { end }),
        }
    }

    /// After an abort: the records stay, and are tried again, at first the half of them; partitions that went meanwhile are dropped by
    /// order.
    fn pause(&mut self) -> Result<(), SessionError> {
        self.aborted += 1;
        self.batch.halve();
        if self.aborted > self.session.engine.settings.restarts_max {
            return Err(SessionError::Fruitless { times: self.aborted });
        }
        let pause = PAUSE_MAX.min(PAUSE_MIN * 2u32.saturating_pow(self.aborted));
        warn!(aborted = self.aborted, ?pause, "transaction aborted, its records are tried again");
        self.pulse.begins(Task::Pause);
        self.session.engine.stop.wait_timeout(pause);
        Ok(())
    }

    /// After the commit: where the partition stands now, or that it has to stop.
    fn settle(&mut self, partition: i32, work: Work) -> Result<(), SessionError> {
        let (Work { due, step }, Some(running)) = (work, self.running.get_mut(&partition)) else {
            return Ok(());
        };
        self.pulse.begins(Task::Settle { partition });
        if step.has_effect(&running.meta) {
            report::counts(&step.counts);
            running.settle(&step, &due)?;
        }
        if let Some((offset, reason)) = step.stopped {
            error!(partition, %offset, error = %reason, "partition stopped");
            self.session.member.pause(partition)?;
            self.running.remove(&partition);
            let why = format!("partition {partition} stopped at offset {offset}: {reason}");
            // The control thread has ended only where the session has.
            let _ = self.news.send(News::Stopped { partition, why });
        }
        Ok(())
    }

    /// Now and then, between transactions: looks how far the changelogs are on disk, and forgets what is too old.
    fn keep_up(&mut self) -> Result<(), SessionError> {
        let engine = self.session.engine;
        if self.looked_at.elapsed() < engine.settings.checkpoint_interval {
            return Ok(());
        }
        self.looked_at = Instant::now();
        self.pulse.begins(Task::KeepUp);
        match self.changelog_ends() {
            Ok(ends) => {
                self.running.values_mut().zip(ends).for_each(|(running, progress)| running.saw(progress));
            }
            Err(error) => warn!(%error, "ends of the changelogs not read"),
        }
        for (partition, running) in &mut self.running {
            self.pulse.begins(Task::Expire { partition: *partition });
            running.expire(engine.rules.window)?;
        }
        Ok(())
    }

    /// Where the changelogs of what is running end, in its order.
    fn changelog_ends(&self) -> Result<Vec<Progress>, kafka::Error> {
        let names = [Topic::State, Topic::Dedupe].map(|topic| self.session.engine.topics.name(topic));
        let of = |partition: &i32| names.map(|name| (name, *partition));
        let changelogs: Vec<(&str, i32)> = self.running.keys().flat_map(of).collect();
        let ends = self.session.member.stable_ends(&changelogs)?;
        Ok(ends.as_chunks().0.iter().map(|[state, dedupe]| Progress::new(*state, *dedupe)).collect())
    }
}
