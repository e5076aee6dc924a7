//! Bringing a partition's disk to where its last committed transaction left it, before anything is read from the input.
//!
//! R1 committed offset, once no transaction is undecided · R0 open · R2 the changelogs' high watermarks, after R1 ·
//! R3 judge what is found · R4 wait until everything below the watermarks is decided · R5 replay · R6 compare · R7 start.
//!
//! Why a successor sees everything: what its predecessor committed had its offsets accepted before R1 answered, and its
//! changelog records were in the log before that (T3 comes before T4), so they lie below R2's watermark.
//!
//! Why a crash in the middle loses nothing (C12): customers, positions and the mark "restoring" go through RocksDB's log, so what is
//! read back is a prefix of what was written, and each position is in one batch with, or behind, what it stands for. Ids go in as
//! whole files, which are on the disk before the position behind them is written, or, where they are few, through the log like all
//! else. The meta comes last, with the mark's end.

use std::time::{Duration, Instant};

use kafka::NextOffset;
use kafka::transaction::{Tail, TailError};
use tracing::warn;

use crate::engine::clock::Clock;
use crate::state::identity::Log;
use crate::state::meta::{Incarnation, Meta, OffsetMark, Progress};
use crate::state::store::PartitionStore;
use crate::transaction::drill::{Drill, Point};

mod board;
mod error;
pub mod judgement;
mod place;
mod queue;
mod replay;
mod restorer;

use board::Board;
use error::Halt;
pub use error::RestoreError;
use judgement::{Disk, Extent, Found, Missing, Position, Refusal, Replay, Way};
pub(crate) use place::Place;
use replay::Standing;
pub(crate) use restorer::{Restored, Restorer};

/// How long an undecided transaction is waited for: its timeout, the broker's scan for it, and slack.
const UNDECIDED_MAX: Duration = Duration::from_secs(60);
/// How long R1 waits for one answer, and so how late it hears that it should stop.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// How often, and how far apart, "nothing committed" is asked again where a history exists (KAFKA-20416).
const ASK_AGAIN: [Duration; 3] =
    [Duration::from_millis(1_500), Duration::from_millis(1_500), Duration::from_secs(2)];

/// One attempt at restoring one partition.
struct Attempt<'a> {
    tail: &'a Tail,
    place: &'a Place,
    partition: i32,
    store: &'a PartitionStore,
    board: &'a Board,
    clock: &'a Clock,
    drill: &'a Drill,
    stopped: &'a dyn Fn() -> bool,
}

/// R1. While a transaction is undecided, the coordinator has no answer.
fn committed(
    tail: &Tail,
    place: &Place,
    partition: i32,
    stopped: &dyn Fn() -> bool,
) -> Result<Option<Position>, RestoreError> {
    let started = Instant::now();
    loop {
        match tail.committed(&place.input, partition, ANSWER_MAX) {
            Ok(committed) => {
                let mark = OffsetMark::parse(&committed.metadata);
                return Ok(committed.next.map(|next| Position { next, mark }));
            }
            Err(_) if stopped() => return Err(TailError::Stopped.into()),
            Err(error @ kafka::Error::Failed { .. }) if started.elapsed() < UNDECIDED_MAX => {
                warn!(partition, %error, "committed offset not told yet");
            }
            Err(error) => return Err(error.into()),
        }
    }
}

impl Attempt<'_> {
    /// Restores the store; answers where the partition stands and reads on.
    fn run(&self, committed: Option<Position>) -> Result<Meta, Halt> {
        let found = self.look(committed)?;
        let meta = match judgement::way(&found).map_err(|why| self.refused(why))? {
            Way::Superseded => return Err(Halt::Superseded { from: None }),
            Way::Ready(meta) => meta,
            Way::Replay(replay) => {
                if committed.is_none() && self.has_history(&found) && self.is_committed_after_all()? {
                    return self.run(self::committed(self.tail, self.place, self.partition, self.stopped)?);
                }
                match self.replay(&found, &replay)? {
                    Some(meta) => meta,
                    None => {
                        let input = self.extent(Log::Input)?;
                        return Ok(Meta::beginning(Incarnation::new(rand::random()), input.first));
                    }
                }
            }
        };
        self.judge_input(&meta, committed)?;
        Ok(meta)
    }

    /// R2, R3.
    fn look(&self, committed: Option<Position>) -> Result<Found, RestoreError> {
        let disk = Disk {
            meta: self.store.meta()?,
            progress: self.store.progress()?.unwrap_or_default(),
            restoring: self.store.restoring()?,
        };
        let (state, dedupe) = (self.extent(Log::State)?, self.extent(Log::Dedupe)?);
        let tombstones_kept = self.place.tombstones_kept;
        Ok(Found { disk, committed, state, dedupe, now_ms: self.clock.now_ms(), tombstones_kept })
    }

    fn has_history(&self, found: &Found) -> bool {
        found.disk.meta.is_some() || found.state.end > found.state.first
    }

    /// A coordinator that has just moved may know nothing for a moment.
    fn is_committed_after_all(&self) -> Result<bool, RestoreError> {
        for pause in ASK_AGAIN {
            std::thread::sleep(pause);
            if committed(self.tail, self.place, self.partition, self.stopped)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// R4 to R6. `None` is a partition without a history.
    fn replay(&self, found: &Found, replay: &Replay) -> Result<Option<Meta>, Halt> {
        let mut disk = found.disk;
        let restoring = self.store.begin_restore(found.now_ms)?;
        let dedupe = disk.progress.dedupe_next();
        let mut standing = Standing { state: replay.state_from, dedupe, restoring, history: None };
        if replay.rereads_state {
            warn!(
                partition = self.partition,
                "disk was away for long: customers are read again from the beginning"
            );
            self.store.forget_customers(&Progress::new(NextOffset(0), dedupe))?;
            (disk.meta, standing.restoring.meta) = (None, None);
        }
        standing.history = standing.restoring.meta.or(disk.meta).map(|meta| meta.incarnation);
        self.board.enter(self.partition, "waiting for undecided transactions");
        for (log, extent) in [(Log::State, found.state), (Log::Dedupe, found.dedupe)] {
            let topic = self.topic(log);
            self.tail.await_decided(topic, self.partition, extent.end, UNDECIDED_MAX, self.stopped)?;
        }
        replay::customers(self, replay, found.state, &mut standing)?;
        self.drill.reached(Point::Halfway);
        let meta = standing.restoring.meta.or(disk.meta);
        // Before any id is noted as read: a resumed restore could not tell what is missing any more.
        if let Some(meta) = &meta {
            self.judge_ids(found.dedupe, standing.dedupe, meta)?;
        }
        replay::ids(self, found.dedupe, &mut standing)?;
        let last_chunk = standing.restoring.last_chunk;
        let agreed = judgement::agree(meta.as_ref(), last_chunk.as_ref(), found.committed.as_ref());
        if !agreed.map_err(|why| self.refused(why))?
            && let Some(meta) = &meta
        {
            let (partition, next) = (self.partition, meta.src_next());
            warn!(partition, %next, "committed offset expired, going on from the changelog's");
        }
        self.store.end_restore(meta.as_ref(), &standing.progress())?;
        Ok(meta)
    }

    fn judge_ids(&self, log: Extent, covered: NextOffset, meta: &Meta) -> Result<(), RestoreError> {
        let mut missing = Missing { first: log.first, covered, until_ms: 0, next_ms: meta.clock_ms };
        if missing.is_nothing() {
            return Ok(());
        }
        missing.until_ms = replay::missing_until(self, log, meta)?;
        // The next event's day matters only where something is missing; to learn it costs a read.
        if judgement::ids_suffice(self.place.window, &missing).is_ok() {
            return Ok(());
        }
        let next = self.tail.first(&self.place.input, self.partition, meta.src_next(), self.stopped)?;
        missing.next_ms =
            next.map_or_else(|| self.clock.now_ms(), |record| record.timestamp_ms).max(meta.clock_ms);
        judgement::ids_suffice(self.place.window, &missing).map_err(|why| self.refused(why))
    }

    fn judge_input(&self, meta: &Meta, committed: Option<Position>) -> Result<(), RestoreError> {
        let input = self.extent(Log::Input)?;
        let before = NextOffset(meta.src_next().0 - 1);
        // A group's position goes with its topic. Where there is none, the topic may be another one.
        let is_there = before >= input.first && before < input.end;
        let before_ms = if committed.is_none() && is_there {
            let record = self.tail.first(&self.place.input, self.partition, before, self.stopped)?;
            record.filter(|record| record.offset.next() == meta.src_next()).map(|record| record.timestamp_ms)
        } else {
            None
        };
        judgement::input_holds(meta, input, before_ms).map_err(|why| self.refused(why))
    }

    fn extent(&self, log: Log) -> Result<Extent, RestoreError> {
        let (first, end) = self.tail.extent(self.topic(log), self.partition)?;
        Ok(Extent { first, end })
    }

    fn topic(&self, log: Log) -> &str {
        self.place.topic(log)
    }

    fn refused(&self, why: Refusal) -> RestoreError {
        self.place.refused(self.partition, why)
    }
}
