//! The control thread: keeps the membership alive, hands partitions to workers and takes them back, and watches.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use kafka::transaction::{Bell, Rebalanced};
use tracing::{error, info};

use super::watch::{Condition, Pulse};
use super::worker::{News, Order, Session};
use super::{SessionError, report};
use crate::metric;
use crate::restore::Restorer;
use crate::transaction::drill::Point;

/// How long a poll waits, and so how late a restored partition starts.
const POLL_WAIT: Duration = Duration::from_millis(20);
/// How long workers have to let go of a partition: longer than any act of the protocol takes.
const LET_GO_MAX: Duration = Duration::from_mins(2);
/// How often workers are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A worker, as the control thread sees it.
pub(super) struct Hand<'a> {
    pub(super) orders: Sender<Order>,
    pub(super) bell: Bell,
    pub(super) pulse: &'a Pulse,
}

pub(super) struct Control<'a> {
    session: &'a Session<'a>,
    hands: Vec<Hand<'a>>,
    news: Receiver<News>,
    restorer: Restorer,
    /// Which worker has which partition.
    placed: BTreeMap<i32, usize>,
    /// Partitions that can't go on, and why.
    stopped: BTreeMap<i32, String>,
    /// Whether the group has answered: it may have given us nothing.
    joined: bool,
    looked_at: Instant,
}

impl<'a> Control<'a> {
    pub(super) fn new(
        session: &'a Session<'a>,
        hands: Vec<Hand<'a>>,
        news: Receiver<News>,
        restorer: Restorer,
    ) -> Self {
        let (placed, stopped, joined) = Default::default();
        Self { session, hands, news, restorer, placed, stopped, joined, looked_at: Instant::now() }
    }

    /// Runs until the process is to stop, or something fails.
    pub(super) fn run(mut self) -> Result<(), SessionError> {
        self.tell_readiness();
        while !self.session.engine.stop.requested() {
            for event in self.session.member.poll(POLL_WAIT)? {
                self.rebalance(event)?;
            }
            self.start_restored()?;
            self.hear()?;
            self.look();
            self.session.engine.vital.progress();
        }
        self.session.engine.drill.reached(Point::Stopping);
        Ok(())
    }

    fn rebalance(&mut self, event: Rebalanced) -> Result<(), SessionError> {
        match event {
            Rebalanced::Assigned(partitions) => {
                info!(?partitions, "partitions came");
                self.joined = true;
                partitions.into_iter().for_each(|partition| self.restorer.begin(partition));
            }
            Rebalanced::Revoked(partitions, how) => {
                info!(?partitions, ?how, "partitions go");
                self.take_back(&partitions);
                self.session.engine.drill.reached(Point::Revoked);
                self.session.member.release(&partitions)?;
            }
        }
        self.tell_readiness();
        Ok(())
    }

    /// Closes the gate for `partitions`, and waits until their workers have let go: until then nobody else may have them.
    fn take_back(&mut self, partitions: &[i32]) {
        self.session.assignment.give_up(partitions);
        self.restorer.give_up(partitions);
        self.stopped.retain(|partition, _| !partitions.contains(partition));
        let gone = partitions.iter().filter_map(|partition| self.placed.remove(partition));
        let mut workers: Vec<usize> = gone.collect();
        workers.sort_unstable();
        workers.dedup();
        let (done, all_done) = channel();
        for worker in &workers {
            let order = Order::Drop { partitions: partitions.to_vec(), done: done.clone() };
            self.order(*worker, order);
        }
        drop(done);
        for _ in &workers {
            match all_done.recv_timeout(LET_GO_MAX) {
                // A worker that has ended holds nothing.
                Ok(()) | Err(RecvTimeoutError::Disconnected) => {}
                Err(RecvTimeoutError::Timeout) => give_up("a worker does not let go of its partitions"),
            }
        }
    }

    /// R7: hands partitions over whose restore is done.
    fn start_restored(&mut self) -> Result<(), SessionError> {
        while let Some((partition, restored)) = self.restorer.next_done() {
            self.session.engine.drill.reached(Point::Restored);
            let worker = self.least_busy();
            let epoch = self.session.assignment.take(partition);
            self.placed.insert(partition, worker);
            self.order(worker, Order::Start { partition, epoch, restored: restored? });
            self.tell_readiness();
        }
        Ok(())
    }

    fn least_busy(&self) -> usize {
        let load = |worker: &usize| self.placed.values().filter(|placed| *placed == worker).count();
        (0..self.hands.len()).min_by_key(load).unwrap_or_default()
    }

    fn order(&self, worker: usize, order: Order) {
        let hand = &self.hands[worker];
        // A worker that has ended says so in its news.
        let _ = hand.orders.send(order);
        hand.bell.ring();
    }

    fn hear(&mut self) -> Result<(), SessionError> {
        while let Ok(news) = self.news.try_recv() {
            match news {
                News::Stopped { partition, why } => {
                    self.placed.remove(&partition);
                    self.stopped.insert(partition, why);
                    self.tell_readiness();
                }
                News::Ended(outcome) => return outcome,
            }
        }
        Ok(())
    }

    /// Looks for workers that are stuck. One that is past all its timeouts can't be helped from inside this process.
    fn look(&mut self) {
        if self.looked_at.elapsed() < LOOK_EVERY {
            return;
        }
        self.looked_at = Instant::now();
        let conditions: Vec<Condition> = self.hands.iter().map(|hand| hand.pulse.condition()).collect();
        let stuck = conditions.iter().filter(|condition| **condition != Condition::Well).count();
        report::stuck_workers(stuck);
        if let Some(Condition::Hopeless(act)) =
            conditions.iter().find(|condition| matches!(condition, Condition::Hopeless(_)))
        {
            give_up(&format!("a worker does not come back from {act:?}"));
        }
        self.tell_readiness();
    }

    fn tell_readiness(&self) {
        report::partitions(self.placed.len());
        let joining = (!self.joined).then(|| "joining the consumer group".to_owned());
        let pending = self.restorer.pending();
        let eta = self.restorer.eta_seconds().map_or(String::new(), |eta| format!(", {eta:.0} s to go"));
        let restoring = (pending > 0).then(|| format!("{pending} partitions are being restored{eta}"));
        let stalled = self.restorer.stalled();
        let stalled =
            (!stalled.is_empty()).then(|| format!("the restore of partitions {stalled:?} does not move"));
        let stuck = self.hands.iter().enumerate().filter_map(|(worker, hand)| match hand.pulse.condition() {
            Condition::Stuck(act) => Some(format!("worker {worker} is stuck at {act:?}")),
            _ => None,
        });
        let causes: Vec<String> = joining
            .into_iter()
            .chain(self.stopped.values().cloned())
            .chain(restoring)
            .chain(stalled)
            .chain(stuck)
            .collect();
        match causes.is_empty() {
            true => self.session.engine.vital.ready(),
            false => self.session.engine.vital.not_ready(causes.join("; ")),
        }
    }
}

/// Ends the process at once. A thread that hangs in a call can't be ended, and while it lives it could still commit for a
/// partition that is somebody else's by then; and its supervisor starts a process that can.
fn give_up(why: &str) -> ! {
    error!(why, "processor gives up");
    metrics::counter!(metric::HOPELESS).increment(1);
    std::process::exit(1)
}
