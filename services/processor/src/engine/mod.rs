//! The engine: one control thread and its workers, for as long as one membership in the consumer group lasts.
//!
//! ```text
//!  control  ── polls the group ──▶ assigned: restore, then hand to a worker
//!                              ──▶ revoked: close the gate, take back, release
//!  worker   ── inbox ──▶ apply ──▶ commit ──▶ disk      each with its own producer and some partitions
//!  watchdog ── watches the others, and ends the process where a thread hangs
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;
use std::time::Instant;

use kafka::Connection;
use kafka::consumer::Group;
use kafka::transaction::{Member, TransactionLimits, WakeHandle};
use lifecycle::{Stop, Vital};
use schemas::topic::Topic;
use thiserror::Error;

use crate::application::Application;
use crate::apply::{ApplyError, Rules};
use crate::clock::Clock;
use crate::commit::gate::Gate;
use crate::commit::producer::{FenceCounter, Producer};
use crate::commit::protocol::End;
use crate::drill::Drill;
use crate::instance::Instance;
use crate::restore::{RestoreContext, RestoreError, RestoreServices, Restorer};
use crate::settings::Settings;
use crate::state::memory::StoreMemory;
use crate::state::store::StoreError;

mod batch;
mod control;
mod lag;
mod partition;
mod report;
mod reused;
mod schedule;
mod watch;
mod worker;

use control::{Control, WorkerHandle};
use schedule::CommitSchedule;
use watch::Watch;
use watch::activity::{Activity, Task};
pub(crate) use watch::brokers::Brokers;
use worker::{Session, Worker, WorkerParts, WorkerReport};

/// What a session works with.
pub(crate) struct Engine<'a> {
    /// Settings.
    pub settings: &'a Settings,
    /// The cluster.
    pub connection: &'a Connection,
    /// Whose work this is: the group, the topics, and every id.
    pub application: &'a Application,
    /// This process's name and state folder.
    pub instance: &'a Instance,
    /// What holds for every partition.
    pub rules: &'a Rules,
    /// The brokers' time.
    pub clock: &'a Clock,
    /// Whether any broker answers.
    pub brokers: &'a Brokers,
    /// How often another process has fenced us.
    pub fences: &'a FenceCounter,
    /// Where partitions are restored, and from which topics.
    pub restore: &'a RestoreContext,
    /// The crash drill, if there is one.
    pub drill: &'a Drill,
    /// Says when to stop.
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
    /// Another process runs under our instance name.
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
    /// A partition could not be restored, for a fault of the process.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// Records could not be applied, for a fault of the process.
    #[error(transparent)]
    Apply(#[from] ApplyError),
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
            Self::Store(StoreError::Foreign { .. }) => true,
            _ => false,
        }
    }
}

impl Engine<'_> {
    /// Runs until stopped, or until something fails. `on_commit` is called after every committed transaction.
    ///
    /// # Errors
    /// See [`SessionError`]. Whatever is left open, the next session ends.
    pub(crate) fn session(
        &self,
        memory: &StoreMemory,
        on_commit: &(dyn Fn() + Sync),
    ) -> Result<(), SessionError> {
        let brokers_answer = || self.brokers.answer();
        let watch = Watch::new(self.workers(), self.vital, &watch::give_up, &brokers_answer);
        watch.during(watch::LOOK_EVERY, || self.be_member(&watch, memory, on_commit))
    }

    /// One membership in the group, from joining to leaving.
    fn be_member(
        &self,
        watch: &Watch<'_>,
        memory: &StoreMemory,
        on_commit: &(dyn Fn() + Sync),
    ) -> Result<(), SessionError> {
        watch.control().begins(Task::Join);
        let restorer = self.restorer(memory)?;
        let prefetch = self.settings.budget.prefetch_bytes / self.workers() as u64;
        let member = Member::join(
            self.connection,
            &self.group(),
            self.application.topics().name(Topic::Raw),
            prefetch,
        )?;
        let failed = AtomicBool::new(false);
        let is_over = || failed.load(Ordering::Relaxed) || self.stop.requested();
        let session = Session {
            engine: self,
            member: &member,
            gate: Gate::default(),
            watch,
            is_over: &is_over,
            on_commit,
        };
        let outcome = std::thread::scope(|scope| {
            let (reports, reported) = channel();
            let workers = self.start_workers(scope, &session, &reports);
            let bells: Vec<WakeHandle> = workers.iter().map(|worker| worker.bell.clone()).collect();
            let outcome = Control::new(&session, workers, reported, restorer).run();
            failed.store(true, Ordering::Relaxed);
            bells.iter().for_each(WakeHandle::wake);
            outcome
        });
        if self.settings.leave_on_stop && self.stop.requested() {
            member.leave();
        }
        outcome
    }

    fn start_workers<'scope, 'env>(
        &self,
        scope: &'scope Scope<'scope, 'env>,
        session: &'scope Session<'scope>,
        reports: &Sender<WorkerReport>,
    ) -> Vec<WorkerHandle> {
        let start = Instant::now();
        let mut handles = Vec::new();
        for (number, activity) in session.watch.workers().iter().enumerate() {
            let (commands, received): (_, Receiver<_>) = channel();
            let inbox = session.member.partition_queue();
            let bell = inbox.wake_handle();
            let interval = self.settings.commit_interval;
            let worker = Worker::new(WorkerParts {
                session,
                activity,
                schedule: CommitSchedule::for_worker(number, self.workers(), start, interval),
                commands: received,
                reports: reports.clone(),
                inbox,
                producer: self.producer(number),
            });
            let reports = reports.clone();
            let run = move || reports.send(WorkerReport::Ended(run_worker(worker, activity)));
            let thread = std::thread::Builder::new().name(format!("worker-{number}"));
            thread.spawn_scoped(scope, run).expect("the system has room for a thread");
            handles.push(WorkerHandle { commands, bell });
        }
        handles
    }

    /// Never more workers than partitions. A worker without a partition would hold a producer for nothing,
    /// and a share of the queue. With too many workers that share could be smaller than the largest record,
    /// which would wait for room forever.
    fn workers(&self) -> usize {
        self.settings.workers.min(self.rules.partitions as usize)
    }

    /// What a worker reads for one transaction at most, in bytes.
    fn batch_bytes(&self) -> usize {
        usize::try_from(self.settings.budget.batch_bytes).unwrap_or(usize::MAX) / self.workers()
    }

    fn group(&self) -> Group {
        Group {
            id: self.application.group().to_owned(),
            instance: Some(self.application.member_id(self.instance.name())),
            session_timeout: self.settings.session_timeout,
        }
    }

    fn restorer(&self, memory: &StoreMemory) -> Result<Restorer, kafka::Error> {
        let services = RestoreServices {
            memory: memory.clone(),
            clock: self.clock.clone(),
            drill: self.drill.clone(),
            stop: self.stop.clone(),
        };
        Restorer::start(self.connection, self.application.group(), self.restore.clone(), services)
    }

    /// The transactional id outlives the process, so that a restart ends what its predecessor left open.
    fn producer(&self, worker: usize) -> Producer {
        let id = self.application.transactional_id(self.instance.name(), &worker);
        let queue_bytes = self.settings.budget.producer_queue_bytes / self.workers() as u64;
        let limits = TransactionLimits::within(self.settings.session_timeout, queue_bytes);
        Producer::new(self.connection, id, limits)
    }
}

/// A worker's panic ends the session, not the process.
fn run_worker(worker: Worker<'_>, activity: &Activity) -> Result<(), SessionError> {
    let run = std::panic::AssertUnwindSafe(|| worker.run());
    let outcome = std::panic::catch_unwind(run).unwrap_or(Err(SessionError::Died));
    activity.begins(Task::Nothing);
    outcome
}

impl std::fmt::Debug for Engine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("group", &self.application.group()).finish_non_exhaustive()
    }
}
