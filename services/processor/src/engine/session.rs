use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kafka::Incoming;
use kafka::transaction::{Member, Polled, Rebalanced, Transactional};
use schemas::topic::Topic;
use tracing::{error, info, warn};

use super::{Engine, SessionError, report};
use crate::domain::window::Day;
use crate::metric;
use crate::restore::{Restored, Restorer};
use crate::state::meta::{Meta, Progress};
use crate::state::store::PartitionStore;
use crate::transaction::commit::{self, Share};
use crate::transaction::step::{self, Step};

/// How long a poll waits where nothing is to be done.
const IDLE_WAIT: Duration = Duration::from_millis(100);

/// One membership in the group, from joining it until something fails or the process is to stop.
///
/// The fields are dropped in their order: the producer and the member end before the disks are closed.
pub(super) struct Session<'a> {
    engine: &'a Engine<'a>,
    producer: Transactional,
    member: Member,
    restorer: Restorer,
    running: BTreeMap<i32, Running>,
    /// Partitions that can't go on, and why.
    stopped: BTreeMap<i32, String>,
    looked_at: Instant,
}

/// A partition that is worked on.
struct Running {
    store: PartitionStore,
    meta: Meta,
    /// Ends of the changelogs, read when everything committed was on disk. They may be noted only after a later commit of this
    /// partition: it proves that the records below them are ours. A member that had lost the partition without knowing would
    /// otherwise note its successor's, and miss them when it comes back.
    seen: Option<Progress>,
    /// The day for which old ids were last forgotten.
    expired: Option<Day>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        engine: &'a Engine<'a>,
        producer: Transactional,
        member: Member,
        restorer: Restorer,
    ) -> Self {
        let (running, stopped) = (BTreeMap::new(), BTreeMap::new());
        Self { engine, producer, member, restorer, running, stopped, looked_at: Instant::now() }
    }

    /// Gathers records for one transaction and commits it. Answers whether there was one.
    pub(super) fn turn(&mut self) -> Result<bool, SessionError> {
        let batch = self.gather()?;
        self.start_restored()?;
        let committed = !batch.is_empty() && self.transact(batch)?;
        self.keep_up()?;
        Ok(committed)
    }

    /// Reads records for one transaction. A rebalance ends the reading: records of partitions that went are left out.
    fn gather(&mut self) -> Result<Vec<Incoming>, SessionError> {
        let settings = self.engine.settings;
        let bytes_max = usize::try_from(settings.batch_bytes).unwrap_or(usize::MAX);
        let (mut batch, mut bytes) = (Vec::new(), 0);
        let mut deadline = None;
        while batch.len() < settings.batch_records && bytes < bytes_max && !self.engine.stop.requested() {
            let wait = deadline
                .map_or(IDLE_WAIT, |deadline: Instant| deadline.saturating_duration_since(Instant::now()));
            if wait.is_zero() {
                break;
            }
            match self.member.poll(wait)? {
                Polled::Record(record) => {
                    bytes += record.bytes();
                    batch.push(record);
                    deadline.get_or_insert_with(|| Instant::now() + settings.commit_interval);
                }
                Polled::Rebalanced(events) => {
                    events.into_iter().for_each(|event| self.rebalance(event));
                    break;
                }
                Polled::Nothing if deadline.is_none() => break,
                Polled::Nothing => {}
            }
        }
        batch.retain(|record: &Incoming| self.running.contains_key(&record.partition));
        Ok(batch)
    }

    fn rebalance(&mut self, event: Rebalanced) {
        match event {
            Rebalanced::Assigned(partitions) => {
                partitions.into_iter().for_each(|partition| self.restorer.begin(partition));
            }
            Rebalanced::Revoked(partitions, how) => {
                info!(?partitions, ?how, "partitions gone");
                self.restorer.give_up(&partitions);
                self.running.retain(|partition, _| !partitions.contains(partition));
                self.stopped.retain(|partition, _| !partitions.contains(partition));
            }
        }
        self.tell_readiness();
    }

    /// R7: lets the partitions come whose restore is done.
    fn start_restored(&mut self) -> Result<(), SessionError> {
        while let Some((partition, restored)) = self.restorer.next_done() {
            let Restored { store, meta } = restored?;
            self.member.start(partition, meta.src_next())?;
            info!(partition, seq = meta.seq, next = %meta.src_next(), "partition starts");
            self.running.insert(partition, Running { store, meta, seen: None, expired: None });
            self.tell_readiness();
        }
        Ok(())
    }

    /// Answers whether a transaction was committed.
    fn transact(&mut self, batch: Vec<Incoming>) -> Result<bool, SessionError> {
        let mut by_partition: BTreeMap<i32, Vec<Incoming>> = BTreeMap::new();
        for record in batch {
            by_partition.entry(record.partition).or_default().push(record);
        }
        let mut steps: BTreeMap<i32, Step> = BTreeMap::new();
        for (partition, records) in &by_partition {
            if let Some(Running { store, meta, .. }) = self.running.get(partition) {
                steps.insert(*partition, step::step(self.engine.rules, *partition, store, meta, records)?);
            }
        }
        let committed = self.commit(&steps)?;
        if committed {
            report::latency(&by_partition);
        }
        for (partition, step) in steps {
            self.settle(partition, step)?;
        }
        Ok(committed)
    }

    /// Commits the steps that got anywhere; answers whether there were any.
    fn commit(&mut self, steps: &BTreeMap<i32, Step>) -> Result<bool, SessionError> {
        if self.producer.was_disturbed() {
            info!("connection was disturbed: taking a new producer");
            self.producer = self.engine.producer()?;
        }
        let shares: Vec<Share<'_>> = steps
            .iter()
            .filter_map(|(partition, step)| {
                let Running { store, meta, .. } = self.running.get(partition)?;
                step.advanced(meta.src_next()).then_some(Share { partition: *partition, step, store })
            })
            .collect();
        if shares.is_empty() {
            return Ok(false);
        }
        let started = Instant::now();
        let outcome =
            commit::commit(&self.producer, &self.member, self.engine.topics, &shares, self.engine.drill);
        let result = if outcome.is_ok() { "committed" } else { "failed" };
        metrics::counter!(metric::TRANSACTIONS, "result" => result).increment(1);
        metrics::histogram!(metric::COMMIT_SECONDS).record(started.elapsed().as_secs_f64());
        outcome?;
        Ok(true)
    }

    /// After the commit: where the partition stands now, or that it has to stop.
    fn settle(&mut self, partition: i32, step: Step) -> Result<(), SessionError> {
        let Some(running) = self.running.get_mut(&partition) else { return Ok(()) };
        if step.advanced(running.meta.src_next()) {
            running.meta = *step.overlay.meta();
            report::counts(&step.counts);
            if let Some(progress) = running.seen.take() {
                running.store.note_progress(&progress)?;
            }
        }
        if let Some((offset, reason)) = step.stopped {
            error!(partition, %offset, error = %reason, "partition stopped");
            self.member.pause(partition)?;
            self.running.remove(&partition);
            self.stopped
                .insert(partition, format!("partition {partition} stopped at offset {offset}: {reason}"));
            self.tell_readiness();
        }
        Ok(())
    }

    /// Now and then, between transactions: looks how far the changelogs are on disk, and forgets what is too old.
    fn keep_up(&mut self) -> Result<(), SessionError> {
        let engine = self.engine;
        if self.looked_at.elapsed() < engine.settings.checkpoint_interval {
            return Ok(());
        }
        self.looked_at = Instant::now();
        let stalled = self.restorer.stalled();
        if !stalled.is_empty() {
            self.engine.vital.not_ready(format!("the restore of partitions {stalled:?} is stalled"));
        }
        let mut is_reachable = true;
        for (partition, running) in &mut self.running {
            let end = |topic| self.member.stable_end(engine.topics.name(topic), *partition);
            if is_reachable {
                match end(Topic::State).and_then(|state| Ok(Progress::new(state, end(Topic::Dedupe)?))) {
                    Ok(progress) => running.seen = Some(progress),
                    Err(error) => {
                        is_reachable = false;
                        warn!(%error, "ends of the changelogs not read");
                    }
                }
            }
            let today = running.meta.day();
            if running.expired != Some(today) {
                running.expired = running.store.expire(engine.rules.window, today)?.then_some(today);
            }
            report::ids(*partition, &running.store);
        }
        Ok(())
    }

    fn tell_readiness(&self) {
        report::partitions(self.running.len());
        let pending = self.restorer.pending();
        let eta = self.restorer.eta_seconds().map_or(String::new(), |eta| format!(", {eta:.0} s to go"));
        let restoring = (pending > 0).then(|| format!("{pending} partitions are being restored{eta}"));
        let causes: Vec<String> = self.stopped.values().cloned().chain(restoring).collect();
        match causes.is_empty() {
            true => self.engine.vital.ready(),
            false => self.engine.vital.not_ready(causes.join("; ")),
        }
    }
}
