//! What a restore makes of what it finds: pure functions over plain values. The reading and writing is elsewhere.

use std::time::Duration;

use kafka::NextOffset;
use thiserror::Error;

use crate::domain::window::{self, Window};
use crate::state::changelog::Baseline;
use crate::state::identity::Log;
use crate::state::meta::{Incarnation, Meta, OffsetMark, Progress, Restoring};

/// What the disk holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// Its last transaction; `None` before the first, and while it is filled from nothing.
    pub meta: Option<Meta>,
    /// How far it has read the changelogs.
    pub progress: Progress,
    /// The restore that has not ended.
    pub restoring: Option<Restoring>,
}

impl Disk {
    /// The newest transaction of its history that it has met.
    #[must_use]
    pub fn newest(&self) -> Option<Meta> {
        self.restoring.and_then(|restoring| restoring.meta).or(self.meta)
    }
}

/// A log's first offset and its high watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The first record's.
    pub first: NextOffset,
    /// The position after the last record.
    pub end: NextOffset,
}

/// What the group has committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Offset.
    pub next: NextOffset,
    /// What the text beside it says.
    pub mark: OffsetMark,
}

/// Everything that is known before a changelog is read.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    /// The disk.
    pub disk: Disk,
    /// The group's position; `None` where it has none, or none any more.
    pub committed: Option<Position>,
    /// The state changelog.
    pub state: Extent,
    /// The dedupe changelog.
    pub dedupe: Extent,
    /// Now, Unix milliseconds.
    pub now_ms: i64,
    /// For how long the state changelog keeps tombstones.
    pub tombstones_kept: Duration,
}

/// How the disk comes to where the partition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It is there already.
    Ready(Meta),
    /// By what it has not read of the changelogs.
    Replay(Replay),
    /// Not at all: an operator's reset has begun another history. It is wiped, and filled from the changelogs.
    Superseded,
}

/// What is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replay {
    /// The state changelog, from here.
    pub state_from: NextOffset,
    /// The dedupe changelog, from here.
    pub dedupe_from: NextOffset,
    /// Whether the customers on disk are given up first: those that were deleted meanwhile may have left no trace.
    pub rereads_state: bool,
    /// Whether records that this disk has not read are gone from the state changelog. Fine only where it begins with the baseline
    /// of a reset that gave them up.
    pub is_cut: bool,
}

/// What is found can't be right, and going on would lose or double events. Each says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A log ends before what was read of it.
    #[error(
        "the disk is ahead of the log: it has read up to offset {on_disk}, and the log ends at {end}: a leader without the newest \
         records was elected, or the topic was made anew. Keep this disk, it is the only copy of what is missing; bring the topic \
         back, or {mend}",
        mend = START_OVER
    )]
    DiskAhead {
        /// Which log.
        log: Log,
        /// How far the disk has read it.
        on_disk: NextOffset,
        /// Where it ends.
        end: NextOffset,
    },
    /// A topic was deleted and made anew.
    #[error(
        "the topic was deleted and made anew since this disk was filled, so positions in it mean nothing any more. {}",
        mend_of_new(*.0)
    )]
    Recreated(Log),
    /// The state changelog lacks its beginning.
    #[error(
        "the log begins at offset {first}, and the disk has read it up to {on_disk}: what is between was deleted and not compacted \
         (kafka-delete-records.sh, or a cleanup.policy with `delete`), and with it customers that nothing else knows. Use a disk that \
         has read further, or {mend}",
        mend = START_OVER
    )]
    StateCut {
        /// How far the disk has read it.
        on_disk: NextOffset,
        /// Where it begins.
        first: NextOffset,
    },
    /// The changelogs don't tell the same.
    #[error(
        "the two changelogs end with different transactions ({state:?} and {dedupe:?}): one of them has lost records. Bring them \
         back, or {mend}",
        mend = START_OVER
    )]
    ChangelogsDiffer {
        /// The number of the state changelog's last one.
        state: Option<u64>,
        /// The number of the dedupe changelog's last one.
        dedupe: Option<u64>,
    },
    /// The group was set back.
    #[error(
        "the group was set back to offset {group}, and the events before {stands} are already counted: set it to {stands} again \
         (kafka-consumer-groups.sh --reset-offsets --to-offset {stands}), or, to count everything again, {mend}",
        mend = START_OVER
    )]
    GroupBack {
        /// The group's position.
        group: NextOffset,
        /// Where the state stands.
        stands: NextOffset,
    },
    /// The group is ahead of the changelogs.
    #[error(
        "the group stands at offset {group} ({mark:?}), and the changelogs end at {stands:?}: they have lost records, or the group was \
         set forward. Set it back, bring the records back, or {mend}",
        mend = START_OVER
    )]
    GroupAhead {
        /// The group's position.
        group: NextOffset,
        /// What the text beside it says.
        mark: OffsetMark,
        /// Where the state stands.
        stands: Option<NextOffset>,
    },
    /// What was not read is gone from the input.
    #[error(
        "the log holds offsets {first} to {end}, and the partition stands at {stands}: it was cut or made anew, and what is missing was \
         never read. Bring those records back. {mend}",
        mend = ACCEPT_LOSS
    )]
    InputCut {
        /// Where the partition stands.
        stands: NextOffset,
        /// Where the input begins.
        first: NextOffset,
        /// Where it ends.
        end: NextOffset,
    },
    /// Ids are gone that the window still asks for.
    #[error(
        "the log begins inside the window, at offset {first}: ids up to day {missing} are missing, so duplicates would count twice. Its \
         retention.ms must be the window and ten days. Use a disk that has read them. {mend}",
        mend = ACCEPT_LOSS
    )]
    IdsMissing {
        /// Where the dedupe changelog begins.
        first: NextOffset,
        /// The last day of which ids are missing, in days since 1970.
        missing: window::Day,
    },
}

const START_OVER: &str = "forget this partition's state and read the input from its beginning: `aftersend reset processor start-over`";
const ACCEPT_LOSS: &str = "To go on without them: `aftersend reset processor accept-loss`";
const ANEW: &str = "Keep this disk, it is the only copy of what was in it. To go on without it: `aftersend reset processor start-over`";

fn mend_of_new(log: Log) -> &'static str {
    if log == Log::Input { ACCEPT_LOSS } else { ANEW }
}

impl Refusal {
    /// The log that it is about.
    #[must_use]
    pub fn log(&self) -> Log {
        match self {
            Self::DiskAhead { log, .. } | Self::Recreated(log) => *log,
            Self::StateCut { .. } | Self::ChangelogsDiffer { .. } => Log::State,
            Self::GroupBack { .. } | Self::GroupAhead { .. } | Self::InputCut { .. } => Log::Input,
            Self::IdsMissing { .. } => Log::Dedupe,
        }
    }
}

/// R3: how to go on, before anything is read.
///
/// A cut state changelog is never "restored from what is there": its newest meta would agree with the group, and nothing would tell
/// that customers are missing. And a disk that knows more than the logs is never wiped: it may hold the only copy.
///
/// # Errors
/// Where what is found can't be right.
pub fn way(found: &Found) -> Result<Way, Refusal> {
    let Found { disk, committed, state, dedupe, .. } = found;
    if disk.newest().is_some_and(|meta| is_superseded(&meta, committed.as_ref())) {
        return Ok(Way::Superseded);
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
        return Ok(Way::Ready(meta));
    }
    // A disk may hold customers and not have noted how far it had read.
    let holds_any = state_next > NextOffset(0) || disk.newest().is_some();
    let rereads_state = holds_any && state_next < state.end && is_stale(found);
    let on_disk = if rereads_state { NextOffset(0) } else { state_next };
    Ok(Way::Replay(Replay {
        state_from: on_disk.max(state.first),
        dedupe_from: dedupe_next.max(dedupe.first),
        rereads_state,
        is_cut: on_disk < state.first,
    }))
}

/// Whether a reset has begun another history than the one that `meta` is of.
#[must_use]
pub fn is_superseded(meta: &Meta, committed: Option<&Position>) -> bool {
    let mark = committed.map(|committed| committed.mark);
    matches!(mark, Some(OffsetMark::Ours { incarnation, .. }) if incarnation != meta.incarnation)
}

fn is_at(committed: &Position, meta: &Meta) -> bool {
    let ours = OffsetMark::Ours { incarnation: meta.incarnation, seq: meta.seq };
    committed.next == meta.src_next() && committed.mark == ours
}

/// Whether tombstones that this disk has not read may be gone already. Half the time is slack for clocks.
fn is_stale(found: &Found) -> bool {
    let known_ms = found
        .disk
        .meta
        .map(|meta| meta.clock_ms)
        .or(found.disk.restoring.map(|restoring| restoring.since_ms));
    let kept_ms = i64::try_from(found.tombstones_kept.as_millis()).unwrap_or(i64::MAX);
    known_ms.is_none_or(|known_ms| found.now_ms.saturating_sub(known_ms) > kept_ms / 2)
}

/// What a baseline, met in the state changelog, does to the replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// The replay goes on.
    Passed,
    /// What is on disk is of a history that the reset has ended. The new one begins right here, or, where customers were kept,
    /// with the changelog.
    Superseded {
        /// Whether it begins here.
        begins_here: bool,
    },
    /// The changelog is cut before it, and it gave up no customers.
    GivesUpTooLittle,
}

/// How a replay gets past a baseline. `held` is the history on disk, where there is one; `is_beginning` is whether nothing of this
/// changelog was ever read onto this disk before it; `is_cut` as in [`Replay`], where this is the first record.
#[must_use]
pub fn pass(baseline: &Baseline, held: Option<Incarnation>, is_beginning: bool, is_cut: bool) -> Passage {
    match (baseline.keeps_state, held) {
        (_, Some(held)) if held == baseline.incarnation => Passage::Passed,
        (true, Some(_)) => Passage::Superseded { begins_here: false },
        (true, None) if is_cut => Passage::GivesUpTooLittle,
        (true, None) => Passage::Passed,
        (false, _) if is_beginning => Passage::Passed,
        (false, _) => Passage::Superseded { begins_here: true },
    }
}

/// R6: what the changelogs and the group know must be one and the same. Answers whether the group knows anything: where its
/// position expired, the changelogs' holds.
///
/// # Errors
/// Where they differ.
pub fn agree(
    meta: Option<&Meta>,
    last_chunk: Option<&Meta>,
    committed: Option<&Position>,
) -> Result<bool, Refusal> {
    if last_chunk.is_some() && meta != last_chunk {
        let seq = |meta: Option<&Meta>| meta.map(|meta| meta.seq);
        return Err(Refusal::ChangelogsDiffer { state: seq(meta), dedupe: seq(last_chunk) });
    }
    let Some(committed) = committed else { return Ok(false) };
    let (group, mark) = (committed.next, committed.mark);
    match meta {
        // An operator's tool commits without a text. At the very place where the state stands, it changes nothing.
        Some(meta) if is_at(committed, meta) || (mark == OffsetMark::Bare && group == meta.src_next()) => {
            Ok(true)
        }
        Some(meta) if group < meta.src_next() => Err(Refusal::GroupBack { group, stands: meta.src_next() }),
        _ => Err(Refusal::GroupAhead { group, mark, stands: meta.map(Meta::src_next) }),
    }
}

/// Whether the input still has what comes next. `before_ms` is the append time of the record right before, where it is known and
/// the group's position isn't: one that is newer than all that was ever read is of another log.
///
/// # Errors
/// Where records are gone that were never read.
pub fn input_holds(meta: &Meta, input: Extent, before_ms: Option<i64>) -> Result<(), Refusal> {
    let stands = meta.src_next();
    if stands < input.first || stands > input.end {
        return Err(Refusal::InputCut { stands, first: input.first, end: input.end });
    }
    if before_ms.is_some_and(|before_ms| before_ms > meta.clock_ms) {
        return Err(Refusal::Recreated(Log::Input));
    }
    Ok(())
}

/// What is known of the ids that are no longer in the dedupe changelog.
#[derive(Debug, Clone, Copy)]
pub struct Missing {
    /// Where the log begins.
    pub first: NextOffset,
    /// The position below which nothing is missed: the disk has it, or a reset gave it up.
    pub covered: NextOffset,
    /// The clock until which ids are missing, Unix milliseconds. 0 where none is.
    pub until_ms: i64,
    /// The partition's clock at the next event, Unix milliseconds.
    pub next_ms: i64,
}

impl Missing {
    /// Whether the disk goes on where the log begins, or before.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.covered > NextOffset(0) && self.covered >= self.first
    }
}

/// What the dedupe changelog has lost matters while it lies inside the window of the next event, and only then.
///
/// # Errors
/// Where it does.
pub fn ids_suffice(window: Window, missing: &Missing) -> Result<(), Refusal> {
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
