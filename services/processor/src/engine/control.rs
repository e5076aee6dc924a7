//! The control thread: keeps the membership alive, hands partitions to workers and takes them back.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use kafka::transaction::{Bell, Rebalanced};
use tracing::info;

use super::pulse::Task;
use super::worker::{News, Order, Session};
use super::{SessionError, report};
use crate::restore::Restorer;
use crate::transaction::drill::Point;

/// How long a poll waits, and so how late a restored partition starts.
const POLL_WAIT: Duration = Duration::from_millis(20);
/// How often readiness is told, where nothing happens.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// A worker, as the control thread sees it.
pub(super) struct Hand {
    pub(super) orders: Sender<Order>,
    pub(super) bell: Bell,
}

pub(super) struct Control<'a> {
    session: &'a Session<'a>,
    hands: Vec<Hand>,
    news: Receiver<News>,
    restorer: Restorer,
    /// Which worker has which partition.
    placed: BTreeMap<i32, usize>,
    /// Partitions that can't go on, and why.
    stopped: BTreeMap<i32, String>,
    /// Whether the group has answered: it may have given us nothing.
    joined: bool,
    told_at: Instant,
}

impl<'a> Control<'a> {
    pub(super) fn new(
        session: &'a Session<'a>,
        hands: Vec<Hand>,
        news: Receiver<News>,
        restorer: Restorer,
    ) -> Self {
        let (placed, stopped, joined) = Default::default();
        Self { session, hands, news, restorer, placed, stopped, joined, told_at: Instant::now() }
    }

    /// Runs until the process is to stop, or something fails.
    pub(super) fn run(mut self) -> Result<(), SessionError> {
        let outcome = self.work();
        // What is dropped from here on may wait for a broker or a disk.
        self.begins(Task::End);
        outcome
    }

    fn work(&mut self) -> Result<(), SessionError> {
        self.tell_readiness();
        while !self.session.engine.stop.requested() {
            self.begins(Task::Poll);
            for event in self.session.member.poll(POLL_WAIT)? {
                self.rebalance(event)?;
            }
            self.begins(Task::Tend);
            self.start_restored()?;
            self.hear()?;
            if self.told_at.elapsed() >= TELL_EVERY {
                self.tell_readiness();
            }
            self.session.engine.vital.progress();
        }
        self.session.engine.drill.reached(Point::Stopping);
        Ok(())
    }

    fn begins(&self, task: Task) {
        self.session.watch.control().begins(task);
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
                self.take_back(&partitions)?;
                self.begins(Task::Release);
                self.session.engine.drill.reached(Point::Revoked);
                self.session.member.release(&partitions)?;
            }
        }
        self.tell_readiness();
        Ok(())
    }

    /// Closes the gate for `partitions`, and waits until their workers have let go: until then nobody else may have them.
    fn take_back(&mut self, partitions: &[i32]) -> Result<(), SessionError> {
        self.begins(Task::TakeBack);
        self.session.assignment.give_up(partitions);
        self.restorer.give_up(partitions);
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
            // A worker that has ended says nothing, and holds nothing. How long the others may take, the watch knows.
            let _ = all_done.recv();
        }
        // What a worker had to say of them before it let go says nothing of whoever has them next.
        self.hear()?;
        self.stopped.retain(|partition, _| !partitions.contains(partition));
        Ok(())
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

    fn tell_readiness(&mut self) {
        self.told_at = Instant::now();
        report::partitions(self.placed.len());
        let joining = (!self.joined).then(|| "joining the consumer group".to_owned());
        let pending = self.restorer.pending();
        let eta = self.restorer.eta_seconds().map_or(String::new(), |eta| format!(", {eta:.0} s to go"));
        let restoring = (pending > 0).then(|| format!("{pending} partitions are being restored{eta}"));
        let stalled = self.restorer.stalled();
        let stalled =
            (!stalled.is_empty()).then(|| format!("the restore of partitions {stalled:?} does not move"));
        let causes: Vec<String> = joining
            .into_iter()
            .chain(self.stopped.values().cloned())
            .chain(restoring)
            .chain(stalled)
            .chain(self.session.watch.stuck())
            .collect();
        match causes.is_empty() {
            true => self.session.engine.vital.ready(),
            false => self.session.engine.vital.not_ready(causes.join("; ")),
        }
    }
}
