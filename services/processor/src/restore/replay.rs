//! R5: changelog records, onto the disk.

use kafka::{Incoming, NextOffset};

use super::board::Lap;
use super::error::Halt;
use super::judgement::{self, Extent, Passage, Refusal, Replay};
use super::{Attempt, RestoreError};
use crate::state::changelog::{self, Baseline, Chunk, StateKey};
use crate::state::identity::Log;
use crate::state::meta::{Incarnation, Meta, Progress, Restoring};
use crate::state::store::{Batch, Bulk};
use crate::state::timer::Timer;
use crate::state::value;

/// A restored batch goes to disk at this size, in bytes.
const BATCH_BYTES: usize = 4 << 20;

/// How far a restore is: what is written with each batch, and what a resumed one begins with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// Position in the state changelog.
    pub(super) state: NextOffset,
    /// Position in the dedupe changelog. Not its beginning, where the disk has not read that far.
    pub(super) dedupe: NextOffset,
    /// What was met on the way.
    pub(super) restoring: Restoring,
    /// The history that the disk is of, where it is of one.
    pub(super) history: Option<Incarnation>,
}

impl Standing {
    fn note(&self, mut batch: Batch<'_>) -> Result<(), RestoreError> {
        batch.put_progress(&self.progress());
        batch.put_restoring(&self.restoring);
        Ok(batch.write()?)
    }

    pub(super) fn progress(&self) -> Progress {
        Progress::new(self.state, self.dedupe)
    }
}

/// Reads the state changelog: all but the last meta goes to its place.
pub(super) fn customers(
    attempt: &Attempt<'_>,
    replay: &Replay,
    extent: Extent,
    standing: &mut Standing,
) -> Result<(), Halt> {
    if replay.state_from >= extent.end {
        return Ok(());
    }
    let mut lap = Lap::new(attempt.board, attempt.partition, "state", replay.state_from, extent.end);
    let mut batch = attempt.store.batch();
    let mut is_first = true;
    let read = |record: Incoming| {
        let place = Place { is_first: std::mem::take(&mut is_first), replay, extent, record: &record };
        match StateKey::parse(record.key.as_deref().unwrap_or_default())? {
            StateKey::Baseline => place.pass(attempt, standing)?,
            _ if place.is_first && replay.is_cut => return Err(place.cut(attempt, standing)),
            StateKey::Customer(key) => {
                let value = record.value.as_deref();
                batch.put_customer(key, value);
                let customer = value.map(value::decode).transpose()?.unwrap_or_default();
                Timer::of(key, &customer).for_each(|timer| batch.put_timer(&timer));
            }
            StateKey::Meta => meet(record.value.as_deref(), standing)?,
        }
        standing.state = record.offset.next();
        lap.read(standing.state);
        if batch.bytes() >= BATCH_BYTES {
            standing.note(std::mem::replace(&mut batch, attempt.store.batch()))?;
            lap.wrote(standing.state);
        }
        Ok(())
    };
    let (topic, from) = (attempt.topic(Log::State), replay.state_from);
    let next = attempt.tail.replay::<Halt>(topic, attempt.partition, from, attempt.stopped, read)?;
    standing.state = next;
    standing.note(batch)?;
    lap.finish(next);
    Ok(())
}

fn meet(meta: Option<&[u8]>, standing: &mut Standing) -> Result<(), Halt> {
    let Some(bytes) = meta else { return Ok(()) };
    let meta = changelog::decode_meta(bytes)?;
    if standing.history.is_some_and(|history| history != meta.incarnation) {
        return Err(Halt::Superseded { from: None });
    }
    standing.restoring.meta = Some(meta);
    Ok(())
}

/// A record's place in the state changelog.
struct Place<'a> {
    is_first: bool,
    replay: &'a Replay,
    extent: Extent,
    record: &'a Incoming,
}

impl Place<'_> {
    fn cut(&self, attempt: &Attempt<'_>, standing: &Standing) -> Halt {
        attempt.refused(Refusal::StateCut { on_disk: standing.state, first: self.extent.first }).into()
    }

    /// Past a baseline.
    fn pass(&self, attempt: &Attempt<'_>, standing: &mut Standing) -> Result<(), Halt> {
        let Some(bytes) = self.record.value.as_deref() else { return Ok(()) };
        let baseline = Baseline::decode(bytes)?;
        let ids_from = NextOffset(baseline.dedupe_from);
        let is_beginning = self.is_first && attempt.store.is_empty()?;
        let is_cut = self.is_first && self.replay.is_cut;
        match judgement::pass(&baseline, standing.history, is_beginning, is_cut) {
            Passage::Passed => {}
            Passage::GivesUpTooLittle => return Err(self.cut(attempt, standing)),
            Passage::Superseded { begins_here } => {
                let here = Progress::new(NextOffset(self.record.offset.0), ids_from);
                return Err(Halt::Superseded { from: begins_here.then_some(here) });
            }
        }
        standing.dedupe = standing.dedupe.max(ids_from);
        Ok(())
    }
}

/// Reads the dedupe changelog.
pub(super) fn ids(attempt: &Attempt<'_>, extent: Extent, standing: &mut Standing) -> Result<(), Halt> {
    let from = standing.dedupe.max(extent.first);
    if from >= extent.end {
        standing.dedupe = from;
        return Ok(());
    }
    let mut lap = Lap::new(attempt.board, attempt.partition, "dedupe", from, extent.end);
    let mut bulk = Bulk::new(attempt.store);
    let read = |record: Incoming| {
        let chunk = Chunk::decode(record.value.as_deref().unwrap_or_default())?;
        standing.restoring.last_chunk = Some(chunk.meta);
        let is_full = chunk.runs.iter().fold(false, |is_full, run| bulk.put_run(run) | is_full);
        standing.dedupe = record.offset.next();
        lap.read(standing.dedupe);
        if is_full {
            bulk.write()?;
            standing.note(attempt.store.batch())?;
            lap.wrote(standing.dedupe);
        }
        Ok(())
    };
    let topic = attempt.topic(Log::Dedupe);
    let next = attempt.tail.replay::<Halt>(topic, attempt.partition, from, attempt.stopped, read)?;
    bulk.write()?;
    standing.dedupe = next;
    standing.note(attempt.store.batch())?;
    lap.finish(next);
    Ok(())
}

/// The clock until which ids are missing from the dedupe changelog: that of the chunk before its first. 0 where none is.
pub(super) fn missing_until(attempt: &Attempt<'_>, extent: Extent, meta: &Meta) -> Result<i64, RestoreError> {
    let topic = attempt.topic(Log::Dedupe);
    let first = attempt.tail.first(topic, attempt.partition, extent.first, attempt.stopped)?;
    let Some(record) = first else { return Ok(meta.clock_ms) };
    Ok(Chunk::decode(record.value.as_deref().unwrap_or_default())?.previous_clock_ms)
}
