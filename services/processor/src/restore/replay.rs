//! R5: brings changelog records onto the disk.

use kafka::{Incoming, NextOffset};

use super::error::{Halt, Refusal};
use super::evidence::Extent;
use super::plan::{self, BaselineCheck, Replay};
use super::progress::ChangelogProgress;
use super::{RestoreAttempt, RestoreError};
use crate::state::changelog::{self, Baseline, Chunk, StateKey};
use crate::state::format;
use crate::state::identity::Log;
use crate::state::meta::{ChangelogPositions, Incarnation, Meta, Restoring};
use crate::state::store::{Bulk, StoreBatch};
use crate::state::timer::Timer;

/// A batch is written to disk at this size, in bytes.
const BATCH_BYTES: usize = 4 << 20;

/// How far a restore has come. It is written with each batch, so that an interrupted restore can be resumed.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReplayPosition {
    /// Position in the state changelog.
    pub(super) state: NextOffset,
    /// Position in the dedupe changelog. It may lie before the changelog's beginning, where the disk has not
    /// read that far.
    pub(super) dedupe: NextOffset,
    /// What the replay has met.
    pub(super) restoring: Restoring,
    /// The history that the disk holds, if any.
    pub(super) history: Option<Incarnation>,
}

impl ReplayPosition {
    fn note(&self, mut batch: StoreBatch<'_>) -> Result<(), RestoreError> {
        batch.put_progress(&self.progress());
        batch.put_restoring(&self.restoring);
        Ok(batch.write()?)
    }

    pub(super) fn progress(&self) -> ChangelogPositions {
        ChangelogPositions::new(self.state, self.dedupe)
    }

    /// Takes in the value of a meta record.
    fn take_meta(&mut self, value: Option<&[u8]>) -> Result<(), Halt> {
        let Some(bytes) = value else { return Ok(()) };
        let meta = changelog::decode_meta(bytes)?;
        if self.history.is_some_and(|history| history != meta.incarnation) {
            return Err(Halt::Superseded { from: None });
        }
        self.restoring.meta = Some(meta);
        Ok(())
    }
}

/// Reads the state changelog. Everything goes to its place on disk, except the last meta: that one is kept in
/// `position`.
pub(super) fn customers(
    attempt: &RestoreAttempt<'_>,
    replay: &Replay,
    extent: Extent,
    position: &mut ReplayPosition,
) -> Result<(), Halt> {
    if replay.state_from >= extent.end {
        return Ok(());
    }
    let mut progress =
        ChangelogProgress::new(attempt.progress, attempt.partition, "state", replay.state_from, extent.end);
    let mut batch = attempt.store.batch();
    let mut is_first = true;
    let read = |record: Incoming| {
        let record = StateRecord {
            is_first: std::mem::take(&mut is_first),
            is_cut: replay.is_cut,
            first: extent.first,
            record: &record,
        };
        match StateKey::parse(record.key())? {
            StateKey::Baseline => record.check_baseline(attempt, position)?,
            _ if record.is_after_cut() => return Err(record.cut(attempt, position)),
            StateKey::Customer(key) => {
                let value = record.value();
                batch.put_customer(key, value);
                let customer = value.map(format::decode).transpose()?.unwrap_or_default();
                Timer::all_of(key, &customer).for_each(|timer| batch.put_timer(&timer));
            }
            StateKey::Meta => position.take_meta(record.value())?,
        }
        position.state = record.record.offset.next();
        progress.read(position.state);
        if batch.bytes() >= BATCH_BYTES {
            position.note(std::mem::replace(&mut batch, attempt.store.batch()))?;
            progress.wrote(position.state);
        }
        Ok(())
    };
    let topic = attempt.topic(Log::State);
    let (partition, stopped) = (attempt.partition, attempt.stopped);
    let next = attempt.tail.replay::<Halt>(topic, partition, replay.state_from, stopped, read)?;
    position.state = next;
    position.note(batch)?;
    progress.finish(next);
    Ok(())
}

/// A record of the state changelog.
struct StateRecord<'a> {
    record: &'a Incoming,
    /// Whether it is the first record that this replay reads.
    is_first: bool,
    /// [`Replay::is_cut`].
    is_cut: bool,
    /// Where the changelog begins.
    first: NextOffset,
}

impl<'a> StateRecord<'a> {
    fn key(&self) -> &'a [u8] {
        self.record.key.as_deref().unwrap_or_default()
    }

    fn value(&self) -> Option<&'a [u8]> {
        self.record.value.as_deref()
    }

    fn is_after_cut(&self) -> bool {
        self.is_first && self.is_cut
    }

    fn cut(&self, attempt: &RestoreAttempt<'_>, position: &ReplayPosition) -> Halt {
        attempt.refused(Refusal::StateCut { on_disk: position.state, first: self.first }).into()
    }

    fn check_baseline(
        &self,
        attempt: &RestoreAttempt<'_>,
        position: &mut ReplayPosition,
    ) -> Result<(), Halt> {
        let Some(bytes) = self.value() else { return Ok(()) };
        let baseline = Baseline::decode(bytes)?;
        let ids_from = NextOffset(baseline.dedupe_from);
        let is_beginning = self.is_first && attempt.store.is_empty()?;
        match plan::check_baseline(&baseline, position.history, is_beginning, self.is_after_cut()) {
            BaselineCheck::Passed => {}
            BaselineCheck::GivesUpTooLittle => return Err(self.cut(attempt, position)),
            BaselineCheck::Superseded { begins_here } => {
                let here = ChangelogPositions::new(NextOffset(self.record.offset.0), ids_from);
                return Err(Halt::Superseded { from: begins_here.then_some(here) });
            }
        }
        position.dedupe = position.dedupe.max(ids_from);
        Ok(())
    }
}

/// Reads the dedupe changelog.
pub(super) fn ids(
    attempt: &RestoreAttempt<'_>,
    extent: Extent,
    position: &mut ReplayPosition,
) -> Result<(), Halt> {
    let from = position.dedupe.max(extent.first);
    if from >= extent.end {
        position.dedupe = from;
        return Ok(());
    }
    let mut progress =
        ChangelogProgress::new(attempt.progress, attempt.partition, "dedupe", from, extent.end);
    let mut bulk = Bulk::new(attempt.store);
    let read = |record: Incoming| {
        let chunk = Chunk::decode(record.value.as_deref().unwrap_or_default())?;
        position.restoring.last_chunk = Some(chunk.meta);
        let is_full = chunk.runs.iter().fold(false, |is_full, run| bulk.put_run(run) | is_full);
        position.dedupe = record.offset.next();
        progress.read(position.dedupe);
        if is_full {
            // The ids must be on disk before the position behind them is.
            bulk.write()?;
            position.note(attempt.store.batch())?;
            progress.wrote(position.dedupe);
        }
        Ok(())
    };
    let topic = attempt.topic(Log::Dedupe);
    let next = attempt.tail.replay::<Halt>(topic, attempt.partition, from, attempt.stopped, read)?;
    bulk.write()?;
    position.dedupe = next;
    position.note(attempt.store.batch())?;
    progress.finish(next);
    Ok(())
}

/// The partition's clock until which ids are missing from the dedupe changelog, Unix milliseconds: the clock
/// of the chunk before the changelog's first chunk. 0 where none are missing.
pub(super) fn missing_until(
    attempt: &RestoreAttempt<'_>,
    extent: Extent,
    meta: &Meta,
) -> Result<i64, RestoreError> {
    let topic = attempt.topic(Log::Dedupe);
    let first = attempt.tail.first(topic, attempt.partition, extent.first, attempt.stopped)?;
    let Some(record) = first else { return Ok(meta.clock_ms) };
    Ok(Chunk::decode(record.value.as_deref().unwrap_or_default())?.previous_clock_ms)
}
