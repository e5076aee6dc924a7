use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use kafka::transaction::Tail;
use lifecycle::Stop;

use super::{Origin, RestoreError, restore};
use crate::domain::window::Window;
use crate::state::identity::Identity;
use crate::state::memory::Shared;
use crate::state::meta::Meta;
use crate::state::store::PartitionStore;

/// How often an idle reader is asked for what it has to tell.
const SERVE_EVERY: Duration = Duration::from_secs(5);

/// Where the partitions of one topology lie.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    pub(crate) cluster: Option<String>,
    pub(crate) partitions: u32,
    pub(crate) window: Window,
    pub(crate) input: String,
    pub(crate) state: String,
    pub(crate) dedupe: String,
}

/// A partition that is ready to be worked on.
pub(crate) struct Restored {
    pub(crate) store: PartitionStore,
    pub(crate) meta: Meta,
}

/// What one restore came to.
type Outcome = Result<Restored, RestoreError>;

/// Whether a restore is still wanted. The lock is held while its outcome is handed over, so that the outcome of one that is
/// not wanted any more is dropped, and its folder free, before the next restore of the same partition begins.
#[derive(Clone, Default)]
struct Wanted {
    given_up: Arc<Mutex<bool>>,
}

impl Wanted {
    fn given_up(&self) -> MutexGuard<'_, bool> {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_up(&self) {
        *self.given_up() = true;
    }

    fn holds(&self) -> bool {
        !*self.given_up()
    }
}

/// Restores partitions one after the other, away from the polling thread.
pub(crate) struct Restorer {
    jobs: Option<Sender<(i32, Wanted)>>,
    done: Receiver<(i32, Wanted, Outcome)>,
    ready: VecDeque<(i32, Wanted, Outcome)>,
    wanted: BTreeMap<i32, Wanted>,
    thread: Option<JoinHandle<()>>,
}

impl Restorer {
    pub(crate) fn start(tail: Tail, place: Place, shared: Arc<Shared>, stop: Stop) -> Self {
        let (jobs, queue) = channel();
        let (outcomes, done) = channel();
        let thread = std::thread::spawn(move || {
            while let Some((partition, wanted)) = next_job(&queue, &tail) {
                let stopped = || !wanted.holds() || stop.requested();
                if stopped() {
                    continue;
                }
                let outcome = restore_one(&tail, &place, &shared, partition, &stopped);
                let given_up = wanted.given_up();
                if !*given_up {
                    // Nobody receives any more only where this restorer is being dropped.
                    let _ = outcomes.send((partition, wanted.clone(), outcome));
                }
            }
        });
        Self { jobs: Some(jobs), done, ready: VecDeque::new(), wanted: BTreeMap::new(), thread: Some(thread) }
    }

    /// Puts `partition` into the queue.
    pub(crate) fn begin(&mut self, partition: i32) {
        let wanted = Wanted::default();
        self.wanted.insert(partition, wanted.clone());
        if let Some(jobs) = &self.jobs {
            // The thread ends only with this restorer, or by a panic that `next_done` reports.
            let _ = jobs.send((partition, wanted));
        }
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
        let died = self.thread.as_ref().is_some_and(JoinHandle::is_finished);
        let lost = if died { self.wanted.pop_first() } else { None };
        lost.map(|(partition, _)| (partition, Err(RestoreError::Died)))
    }

    /// How many partitions are still to come.
    pub(crate) fn pending(&self) -> usize {
        self.wanted.len()
    }
}

impl Drop for Restorer {
    fn drop(&mut self) {
        self.wanted.values().for_each(Wanted::give_up);
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A panic was already logged by the hook; there is nothing left to restore.
            let _ = thread.join();
        }
    }
}

/// Waits for the next job; `None` where no more will come.
fn next_job(queue: &Receiver<(i32, Wanted)>, tail: &Tail) -> Option<(i32, Wanted)> {
    loop {
        match queue.recv_timeout(SERVE_EVERY) {
            Ok(job) => return Some(job),
            Err(RecvTimeoutError::Timeout) => tail.serve(),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

fn restore_one(
    tail: &Tail,
    place: &Place,
    shared: &Shared,
    partition: i32,
    stopped: &dyn Fn() -> bool,
) -> Outcome {
    let (cluster, topic) = (place.cluster.clone(), place.input.clone());
    let identity = Identity { cluster, topic, partition, partitions: place.partitions };
    let folder = place.folder.join(partition.to_string());
    std::fs::create_dir_all(&place.folder).map_err(|source| RestoreError::Folder { source })?;
    let store = PartitionStore::open(&folder, &identity, shared)?;
    let origin = Origin { input: &place.input, state: &place.state, dedupe: &place.dedupe, partition };
    let meta = restore(tail, &origin, &store, place.window, stopped)?;
    Ok(Restored { store, meta })
}
