//! What a restore makes of what it finds. These are pure functions over plain values; the reading and writing
//! is elsewhere.

use kafka::NextOffset;

use super::error::Refusal;
use super::evidence::{CommittedPosition, Evidence, Extent, Missing};
use crate::domain::time::window::{self, Window};
use crate::state::changelog::Baseline;
use crate::state::identity::Log;
use crate::state::meta::{Incarnation, Meta, OffsetMark};

/// How the disk is brought to where the partition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    /// It is there already.
    Ready(Meta),
    /// Replay what the disk has not read of the changelogs.
    Replay(Replay),
    /// An operator's reset has begun another history. Wipe the disk, and fill it from the changelogs.
    Superseded,
}

/// What is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Replay {
    /// Read the state changelog from here.
    pub(crate) state_from: NextOffset,
    /// Read the dedupe changelog from here.
    pub(crate) dedupe_from: NextOffset,
    /// Whether the customers on disk are dropped first. Customers that were deleted meanwhile may have left
    /// no trace.
    pub(crate) rereads_state: bool,
    /// Whether records that this disk has not read are gone from the state changelog. That is right only
    /// where the changelog begins with the baseline of a reset that gave those records up.
    pub(crate) is_cut: bool,
}

/// R3: plans the restore, before any changelog is read.
///
/// A state changelog that has lost its beginning is never restored "as far as it goes": its newest meta would
/// agree with the group, and nothing would show that customers are missing. A disk that knows more than the
/// logs is never wiped, because it may hold the only copy.
///
/// # Errors
/// Where the evidence contradicts itself.
pub(crate) fn plan(evidence: &Evidence) -> Result<Plan, Refusal> {
    let Evidence { disk, committed, state, dedupe, .. } = evidence;
    if disk.newest().is_some_and(|meta| is_superseded(&meta, committed.as_ref())) {
        return Ok(Plan::Superseded);
    }
    let (state_next, dedupe_next) = (disk.progress.state_next(), disk.progress.dedupe_next());
    for (log, on_disk, end) in [(Log::State, state_next, state.end), (Log::Dedupe, dedupe_next, dedupe.end)] {
        if on_disk > end {
            return Err(Refusal::DiskAhead { log, on_disk, end });
        }
    }
    if let Some(meta) = disk.meta
        && disk.restoring.is_none()
        && committed.as_ref().is_some_and(|committed| is_at(committed, &meta))
    {
        return Ok(Plan::Ready(meta));
    }
    // A disk may hold customers without having noted how far it had read.
    let holds_any = state_next > NextOffset(0) || disk.newest().is_some();
    let rereads_state = holds_any && state_next < state.end && is_stale(evidence);
    let on_disk = if rereads_state { NextOffset(0) } else { state_next };
    Ok(Plan::Replay(Replay {
        state_from: on_disk.max(state.first),
        dedupe_from: dedupe_next.max(dedupe.first),
        rereads_state,
        is_cut: on_disk < state.first,
    }))
}

/// Whether a reset has begun another history than the history of `meta`.
#[must_use]
pub(crate) fn is_superseded(meta: &Meta, committed: Option<&CommittedPosition>) -> bool {
    let mark = committed.map(|committed| committed.mark);
    matches!(mark, Some(OffsetMark::Ours { incarnation, .. }) if incarnation != meta.incarnation)
}

fn is_at(committed: &CommittedPosition, meta: &Meta) -> bool {
    let ours = OffsetMark::Ours { incarnation: meta.incarnation, seq: meta.seq };
    committed.next == meta.src_next() && committed.mark == ours
}

/// Whether tombstones that this disk has not read may already be gone. Half the time is slack for clocks.
fn is_stale(evidence: &Evidence) -> bool {
    let known_ms = evidence
        .disk
        .meta
        .map(|meta| meta.clock_ms)
        .or(evidence.disk.restoring.map(|restoring| restoring.since_ms));
    let kept_ms = i64::try_from(evidence.tombstones_kept.as_millis()).unwrap_or(i64::MAX);
    known_ms.is_none_or(|known_ms| evidence.now_ms.saturating_sub(known_ms) > kept_ms / 2)
}

/// What a baseline in the state changelog does to the replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BaselineCheck {
    /// The replay goes on.
    Passed,
    /// The disk holds a history that the reset has ended.
    Superseded {
        /// Whether the new history begins at this baseline. Where the reset kept customers, it begins with
        /// the changelog.
        begins_here: bool,
    },
    /// The changelog is cut before the baseline, and the reset gave up no customers.
    GivesUpTooLittle,
}

/// Checks a baseline that the replay has met.
///
/// `held` is the history on disk, where there is one. `is_beginning` is whether this disk has read nothing of
/// the changelog before the baseline. `is_cut` is [`Replay::is_cut`], where the baseline is the first record
/// read.
#[must_use]
pub(crate) fn check_baseline(
    baseline: &Baseline,
    held: Option<Incarnation>,
    is_beginning: bool,
    is_cut: bool,
) -> BaselineCheck {
    match (baseline.keeps_state, held) {
        (_, Some(held)) if held == baseline.incarnation => BaselineCheck::Passed,
        (true, Some(_)) => BaselineCheck::Superseded { begins_here: false },
        (true, None) if is_cut => BaselineCheck::GivesUpTooLittle,
        (true, None) => BaselineCheck::Passed,
        (false, _) if is_beginning => BaselineCheck::Passed,
        (false, _) => BaselineCheck::Superseded { begins_here: true },
    }
}

/// R6: the changelogs and the group must agree. Returns whether the group has a committed offset. Where that
/// offset expired, the changelogs' position counts.
///
/// # Errors
/// Where they differ.
pub(crate) fn check_agreement(
    meta: Option<&Meta>,
    last_chunk: Option<&Meta>,
    committed: Option<&CommittedPosition>,
) -> Result<bool, Refusal> {
    if last_chunk.is_some() && meta != last_chunk {
        let seq = |meta: Option<&Meta>| meta.map(|meta| meta.seq);
        return Err(Refusal::ChangelogsDiffer { state: seq(meta), dedupe: seq(last_chunk) });
    }
    let Some(committed) = committed else { return Ok(false) };
    let (group, mark) = (committed.next, committed.mark);
    match meta {
        // An operator's tool commits offsets without metadata. Exactly where the state stands, that changes
        // nothing.
        Some(meta) if is_at(committed, meta) || (mark == OffsetMark::Bare && group == meta.src_next()) => {
            Ok(true)
        }
        Some(meta) if group < meta.src_next() => Err(Refusal::GroupBack { group, stands: meta.src_next() }),
        _ if mark == OffsetMark::Alien => Err(Refusal::GroupForeign { group }),
        _ => Err(Refusal::GroupAhead { group, mark, stands: meta.map(Meta::src_next) }),
    }
}

/// Whether the input still has the next record.
///
/// `before_ms` is the append time of the record right before it, where there is one. A record that is newer
/// than everything that was ever read belongs to another log.
///
/// # Errors
/// Where records are gone that were never read.
pub(crate) fn check_input(meta: &Meta, input: Extent, before_ms: Option<i64>) -> Result<(), Refusal> {
    let stands = meta.src_next();
    if stands < input.first || stands > input.end {
        return Err(Refusal::InputCut { stands, first: input.first, end: input.end });
    }
    if before_ms.is_some_and(|before_ms| before_ms > meta.clock_ms) {
        return Err(Refusal::Recreated(Log::Input));
    }
    Ok(())
}

/// Whether the ids that the dedupe changelog has lost lie outside the window of the next event. Only then do
/// they not matter.
///
/// # Errors
/// Where they lie inside.
pub(crate) fn check_dedupe_coverage(window: Window, missing: &Missing) -> Result<(), Refusal> {
    let Missing { first, until_ms, next_ms, .. } = *missing;
    if until_ms == 0 || missing.is_nothing() {
        return Ok(());
    }
    let day = window::day(until_ms);
    if window.day_expired(day, window::day(next_ms)) {
        return Ok(());
    }
    Err(Refusal::IdsMissing { first, missing: day })
}

#[cfg(test)]
mod tests;
