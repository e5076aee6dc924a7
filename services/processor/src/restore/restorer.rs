//! Restores partitions on threads of its own, so that the polling thread never waits for a restore.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use kafka::Connection;
use kafka::transaction::Tail;
use lifecycle::Stop;
use tracing::warn;

use super::error::Halt;
use super::plan;
use super::progress::RestoreProgress;
use super::queue::{Job, Next, RestoreQueue, Stage, Wanted};
use super::{Refusal, RestoreAttempt, RestoreContext, RestoreError, read_committed};
use crate::clock::Clock;
use crate::drill::{Drill, Point};
use crate::metric;
use crate::state::memory::StoreMemory;
use crate::state::meta::{ChangelogPositions, Meta};
use crate::state::store::{PartitionStore, StoreError, sweep, wipe};

/// How often an idle Kafka client is polled, so that it can report errors.
const SERVE_EVERY: Duration = Duration::from_secs(5);
/// How often one restore may wipe its folder: for a reset met on the way, and for damage. More often is not
/// an accident.
const WIPES_MAX: usize = 3;

/// A partition that is ready to be worked on.
pub(crate) struct Restored {
    pub(crate) store: PartitionStore,
    pub(crate) meta: Meta,
}

/// The result of one restore.
type Outcome = Result<Restored, RestoreError>;

/// What an attempt came to.
enum Attempted {
    Restored(Restored),
    /// The disk is not up to date. Others are opened first.
    Postponed {
        records: u64,
    },
}

/// A restore that has ended.
struct Done {
    partition: i32,
    wanted: Wanted,
    outcome: Outcome,
}

/// What restores share with the rest of the process.
#[derive(Clone)]
pub(crate) struct RestoreServices {
    pub(crate) memory: StoreMemory,
    pub(crate) clock: Clock,
    pub(crate) drill: Drill,
    pub(crate) stop: Stop,
}

/// Restores partitions, a few at a time.
pub(crate) struct Restorer {
    queue: Arc<RestoreQueue>,
    context: Arc<RestoreContext>,
    done: Receiver<Done>,
    ready: VecDeque<Done>,
    wanted: BTreeMap<i32, Wanted>,
    progress: RestoreProgress,
    threads: Vec<JoinHandle<()>>,
}

/// What each restoring thread works with.
#[derive(Clone)]
struct RestoreWorker {
    queue: Arc<RestoreQueue>,
    done: Sender<Done>,
    context: Arc<RestoreContext>,
    progress: RestoreProgress,
    services: RestoreServices,
}

impl Restorer {
    /// Starts as many threads as `context` says. Each has a reader of its own, which reads the offsets of
    /// `group`.
    ///
    /// # Errors
    /// Where a client refuses its settings.
    pub(crate) fn start(
        connection: &Connection,
        group: &str,
        context: RestoreContext,
        services: RestoreServices,
    ) -> Result<Self, kafka::Error> {
        let (sender, done) = channel();
        let count = context.layout.threads.max(1);
        let tails: Vec<Tail> = (0..count).map(|_| Tail::new(connection, group)).collect::<Result<_, _>>()?;
        let worker = RestoreWorker {
            queue: Arc::default(),
            done: sender,
            context: Arc::new(context),
            progress: RestoreProgress::default(),
            services,
        };
        let (queue, context) = (Arc::clone(&worker.queue), Arc::clone(&worker.context));
        let progress = worker.progress.clone();
        let spawn = |tail| {
            let worker = worker.clone();
            std::thread::spawn(move || worker.work(&tail))
        };
        let threads = tails.into_iter().map(spawn).collect();
        let (ready, wanted) = (VecDeque::new(), BTreeMap::new());
        Ok(Self { queue, context, done, ready, wanted, progress, threads })
    }

    /// Puts `partition` into the queue.
    pub(crate) fn begin(&mut self, partition: i32) {
        let wanted = Wanted::default();
        self.wanted.insert(partition, wanted.clone());
        let has_disk = self.context.store_path(partition).exists();
        let stage = if has_disk { Stage::Open } else { Stage::Replay { records: u64::MAX } };
        self.queue.put(Job { partition, wanted, stage });
    }

    /// Forgets `partitions`, and closes the stores of those that are restored.
    pub(crate) fn give_up(&mut self, partitions: &[i32]) {
        for wanted in partitions.iter().filter_map(|partition| self.wanted.remove(partition)) {
            wanted.give_up();
        }
        self.ready.extend(self.done.try_iter());
        self.ready.retain(|done| done.wanted.holds());
    }

    /// A partition whose restore has ended, and which is still wanted.
    pub(crate) fn next_done(&mut self) -> Option<(i32, Outcome)> {
        self.ready.extend(self.done.try_iter());
        if let Some(Done { partition, outcome, .. }) = self.ready.pop_front() {
            self.wanted.remove(&partition);
            return Some((partition, outcome));
        }
        let died = self.threads.iter().any(JoinHandle::is_finished);
        let lost = if died { self.wanted.pop_first() } else { None };
        lost.map(|(partition, _)| (partition, Err(RestoreError::Died)))
    }

    /// How many partitions are still to be restored.
    pub(crate) fn pending(&self) -> usize {
        self.wanted.len()
    }

    /// Seconds until the running restores are done; `None` while that is unknown.
    pub(crate) fn eta_seconds(&self) -> Option<f64> {
        self.progress.eta_seconds()
    }

    /// Partitions whose restore has not moved for a minute. Call it now and then: it also logs each such
    /// partition once.
    pub(crate) fn stalled(&self) -> Vec<i32> {
        self.progress.stalled()
    }
}

impl Drop for Restorer {
    fn drop(&mut self) {
        self.wanted.values().for_each(Wanted::give_up);
        self.queue.close();
        for thread in self.threads.drain(..) {
            // A panic was already logged by the panic hook, and nothing is left to restore.
            let _ = thread.join();
        }
    }
}

impl RestoreWorker {
    fn work(&self, tail: &Tail) {
        loop {
            match self.queue.next(SERVE_EVERY) {
                Next::Job(job) => {
                    self.deliver(tail, &job);
                    self.queue.done(job.partition);
                }
                Next::Nothing => tail.serve(),
                Next::Closed => return,
            }
        }
    }

    fn deliver(&self, tail: &Tail, job: &Job) {
        let Job { partition, wanted, stage } = job;
        let partition = *partition;
        let stopped = || !wanted.holds() || self.services.stop.requested();
        if stopped() {
            return;
        }
        self.progress.begin(partition);
        // A panic is that partition's fault. This thread has other partitions to restore.
        let restore = AssertUnwindSafe(|| self.restore(tail, partition, *stage, &stopped));
        let outcome = catch_unwind(restore).unwrap_or(Err(RestoreError::Died));
        self.progress.end(partition);
        let outcome = match outcome {
            Ok(Attempted::Restored(restored)) => Ok(restored),
            Ok(Attempted::Postponed { records }) => {
                self.queue.put(Job { stage: Stage::Replay { records }, ..job.clone() });
                return;
            }
            Err(error) => Err(error),
        };
        let given_up = wanted.given_up();
        if !*given_up {
            // The send fails only where this restorer is being dropped.
            let _ = self.done.send(Done { partition, wanted: wanted.clone(), outcome });
        }
    }

    fn restore(
        &self,
        tail: &Tail,
        partition: i32,
        stage: Stage,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Attempted, RestoreError> {
        let folder = &self.context.layout.folder;
        std::fs::create_dir_all(folder).map_err(|source| RestoreError::Folder { source })?;
        sweep(folder, partition);
        let mut begins = None;
        let mut wipes = 0;
        loop {
            // After a wipe, there is nothing on disk that could be ready.
            let may_replay = stage != Stage::Open || wipes > 0;
            let (cause, from, error) = match self.attempt(tail, partition, begins, may_replay, stopped) {
                Ok(restored) => return Ok(Attempted::Restored(restored)),
                Err(Halt::Postponed { records }) => return Ok(Attempted::Postponed { records }),
                Err(Halt::Superseded { from }) => ("reset", from, None),
                Err(Halt::Failed(RestoreError::Store(error))) if error.is_corruption() => {
                    ("damaged", None, Some(RestoreError::Store(error)))
                }
                Err(Halt::Failed(error)) => return Err(error),
            };
            wipes += 1;
            if wipes > WIPES_MAX {
                return Err(error.unwrap_or(RestoreError::Died));
            }
            let why = error.as_ref().map(ToString::to_string);
            warn!(partition, cause, why, "state store is wiped, and restored from the changelogs");
            metrics::counter!(metric::STORES_WIPED, "cause" => cause).increment(1);
            wipe(&self.context.store_path(partition)).map_err(|source| RestoreError::Folder { source })?;
            self.services.drill.reached(Point::Wiped);
            begins = from;
        }
    }

    /// R1, R0, and the rest. A store whose topics were deleted and created again may be used only where a
    /// reset has followed.
    fn attempt(
        &self,
        tail: &Tail,
        partition: i32,
        begins: Option<ChangelogPositions>,
        may_replay: bool,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Restored, Halt> {
        let Self { context, progress, .. } = self;
        let RestoreServices { memory, clock, drill, .. } = &self.services;
        let committed = read_committed(tail, context, partition, stopped)?;
        let origin = context.origin_now(tail)?;
        let path = context.store_path(partition);
        let store = match PartitionStore::open(&path, &context.identity(partition, origin), memory) {
            Err(StoreError::Recreated { log, meta, .. }) => {
                let is_of_use = meta.is_some_and(|meta| !plan::is_superseded(&meta, committed.as_ref()));
                return Err(match is_of_use {
                    true => context.refused(partition, Refusal::Recreated(log)).into(),
                    false => Halt::Superseded { from: None },
                });
            }
            opened => opened?,
        };
        if let Some(begins) = begins {
            store.begin_restore(clock.now_ms())?;
            store.note_progress(&begins)?;
        }
        let attempt = RestoreAttempt {
            tail,
            context,
            partition,
            store: &store,
            progress,
            clock,
            drill,
            may_replay,
            stopped,
        };
        match attempt.run(committed) {
            Ok(meta) => Ok(Restored { store, meta }),
            // Do not refuse while the committed offset is still moving. An owner that was paused here and
            // lost the partition sees its successor's newer transactions. Read the offset again, and restart
            // the restore.
            Err(Halt::Failed(RestoreError::Refused { .. })) if attempt.read_committed()? != committed => {
                drop(store);
                self.attempt(tail, partition, None, may_replay, stopped)
            }
            Err(halt) => Err(halt),
        }
    }
}
