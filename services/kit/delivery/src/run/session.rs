//! One session in the group: the side of the loop that polls.

use std::cell::Cell;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{panic, thread};

use kafka::consumer::LogId;
use kafka::{Consumer, consumer};
use tracing::warn;

use super::delivery::Delivery;
use super::ends::EndsAsker;
use super::lag::{Lag, LagWatch, Verdict};
use super::start::Starts;
use super::{Context, Error, Settings};
use crate::Readiness;
use crate::intake::Partition;
use crate::intake::position::to_metadata;
use crate::metric;
use crate::sink::Sink;

/// How often the polling thread looks up while a delivery takes its time.
pub(super) const LOOK_UP: Duration = Duration::from_millis(100);

/// A poll in between, long enough to serve a rebalance.
const KEEP_ALIVE: Duration = Duration::from_millis(10);

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The stop was requested.
    Stopping,
    /// Its fetch has stopped without an error: a new session is due.
    Stalled,
    /// A log is no longer the one that was read, or lacks what is to be read next: a new session finds out
    /// where each partition starts.
    Displaced,
}

/// A consumer and what watches it.
pub(super) struct Session<'a> {
    pub(super) consumer: Consumer,
    batch: consumer::BatchLimits,
    pub(super) context: &'a Context,
    readiness: &'a Readiness<'a>,
    ends: EndsAsker,
    /// What is asked for where nothing is owned.
    probe: Vec<Partition>,
    watch: LagWatch,
    /// Partitions whose lag was set.
    lagging: Vec<Partition>,
    /// When the watch was told last how much time has passed.
    passed_until: Cell<Instant>,
    /// Whether a log was replaced by another one of the same name.
    displaced: bool,
    pub(super) starts: Starts,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        consumer: Consumer,
        settings: &Settings,
        context: &'a Context,
        readiness: &'a Readiness<'a>,
        ends: EndsAsker,
        starts: Starts,
    ) -> Self {
        Self {
            consumer,
            batch: settings.batch,
            context,
            readiness,
            ends,
            probe: settings.topics.iter().map(|topic| (topic.as_str().into(), 0)).collect(),
            watch: LagWatch::new(settings.lag),
            lagging: Vec::new(),
            passed_until: Cell::new(Instant::now()),
            displaced: false,
            starts,
        }
    }

    /// Batch after batch, until the stop is requested or the fetch has stopped.
    pub(super) fn run<S: Sink>(mut self, delivery: &mut Delivery<'_, S>) -> Result<End, Error<S::Error>> {
        let mut end = End::Stopping;
        while !self.context.stop.requested() {
            self.round(delivery)?;
            if let Verdict::Renew(cause) = self.watch.verdict() {
                warn!(cause, "fetch stopped without an error: the session is renewed");
                end = End::Stalled;
                break;
            }
            if self.displaced || self.consumer.took_loss() {
                warn!("a log has changed: the session is renewed, and each position is checked");
                end = End::Displaced;
                break;
            }
            self.readiness.report();
        }
        self.set_lags(&[]);
        self.consumer.close();
        Ok(end)
    }

    /// One batch, or the finding that there is none.
    fn round<S: Sink>(&mut self, delivery: &mut Delivery<'_, S>) -> Result<(), Error<S::Error>> {
        let began = Instant::now();
        let records = self.consumer.poll_batch(&self.batch)?;
        self.watch_lag(began.elapsed());
        if !records.is_empty() {
            self.beside(S::NAME, || delivery.process(records))?.map_err(Error::Target)?;
        }
        if delivery.is_maintenance_due() {
            self.beside(S::NAME, || delivery.maintain())?.map_err(Error::Target)?;
        }
        self.commit(S::METRICS.commit_failures)?;
        // After the batch: what was read of a partition in an earlier assignment must not be taken for the
        // new one's.
        self.start_awaited(delivery)
    }

    /// Notices whether records wait that don't come.
    fn watch_lag(&mut self, polled: Duration) {
        let owned = self.context.intake.owned();
        self.watch.passed(self.passed_until.replace(Instant::now()).elapsed());
        self.watch.polled(polled, &owned, self.consumer.progress());
        // A member that owns nothing asks all the same: it must not count as ready where no broker answers.
        let asked = if owned.is_empty() { &self.probe } else { &owned };
        if let Some(heard) = self.ends.round(asked) {
            self.displaced |=
                heard.logs.iter().any(|(partition, log)| self.has_changed(partition, log.as_ref()));
            self.watch.heard(heard.ends);
            let lags = self.watch.lags();
            self.set_lags(&lags);
        }
        match self.watch.verdict() {
            Verdict::Flowing => drop(self.readiness.reading().works()),
            Verdict::Stalled(cause) | Verdict::Renew(cause) => self.readiness.reading().fails(cause),
        }
    }

    /// Whether the partition was started in another log than the brokers have now.
    fn has_changed(&self, partition: &Partition, now: Option<&LogId>) -> bool {
        let started = self.context.intake.log(partition);
        now.is_some_and(|now| started != LogId::default() && *now != started)
    }

    /// The lag of a partition that went is 0 here, or a sum over all members would count it twice.
    fn set_lags(&mut self, lags: &[Lag]) {
        for partition in std::mem::take(&mut self.lagging) {
            if !lags.iter().any(|lag| lag.partition == partition) {
                metric::set_lag(&partition, 0);
            }
        }
        for Lag { partition, records } in lags {
            metric::set_lag(partition, *records);
            self.lagging.push(partition.clone());
        }
    }

    /// Commits what is done. A failure is left to the next round: until then the records would only be read
    /// again.
    fn commit(&self, failures: &'static str) -> Result<(), kafka::Error> {
        let offsets = self.context.intake.committable();
        if offsets.is_empty() {
            return Ok(());
        }
        match self.consumer.commit(&offsets, |partition| to_metadata(&self.context.intake.log(partition))) {
            Ok(()) => self.context.intake.committed(&offsets),
            Err(error) => {
                metrics::counter!(failures).increment(1);
                pass(error, "offsets not committed, trying again after the next batch")?;
            }
        }
        Ok(())
    }

    /// Does `work` on a thread named `name`, and keeps the membership in the group meanwhile.
    pub(super) fn beside<T: Send, E: std::error::Error>(
        &self,
        name: &str,
        work: impl FnOnce() -> T + Send,
    ) -> Result<T, Error<E>> {
        thread::scope(|scope| {
            let (working, ended) = mpsc::channel::<()>();
            let worker = thread::Builder::new().name(name.to_owned());
            let worker = worker.spawn_scoped(scope, move || {
                // Dropped when the work ends, however it ends: that is the signal.
                let _working = working;
                work()
            });
            let worker = worker.map_err(Error::Thread)?;
            while let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(LOOK_UP) {
                self.readiness.report_new_cause();
                if let Err(error) = self.consumer.keep_alive(KEEP_ALIVE) {
                    // The scope waits for the work, which may wait for its target without end, but not past a
                    // stop.
                    self.context.stop.request("kafka can't be used");
                    return Err(error.into());
                }
            }
            // Nothing was asked meanwhile, so that nothing could be heard.
            self.passed_until.set(Instant::now());
            worker.join().map_or_else(|panic| panic::resume_unwind(panic), Ok)
        })
    }
}

/// Lets what time mends pass, with a warning.
pub(super) fn pass(error: kafka::Error, what: &'static str) -> Result<(), kafka::Error> {
    match error {
        fatal @ (kafka::Error::Unauthorized { .. } | kafka::Error::Fatal { .. }) => Err(fatal),
        passing => {
            warn!(error = %passing, "{what}");
            Ok(())
        }
    }
}
