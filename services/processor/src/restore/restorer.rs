use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use kafka::Connection;
use kafka::transaction::Tail;
use lifecycle::Stop;
use tracing::warn;

use super::board::Board;
use super::error::Halt;
use super::judgement::{self, Refusal};
use super::queue::{Next, Queue, Wanted};
use super::{Attempt, Place, RestoreError, committed};
use crate::engine::clock::Clock;
use crate::metric;
use crate::state::memory::Shared;
use crate::state::meta::{Meta, Progress};
use crate::state::store::{PartitionStore, StoreError, sweep, wipe};
use crate::transaction::drill::{Drill, Point};

/// How often an idle reader is asked for what it has to tell.
const SERVE_EVERY: Duration = Duration::from_secs(5);
/// How often one restore may wipe its folder: for a reset met on the way, and for damage. More is no accident.
const WIPES_MAX: usize = 3;

/// A partition that is ready to be worked on.
pub(crate) struct Restored {
    pub(crate) store: PartitionStore,
    pub(crate) meta: Meta,
}

/// What one restore came to.
type Outcome = Result<Restored, RestoreError>;

/// Restores partitions, a few at a time, away from the polling thread.
pub(crate) struct Restorer {
    queue: Arc<Queue>,
    done: Receiver<(i32, Wanted, Outcome)>,
    ready: VecDeque<(i32, Wanted, Outcome)>,
    wanted: BTreeMap<i32, Wanted>,
    board: Board,
    threads: Vec<JoinHandle<()>>,
}

/// What each thread works with.
#[derive(Clone)]
struct Hand {
    queue: Arc<Queue>,
    outcomes: Sender<(i32, Wanted, Outcome)>,
    place: Arc<Place>,
    shared: Shared,
    board: Board,
    clock: Clock,
    drill: Drill,
    stop: Stop,
}

impl Restorer {
    /// Starts as many threads as `place` says, each with a reader of its own that asks for `group`'s positions.
    ///
    /// # Errors
    /// Where a client refuses its settings.
    pub(crate) fn start(
        connection: &Connection,
        group: &str,
        place: Place,
        shared: &Shared,
        (clock, drill, stop): (Clock, Drill, Stop),
    ) -> Result<Self, kafka::Error> {
        let (outcomes, done) = channel();
        let (queue, board, count) = (Arc::new(Queue::default()), Board::default(), place.threads.max(1));
        let tails: Vec<Tail> = (0..count).map(|_| Tail::new(connection, group)).collect::<Result<_, _>>()?;
        let (place, shared) = (Arc::new(place), shared.clone());
        let hand = Hand {
            queue: Arc::clone(&queue),
            outcomes,
            place,
            shared,
            board: board.clone(),
            clock,
            drill,
            stop,
        };
        let threads = tails
            .into_iter()
            .map(|tail| {
                let hand = hand.clone();
                std::thread::spawn(move || hand.work(&tail))
            })
            .collect();
        Ok(Self { queue, done, ready: VecDeque::new(), wanted: BTreeMap::new(), board, threads })
    }

    /// Puts `partition` into the queue.
    pub(crate) fn begin(&mut self, partition: i32) {
        let wanted = Wanted::default();
        self.wanted.insert(partition, wanted.clone());
        self.queue.put(partition, wanted);
    }

    /// Forgets `partitions`, and lets go of those that are done.
    pub(crate) fn give_up(&mut self, partitions: &[i32]) {
        for wanted in partitions.iter().filter_map(|partition| self.wanted.remove(partition)) {
            wanted.give_up();
        }
        self.ready.extend(self.done.try_iter());
        self.ready.retain(|(_, wanted, _)| wanted.holds());
    }

    /// A partition that is done and still wanted.
    pub(crate) fn next_done(&mut self) -> Option<(i32, Outcome)> {
        self.ready.extend(self.done.try_iter());
        if let Some((partition, _, outcome)) = self.ready.pop_front() {
            self.wanted.remove(&partition);
            return Some((partition, outcome));
        }
        let died = self.threads.iter().any(JoinHandle::is_finished);
        let lost = if died { self.wanted.pop_first() } else { None };
        lost.map(|(partition, _)| (partition, Err(RestoreError::Died)))
    }

    /// How many partitions are still to come.
    pub(crate) fn pending(&self) -> usize {
        self.wanted.len()
    }

    /// Seconds until the restores that run now are done, where it can be told.
    pub(crate) fn eta_seconds(&self) -> Option<f64> {
        self.board.eta_seconds()
    }

    /// Partitions whose restore has not moved for a minute. To be asked now and then: it is what says so in the log.
    pub(crate) fn stalled(&self) -> Vec<i32> {
        self.board.stalled()
    }
}

impl Drop for Restorer {
    fn drop(&mut self) {
        self.wanted.values().for_each(Wanted::give_up);
        self.queue.close();
        for thread in self.threads.drain(..) {
            // A panic was already logged by the hook; there is nothing left to restore.
            let _ = thread.join();
        }
    }
}

impl Hand {
    fn work(&self, tail: &Tail) {
        loop {
            match self.queue.next(SERVE_EVERY) {
                Next::Job(partition, wanted) => {
                    self.deliver(tail, partition, &wanted);
                    self.queue.done(partition);
                }
                Next::Nothing => tail.serve(),
                Next::Closed => return,
            }
        }
    }

    fn deliver(&self, tail: &Tail, partition: i32, wanted: &Wanted) {
        let stopped = || !wanted.holds() || self.stop.requested();
        if stopped() {
            return;
        }
        self.board.begin(partition);
        let outcome = self.restore(tail, partition, &stopped);
        self.board.end(partition);
        let given_up = wanted.given_up();
        if !*given_up {
            // Nobody receives any more only where this restorer is being dropped.
            let _ = self.outcomes.send((partition, wanted.clone(), outcome));
        }
    }

    fn restore(&self, tail: &Tail, partition: i32, stopped: &dyn Fn() -> bool) -> Outcome {
        let place = &*self.place;
        std::fs::create_dir_all(&place.folder).map_err(|source| RestoreError::Folder { source })?;
        sweep(&place.folder, partition);
        let mut begins = None;
        let mut wipes = 0;
        loop {
            let (cause, from, error) = match self.attempt(tail, partition, begins, stopped) {
                Ok(restored) => return Ok(restored),
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
            wipe(&place.folder.join(partition.to_string()))
                .map_err(|source| RestoreError::Folder { source })?;
            self.drill.reached(Point::Wiped);
            begins = from;
        }
    }

    /// R1, R0, and the rest. A store that was made from topics that were made anew may be opened only where a reset has followed.
    fn attempt(
        &self,
        tail: &Tail,
        partition: i32,
        begins: Option<Progress>,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Restored, Halt> {
        let place = &*self.place;
        let committed = committed(tail, place, partition, stopped)?;
        let path = place.folder.join(partition.to_string());
        let store = match PartitionStore::open(&path, &place.identity(partition), &self.shared) {
            Err(StoreError::Recreated { log, meta, .. }) => {
                let is_of_use = meta.is_some_and(|meta| !judgement::is_superseded(&meta, committed.as_ref()));
                return Err(match is_of_use {
                    true => place.refused(partition, Refusal::Recreated(log)).into(),
                    false => Halt::Superseded { from: None },
                });
            }
            opened => opened?,
        };
        if let Some(begins) = begins {
            store.begin_restore(self.clock.now_ms())?;
            store.note_progress(&begins)?;
        }
        let (board, clock, drill) = (&self.board, &self.clock, &self.drill);
        let attempt = Attempt { tail, place, partition, store: &store, board, clock, drill, stopped };
        match attempt.run(committed) {
            Ok(meta) => Ok(Restored { store, meta }),
            // Nothing is refused that somebody else has only just written: an owner that was paused here, and has lost the partition
            // meanwhile, reads its successor's transactions behind the position that it asked for.
            Err(Halt::Failed(RestoreError::Refused { .. }))
                if super::committed(tail, place, partition, stopped)? != committed =>
            {
                drop(store);
                self.attempt(tail, partition, None, stopped)
            }
            Err(halt) => Err(halt),
        }
    }
}
