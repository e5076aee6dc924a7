//! The control thread: keeps the membership alive, hands partitions to workers, and takes them back.

mod spread;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use kafka::transaction::{Rebalanced, WakeHandle};
use tracing::{error, info};

use self::stoppage::{PartitionStop, Stoppages};
use super::watch::activity::Task;
use super::worker::{Session, WorkerCommand, WorkerReport};
use super::{SessionError, report};
use crate::drill::Point;
use crate::restore::Restorer;

pub(super) mod stoppage;

/// How long a poll waits, and so how late a restored partition can start.
const POLL_WAIT: Duration = Duration::from_millis(20);
/// How often readiness is reported while nothing happens.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// A worker, as the control thread sees it.
pub(super) struct WorkerHandle {
    pub(super) commands: Sender<WorkerCommand>,
    pub(super) bell: WakeHandle,
}

pub(super) struct Control<'a> {
    session: &'a Session<'a>,
    workers: Vec<WorkerHandle>,
    reports: Receiver<WorkerReport>,
    restorer: Restorer,
    /// Which worker has which partition.
    placed: BTreeMap<i32, usize>,
    /// Partitions that have stopped, and when they are tried again.
    stoppages: Stoppages,
    /// Whether the group has answered. It may have given us no partition.
    joined: bool,
    reported_at: Instant,
}

impl<'a> Control<'a> {
    pub(super) fn new(
        session: &'a Session<'a>,
        workers: Vec<WorkerHandle>,
        reports: Receiver<WorkerReport>,
        restorer: Restorer,
    ) -> Self {
        Self {
            session,
            workers,
            reports,
            restorer,
            placed: BTreeMap::new(),
            stoppages: Stoppages::new(session.engine.settings.retry_pause_max),
            joined: false,
            reported_at: Instant::now(),
        }
    }

    /// Runs until the process is to stop, or until something fails.
    pub(super) fn run(mut self) -> Result<(), SessionError> {
        let outcome = self.work();
        // What is dropped from here on may wait for a broker or a disk.
        self.begins(Task::End);
        outcome
    }

    fn work(&mut self) -> Result<(), SessionError> {
        self.report_readiness();
        while !self.session.engine.stop.requested() {
            self.begins(Task::Poll);
            for event in self.session.member.poll(POLL_WAIT)? {
                self.rebalance(event)?;
            }
            self.begins(Task::HandOut);
            self.start_restored()?;
            self.even_out()?;
            self.handle_reports()?;
            self.retry_stopped();
            if self.reported_at.elapsed() >= REPORT_EVERY {
                self.report_readiness();
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
        self.report_readiness();
        Ok(())
    }

    /// Closes the gate for `partitions`, and waits until their workers have let go of them. Until then no
    /// other member may have them.
    fn take_back(&mut self, partitions: &[i32]) -> Result<(), SessionError> {
        self.begins(Task::TakeBack);
        self.session.gate.give_up(partitions);
        self.restorer.give_up(partitions);
        let placed = partitions.iter().filter_map(|partition| self.placed.remove(partition));
        let mut workers: Vec<usize> = placed.collect();
        workers.sort_unstable();
        workers.dedup();
        let (done, all_done) = channel();
        for worker in &workers {
            let drop = WorkerCommand::Drop { partitions: partitions.to_vec(), done: done.clone() };
            self.command(*worker, drop);
        }
        drop(done);
        for _ in &workers {
            // A worker that has ended does not answer, and holds nothing. The watchdog knows how long the
            // others may take.
            let _ = all_done.recv();
        }
        // Handle old reports now. What a worker reported about these partitions says nothing about their next
        // owner.
        self.handle_reports()?;
        self.stoppages.forget(partitions);
        Ok(())
    }

    /// R7: hands partitions to workers once they are restored. A partition that can't be restored stops
    /// alone.
    fn start_restored(&mut self) -> Result<(), SessionError> {
        while let Some((partition, restored)) = self.restorer.next_done() {
            self.session.engine.drill.reached(Point::Restored);
            match restored {
                Ok(restored) => {
                    let worker = spread::least_busy(&self.placed, self.workers.len());
                    let epoch = self.session.gate.take(partition);
                    self.placed.insert(partition, worker);
                    self.stoppages.runs(partition, Instant::now());
                    self.command(worker, WorkerCommand::Start { partition, epoch, restored });
                }
                Err(error) => match PartitionStop::of_restore(&error) {
                    Some(stop) => self.stop_partition(partition, stop),
                    None => return Err(error.into()),
                },
            }
            self.report_readiness();
        }
        Ok(())
    }

    /// Moves one partition to another worker, where workers have uneven numbers of them. The partition goes
    /// through a restore, which finds its disk up to date.
    fn even_out(&mut self) -> Result<(), SessionError> {
        if self.restorer.pending() > 0 {
            return Ok(());
        }
        let Some(partition) = spread::to_move(&self.placed, self.workers.len()) else { return Ok(()) };
        info!(partition, "partition moves to another worker");
        self.take_back(&[partition])?;
        self.restorer.begin(partition);
        Ok(())
    }

    fn command(&self, worker: usize, command: WorkerCommand) {
        let worker = &self.workers[worker];
        // The send fails only where the worker has ended, and then its report says so.
        let _ = worker.commands.send(command);
        worker.bell.wake();
    }

    fn handle_reports(&mut self) -> Result<(), SessionError> {
        while let Ok(report) = self.reports.try_recv() {
            match report {
                WorkerReport::Stopped { partition, stop } => {
                    self.placed.remove(&partition);
                    self.stop_partition(partition, stop);
                    self.report_readiness();
                }
                WorkerReport::Ended(outcome) => return outcome,
            }
        }
        Ok(())
    }

    /// Stops `partition` alone, until it is tried again.
    fn stop_partition(&mut self, partition: i32, stop: PartitionStop) {
        let cause = stop.cause.label();
        let why = stop.why.clone();
        let pause = self.stoppages.stop(partition, stop, Instant::now());
        error!(partition, cause, why, ?pause, "partition stopped, and is tried again after a pause");
    }

    /// Restores stopped partitions again whose pause is over.
    fn retry_stopped(&mut self) {
        let now = Instant::now();
        for partition in self.stoppages.due(now) {
            info!(partition, "stopped partition is tried again");
            self.restorer.begin(partition);
        }
        for partition in self.stoppages.forget_mended(now) {
            info!(partition, "stopped partition runs again");
        }
    }

    fn report_readiness(&mut self) {
        self.reported_at = Instant::now();
        report::partitions(self.placed.len());
        report::stopped_partitions(|cause| self.stoppages.count(cause));
        let causes = self.not_ready_causes();
        match causes.is_empty() {
            true => self.session.engine.vital.ready(),
            false => self.session.engine.vital.not_ready(causes.join("; ")),
        }
    }

    fn not_ready_causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        if !self.joined {
            causes.push("joining the consumer group".to_owned());
        }
        causes.extend(self.stoppages.causes());
        let pending = self.restorer.pending();
        if pending > 0 {
            let eta = self.restorer.eta_seconds().map_or(String::new(), |eta| format!(", {eta:.0} s to go"));
            causes.push(format!("{pending} partitions are being restored{eta}"));
        }
        // Asked each time, because the question also logs each stalled restore once and sets the gauge.
        let stalled = self.restorer.stalled();
        if !stalled.is_empty() {
            causes.push(format!("the restore of partitions {stalled:?} does not move"));
        }
        causes.extend(self.session.engine.brokers.cause());
        causes.extend(self.session.watch.stuck());
        causes
    }
}
