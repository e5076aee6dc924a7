//! Brings a partition's disk to where its last committed transaction left it, before anything is read from
//! the input.
//!
//! | step | what happens |
//! |---|---|
//! | R1 | read the committed offset, once no transaction of the partition is undecided |
//! | R0 | open the disk, and check whose it is |
//! | R2 | read the changelogs' high watermarks, after R1 |
//! | R3 | plan the restore from what was found (`plan.rs`) |
//! | R4 | wait until everything below the watermarks is decided |
//! | R5 | replay the changelogs (`replay.rs`) |
//! | R6 | compare the changelogs with the committed offset |
//! | R7 | hand the partition to a worker (`engine/control.rs`) |
//!
//! Why a successor sees everything: the offsets of what its predecessor committed were accepted before R1 was
//! answered. The changelog records were in the log before the offsets were sent (T3 comes before T4). So they
//! lie below R2's watermark.
//!
//! Why a crash in the middle loses nothing (C12): customers, positions and the mark "restoring" go through
//! RocksDB's log, so what is read back is a prefix of what was written. Each position is in one batch with
//! the records that it stands for, or in a later batch. Many ids go in as whole files, which are on disk
//! before the position behind them is written. Few ids go through the log like everything else. The meta
//! comes last, in the batch that removes the mark.

use std::time::{Duration, Instant};

use kafka::NextOffset;
use kafka::transaction::{Tail, TailError};
use tracing::warn;

use crate::clock::Clock;
use crate::drill::{Drill, Point};
use crate::state::identity::Log;
use crate::state::meta::{ChangelogPositions, Incarnation, Meta};
use crate::state::store::PartitionStore;

mod context;
mod error;
pub(crate) mod evidence;
pub(crate) mod plan;
mod progress;
mod queue;
mod replay;
mod restorer;

pub(crate) use context::{RestoreContext, RestoreLayout};
use error::Halt;
pub use error::{Refusal, RestoreError};
use evidence::{CommittedPosition, Disk, Evidence, Extent, Missing};
use plan::{Plan, Replay};
use progress::RestoreProgress;
use replay::ReplayPosition;
pub(crate) use restorer::{RestoreServices, Restored, Restorer};

/// How long an undecided transaction is waited for: its timeout, the broker's scan for it, and slack.
const UNDECIDED_MAX: Duration = Duration::from_secs(60);
/// How long R1 waits for one answer, and so how late it notices that it should stop.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// The pauses before "no offset committed" is asked again where a history exists (KAFKA-20416).
const ASK_AGAIN: [Duration; 3] =
    [Duration::from_millis(1_500), Duration::from_millis(1_500), Duration::from_secs(2)];

/// One attempt at restoring one partition.
struct RestoreAttempt<'a> {
    tail: &'a Tail,
    context: &'a RestoreContext,
    partition: i32,
    store: &'a PartitionStore,
    progress: &'a RestoreProgress,
    clock: &'a Clock,
    drill: &'a Drill,
    /// Whether it may take the time of a replay, while other partitions may be ready on disk.
    may_replay: bool,
    stopped: &'a dyn Fn() -> bool,
}

/// R1: reads the committed offset. While a transaction is undecided, the coordinator does not answer.
fn read_committed(
    tail: &Tail,
    context: &RestoreContext,
    partition: i32,
    stopped: &dyn Fn() -> bool,
) -> Result<Option<CommittedPosition>, RestoreError> {
    let started = Instant::now();
    loop {
        match tail.committed(&context.input, partition, ANSWER_MAX) {
            Ok(committed) => {
                let mark = context.application.read_mark(&committed.metadata);
                return Ok(committed.next.map(|next| CommittedPosition { next, mark }));
            }
            Err(_) if stopped() => return Err(TailError::Stopped.into()),
            Err(error @ kafka::Error::Failed { .. }) if started.elapsed() < UNDECIDED_MAX => {
                warn!(partition, %error, "committed offset not known yet");
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// How many changelog records a replay reads.
fn remaining(evidence: &Evidence, replay: &Replay) -> u64 {
    let records = |from: NextOffset, log: Extent| log.end.0.saturating_sub(from.0.max(log.first.0));
    let dedupe = records(evidence.disk.progress.dedupe_next(), evidence.dedupe);
    u64::try_from(records(replay.state_from, evidence.state).saturating_add(dedupe)).unwrap_or_default()
}

impl RestoreAttempt<'_> {
    /// Restores the store. Returns where the partition stands and continues to read.
    fn run(&self, committed: Option<CommittedPosition>) -> Result<Meta, Halt> {
        let evidence = self.look(committed)?;
        let meta = match plan::plan(&evidence).map_err(|why| self.refused(why))? {
            Plan::Superseded => return Err(Halt::Superseded { from: None }),
            Plan::Ready(meta) => meta,
            Plan::Replay(replay) if !self.may_replay => {
                return Err(Halt::Postponed { records: remaining(&evidence, &replay) });
            }
            Plan::Replay(replay) => {
                if committed.is_none() && self.has_history(&evidence) && self.is_committed_after_all()? {
                    return self.run(self.read_committed()?);
                }
                match self.replay(&evidence, &replay)? {
                    Some(meta) => meta,
                    None => {
                        let input = self.extent(Log::Input)?;
                        return Ok(Meta::beginning(Incarnation::new(rand::random()), input.first));
                    }
                }
            }
        };
        self.check_input(&meta)?;
        Ok(meta)
    }

    fn read_committed(&self) -> Result<Option<CommittedPosition>, RestoreError> {
        read_committed(self.tail, self.context, self.partition, self.stopped)
    }

    /// Gathers the evidence for R3; R2 is part of it.
    fn look(&self, committed: Option<CommittedPosition>) -> Result<Evidence, RestoreError> {
        let disk = Disk {
            meta: self.store.meta()?,
            progress: self.store.progress()?.unwrap_or_default(),
            restoring: self.store.restoring()?,
        };
        Ok(Evidence {
            disk,
            committed,
            state: self.extent(Log::State)?,
            dedupe: self.extent(Log::Dedupe)?,
            now_ms: self.clock.now_ms(),
            tombstones_kept: self.context.tombstones_kept,
        })
    }

    fn has_history(&self, evidence: &Evidence) -> bool {
        evidence.disk.meta.is_some() || evidence.state.end > evidence.state.first
    }

    /// A coordinator that has just moved may know no offsets for a moment.
    fn is_committed_after_all(&self) -> Result<bool, RestoreError> {
        for pause in ASK_AGAIN {
            std::thread::sleep(pause);
            if self.read_committed()?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// R4 to R6. `None` is a partition without a history.
    fn replay(&self, evidence: &Evidence, replay: &Replay) -> Result<Option<Meta>, Halt> {
        let mut disk = evidence.disk;
        let restoring = self.store.begin_restore(evidence.now_ms)?;
        let dedupe = disk.progress.dedupe_next();
        let mut position = ReplayPosition { state: replay.state_from, dedupe, restoring, history: None };
        if replay.rereads_state {
            warn!(
                partition = self.partition,
                "disk was away for long: customers are read again from the beginning"
            );
            self.store.forget_customers(&ChangelogPositions::new(NextOffset(0), dedupe))?;
            disk.meta = None;
            position.restoring.meta = None;
        }
        position.history = position.restoring.meta.or(disk.meta).map(|meta| meta.incarnation);
        self.progress.enter(self.partition, "waiting for undecided transactions");
        for (log, extent) in [(Log::State, evidence.state), (Log::Dedupe, evidence.dedupe)] {
            let topic = self.topic(log);
            self.tail.await_decided(topic, self.partition, extent.end, UNDECIDED_MAX, self.stopped)?;
        }
        replay::customers(self, replay, evidence.state, &mut position)?;
        self.drill.reached(Point::Halfway);
        let meta = position.restoring.meta.or(disk.meta);
        // Check before any id is noted as read: a resumed restore could no longer see what is missing.
        if let Some(meta) = &meta {
            self.check_dedupe_coverage(evidence.dedupe, position.dedupe, meta)?;
        }
        replay::ids(self, evidence.dedupe, &mut position)?;
        let last_chunk = position.restoring.last_chunk;
        let agreed = plan::check_agreement(meta.as_ref(), last_chunk.as_ref(), evidence.committed.as_ref());
        let is_committed = agreed.map_err(|why| self.refused(why))?;
        if !is_committed && let Some(meta) = &meta {
            let (partition, next) = (self.partition, meta.src_next());
            warn!(partition, %next, "committed offset expired, going on from the changelog's");
        }
        self.store.end_restore(meta.as_ref(), &position.progress())?;
        Ok(meta)
    }

    fn check_dedupe_coverage(
        &self,
        log: Extent,
        covered: NextOffset,
        meta: &Meta,
    ) -> Result<(), RestoreError> {
        let mut missing = Missing { first: log.first, covered, until_ms: 0, next_ms: meta.clock_ms };
        if missing.is_nothing() {
            return Ok(());
        }
        missing.until_ms = replay::missing_until(self, log, meta)?;
        // The next event's day matters only where something is missing. To learn the day costs a read.
        if plan::check_dedupe_coverage(self.context.layout.window, &missing).is_ok() {
            return Ok(());
        }
        let next = self.tail.first(&self.context.input, self.partition, meta.src_next(), self.stopped)?;
        missing.next_ms =
            next.map_or_else(|| self.clock.now_ms(), |record| record.timestamp_ms).max(meta.clock_ms);
        plan::check_dedupe_coverage(self.context.layout.window, &missing).map_err(|why| self.refused(why))
    }

    /// A committed offset does not show that this is the input that was read: a broker may keep the offsets
    /// of a topic that was deleted. The record before the position does, on brokers without topic ids too.
    fn check_input(&self, meta: &Meta) -> Result<(), RestoreError> {
        let input = self.extent(Log::Input)?;
        let (topic, next) = (&self.context.input, meta.src_next());
        let before = self.tail.before(topic, self.partition, next, self.stopped)?;
        let before_ms = before.map(|record| record.timestamp_ms);
        plan::check_input(meta, input, before_ms).map_err(|why| self.refused(why))
    }

    fn extent(&self, log: Log) -> Result<Extent, RestoreError> {
        let (first, end) = self.tail.extent(self.topic(log), self.partition)?;
        Ok(Extent { first, end })
    }

    fn topic(&self, log: Log) -> &str {
        self.context.topic(log)
    }

    fn refused(&self, why: Refusal) -> RestoreError {
        self.context.refused(self.partition, why)
    }
}
