//! The engine: a control thread and its workers, for as long as one membership in the group lasts.
//!
//! ```text
//!  control ── polls the group ──▶ came: restore, then hand to a worker │ go: close the gate, take back, release
//!  worker  ── inbox ──▶ step ──▶ commit (transaction/protocol.rs) ──▶ disk          one producer and some partitions each
//!  watch   ── looks at all of them, from before they begin until after they have ended, and ends the process where one hangs
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Instant;

use kafka::Connection;
use kafka::consumer::Group;
use kafka::transaction::{Member, TransactionLimits};
use lifecycle::{Stop, Vital};
use schemas::topic::{Topic, Topics};
use thiserror::Error;

use crate::instance::Instance;
use crate::restore::{Place, RestoreError, Restorer};
use crate::settings::Settings;
use crate::state::memory::Shared;
use crate::state::store::StoreError;
use crate::transaction::assignment::Assignment;
use crate::transaction::drill::Drill;
use crate::transaction::producer::{Contest, Producer};
use crate::transaction::protocol::End;
use crate::transaction::step::{Rules, StepError};

mod batch;
mod beat;
pub(crate) mod clock;
mod control;
mod partition;
mod pulse;
mod report;
mod watch;
mod worker;

use beat::Beat;
use clock::Clock;
use control::{Control, Hand};
use pulse::{Pulse, Task};
use watch::Watch;
use worker::{News, Session, Worker};

/// What a session works with.
pub(crate) struct Engine<'a> {
    /// Settings.
    pub settings: &'a Settings,
    /// The cluster.
    pub connection: &'a Connection,
    /// Topic names.
    pub topics: &'a Topics,
    /// The consumer group, prefix included.
    pub group: String,
    /// This process's place.
    pub instance: &'a Instance,
    /// What holds for every partition.
    pub rules: &'a Rules,
    /// The broker's time.
    pub clock: &'a Clock,
    /// Who else claims our place.
    pub contest: &'a Contest,
    /// Where partitions are restored, and from what.
    pub place: &'a Place,
    /// A crash drill, or none.
    pub drill: &'a Drill,
    /// The end.
    pub stop: &'a Stop,
    /// This engine's health.
    pub vital: &'a Vital,
}

/// A session ended before it was asked to.
#[derive(Debug, Error)]
pub enum SessionError {
    /// Kafka failed.
    #[error(transparent)]
    Kafka(#[from] kafka::Error),
    /// What became of a transaction could not be settled without a restore.
    #[error("a transaction ended {end:?}: its partitions are restored")]
    Unresolved {
        /// How it ended.
        end: End,
    },
    /// Nothing gets committed.
    #[error(
        "{times} transactions in a row were aborted: look at what the brokers refuse, in the warnings before this"
    )]
    Fruitless {
        /// How many.
        times: u32,
    },
    /// Somebody else has our place.
    #[error(
        "fenced again and again: another process runs as instance {instance}; give each its own AFTERSEND_PROCESSOR_INSTANCE"
    )]
    Contested {
        /// Our name.
        instance: String,
    },
    /// A worker panicked.
    #[error("a worker died")]
    Died,
    /// A partition could not be restored.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// A step could not be made.
    #[error(transparent)]
    Step(#[from] StepError),
    /// The disk failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SessionError {
    /// Whether starting over can't help.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Restore(error) => error.is_lasting(),
            Self::Kafka(kafka::Error::Unauthorized { .. } | kafka::Error::Settings(_)) => true,
            Self::Contested { .. } => true,
            Self::Store(StoreError::Foreign { .. }) | Self::Step(StepError::Value(_)) => true,
            _ => false,
        }
    }
}

impl Engine<'_> {
    /// Runs until stopped, or until something fails. `committed` hears of every transaction that is committed.
    ///
    /// # Errors
    /// See [`SessionError`]. Nothing is left open that the next session would not end.
    pub(crate) fn session(&self, shared: &Shared, committed: &(dyn Fn() + Sync)) -> Result<(), SessionError> {
        let watch = Watch::new(self.workers(), self.vital, &watch::give_up);
        watch.during(watch::LOOK_EVERY, || self.hold(&watch, shared, committed))
    }

    /// Holds a membership in the group, from joining to leaving.
    fn hold(
        &self,
        watch: &Watch<'_>,
        shared: &Shared,
        committed: &(dyn Fn() + Sync),
    ) -> Result<(), SessionError> {
        watch.control().begins(Task::Join);
        let restorer = self.restorer(shared)?;
        let prefetch = self.settings.budget.prefetch_bytes / self.workers() as u64;
        let member = Member::join(self.connection, &self.group(), self.topics.name(Topic::Raw), prefetch)?;
        let failed = AtomicBool::new(false);
        let over = || failed.load(Ordering::Relaxed) || self.stop.requested();
        let assignment = Assignment::default();
        let session = Session { engine: self, member: &member, assignment, watch, over: &over, committed };
        let (workers, start) = (self.workers(), Instant::now());
        std::thread::scope(|scope| {
            let (news, heard) = channel();
            let hands = watch.workers().iter().enumerate().map(|(number, pulse)| {
                let (orders, ordered) = channel();
                let (inbox, producer) = (member.inbox(), self.producer(number));
                let (bell, beat) =
                    (inbox.bell(), Beat::of(number, workers, start, self.settings.commit_interval));
                let worker = Worker::new(&session, (pulse, beat), (ordered, news.clone()), (inbox, producer));
                let (news, name) = (news.clone(), format!("worker-{number}"));
                let run = move || news.send(News::Ended(run_worker(worker, pulse)));
                let spawned = std::thread::Builder::new().name(name).spawn_scoped(scope, run);
                spawned.expect("the system has room for a thread");
                Hand { orders, bell }
            });
            let hands: Vec<Hand> = hands.collect();
            let bells: Vec<_> = hands.iter().map(|hand| hand.bell.clone()).collect();
            let outcome = Control::new(&session, hands, heard, restorer).run();
            failed.store(true, Ordering::Relaxed);
            bells.iter().for_each(kafka::transaction::Bell::ring);
            outcome
        })
    }

    /// A worker without a partition would hold a producer for nothing, and take the others' share of the queue: with more of them
    /// than partitions, a share could come to hold less than the largest record, which would wait for room without end.
    fn workers(&self) -> usize {
        self.settings.workers.min(self.rules.partitions as usize)
    }

    /// What a worker reads for one transaction at most, in bytes.
    fn batch_bytes(&self) -> usize {
        usize::try_from(self.settings.budget.batch_bytes).unwrap_or(usize::MAX) / self.workers()
    }

    fn group(&self) -> Group {
        Group {
            id: self.group.clone(),
            instance: Some(format!("{}-{}", self.group, self.instance.name())),
            session_timeout: self.settings.session_timeout,
        }
    }

    fn restorer(&self, shared: &Shared) -> Result<Restorer, kafka::Error> {
        let means = (self.clock.clone(), self.drill.clone(), self.stop.clone());
        Restorer::start(self.connection, &self.group, self.place.clone(), shared, means)
    }

    /// The transactional id outlives the process, so that a restart ends what the last one left open.
    fn producer(&self, worker: usize) -> Producer {
        let id = format!("{}-{}-{worker}", self.group, self.instance.name());
        let queue_bytes = self.settings.budget.producer_queue_bytes / self.workers() as u64;
        let limits = TransactionLimits::within(self.settings.session_timeout, queue_bytes);
        Producer::new(self.connection, id, limits)
    }
}

/// A worker's panic ends the session, not the process.
fn run_worker(worker: Worker<'_>, pulse: &Pulse) -> Result<(), SessionError> {
    let run = std::panic::AssertUnwindSafe(|| worker.run());
    let outcome = std::panic::catch_unwind(run).unwrap_or(Err(SessionError::Died));
    pulse.begins(Task::Nothing);
    outcome
}

impl std::fmt::Debug for Engine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("group", &self.group).finish_non_exhaustive()
    }
}
