//! What a reset does to one partition: a pure function of what was found.

use std::fmt;

use thiserror::Error;

use crate::domain::time::window;
use crate::restore::evidence::{CommittedPosition, Extent};
use crate::restore::plan as restore_plan;
use crate::state::changelog::{Baseline, Chunk};
use crate::state::meta::{Incarnation, Meta, OffsetMark};

/// What an operator gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetKind {
    /// Input that was deleted before it was read, and ids that the dedupe changelog has lost. Customers and
    /// all other ids stay.
    AcceptLoss,
    /// Everything that is remembered. The input is read again from its beginning.
    StartOver,
}

/// What was found about a partition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    /// The partition.
    pub(crate) partition: i32,
    /// The group's committed offset.
    pub(crate) committed: Option<CommittedPosition>,
    /// The input.
    pub(crate) input: Extent,
    /// The dedupe changelog.
    pub(crate) dedupe: Extent,
    /// The last transaction of the state changelog.
    pub(crate) meta: Option<Meta>,
    /// The last transaction of the dedupe changelog.
    pub(crate) last_chunk: Option<Meta>,
    /// The append time of the record before the next one, where there is one.
    pub(crate) before_ms: Option<i64>,
}

/// Why this kind of reset can't help here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Impossible {
    /// There is nothing to be kept.
    #[error("its state changelog holds no transaction: there is nothing to keep, use start-over")]
    NoState,
    /// What would be kept is incomplete.
    #[error(
        "its changelogs have lost transactions ({state:?} is the last one of the customers, {dedupe:?} that of the ids, and {group:?} \
         the group's): what would be kept is not whole, use start-over"
    )]
    NotWhole {
        /// The number of the state changelog's last transaction.
        state: u64,
        /// The number of the dedupe changelog's.
        dedupe: Option<u64>,
        /// The number of the group's.
        group: Option<u64>,
    },
}

/// What a reset will do to one partition. Its text says so in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResetPlan {
    /// The partition.
    pub partition: i32,
    /// What is given up.
    pub(crate) kind: ResetKind,
    /// Where the partition stands before.
    pub(crate) before: Option<Meta>,
    /// The input as it is.
    pub(crate) input: Extent,
    /// Where it stands after.
    pub(crate) meta: Meta,
    /// What is left of the changelogs.
    pub(crate) baseline: Baseline,
    /// The partition's clock until which ids may be missing, Unix milliseconds; 0 where none are.
    previous_clock_ms: i64,
}

impl ResetPlan {
    /// The dedupe changelog's record.
    #[must_use]
    pub(crate) fn chunk(&self) -> Chunk {
        Chunk { meta: self.meta, previous_clock_ms: self.previous_clock_ms, runs: Vec::new() }
    }
}

/// Plans a reset that begins the history `incarnation`.
///
/// # Errors
/// Where what is to be kept is incomplete. It would count events twice, or never.
pub(crate) fn plan(
    kind: ResetKind,
    facts: &Facts,
    incarnation: Incarnation,
) -> Result<ResetPlan, Impossible> {
    let Facts { partition, input, dedupe, meta: before, .. } = *facts;
    let of = |meta, baseline, previous_clock_ms| ResetPlan {
        partition,
        kind,
        before,
        input,
        meta,
        baseline,
        previous_clock_ms,
    };
    match kind {
        ResetKind::StartOver => {
            let baseline = Baseline { incarnation, keeps_state: false, dedupe_from: dedupe.end.0 };
            Ok(of(Meta::beginning(incarnation, input.first), baseline, 0))
        }
        ResetKind::AcceptLoss => {
            let meta = whole(facts)?;
            let holds = restore_plan::check_input(&meta, input, facts.before_ms).is_ok();
            let next = if holds { meta.src_next() } else { input.first };
            // An empty log is missing nothing but what this reset gives up.
            let previous_clock_ms = if dedupe.first == dedupe.end { 0 } else { meta.clock_ms };
            let baseline = Baseline { incarnation, keeps_state: true, dedupe_from: dedupe.first.0 };
            Ok(of(meta.reset(incarnation, next), baseline, previous_clock_ms))
        }
    }
}

/// The meta of changelogs that have lost nothing, except perhaps old ids.
fn whole(facts: &Facts) -> Result<Meta, Impossible> {
    let meta = facts.meta.ok_or(Impossible::NoState)?;
    let group = facts.committed.and_then(|committed| match committed.mark {
        OffsetMark::Ours { incarnation, seq } => Some((incarnation, seq)),
        OffsetMark::Bare | OffsetMark::Alien => None,
    });
    let is_behind_group =
        group.is_some_and(|(incarnation, seq)| incarnation != meta.incarnation || seq > meta.seq);
    let is_behind_ids = facts.last_chunk.is_some_and(|chunk| chunk != meta);
    if is_behind_group || is_behind_ids {
        let dedupe = facts.last_chunk.map(|chunk| chunk.seq);
        return Err(Impossible::NotWhole { state: meta.seq, dedupe, group: group.map(|(_, seq)| seq) });
    }
    Ok(meta)
}

impl fmt::Display for ResetPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, input: Extent { first, end }, meta, .. } = self;
        write!(f, "partition {partition}: the input holds offsets {first} to {end}; ")?;
        match self.before {
            Some(before) => {
                let (stands, seq, day) = (before.src_next(), before.seq, before.day());
                write!(f, "the state stands at {stands}, after {seq} transactions, on {}.", Date(day))?;
            }
            None => write!(f, "there is no state.")?,
        }
        let next = meta.src_next();
        match self.kind {
            ResetKind::AcceptLoss => {
                let stands = self.before.map_or(next, |before| before.src_next());
                if next == stands {
                    write!(f, "\n  No input is lost.")?;
                } else {
                    write!(
                        f,
                        "\n  Input from offset {stands} to {next} was never read, and is lost for good."
                    )?;
                }
                write!(
                    f,
                    "\n  Ids before offset {} of the dedupe changelog are forgotten: copies of their events will count again.\n  \
                     Customers and all other ids stay. It goes on at offset {next}.",
                    self.baseline.dedupe_from
                )
            }
            ResetKind::StartOver => write!(
                f,
                "\n  Every customer and every id is forgotten: what was learnt from input that is gone by now is lost for good.\n  The \
                 input is read again from offset {next}, and what follows from its {} records is emitted again: warehouse outcomes \
                 twice, traits and suppressions anew.\n  Records of forgotten customers stay in the state changelog until those \
                 customers are seen again.",
                end.0 - next.0
            ),
        }
    }
}

/// A day in the form YYYY-MM-DD.
struct Date(window::Day);

impl fmt::Display for Date {
    /// By Howard Hinnant's `civil_from_days`, for days after 1970.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = u32::from(self.0) + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + era * 400 + u32::from(month <= 2);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use kafka::NextOffset;

    use super::*;

    const CLOCK: i64 = 20_000 * window::DAY_MS;

    fn meta(seq: u64, next: i64) -> Meta {
        let begun = Meta::beginning(Incarnation::new([1; 16]), NextOffset(0));
        (0..seq).fold(begun, |meta, _| meta.followed_by(NextOffset(next), CLOCK))
    }

    fn extent(first: i64, end: i64) -> Extent {
        Extent { first: NextOffset(first), end: NextOffset(end) }
    }

    /// Stands at 50 after 5 transactions; the input was cut to 70.
    fn cut() -> Facts {
        let meta = meta(5, 50);
        let mark = OffsetMark::parse(&meta.offset_metadata());
        Facts {
            partition: 3,
            committed: Some(CommittedPosition { next: NextOffset(50), mark }),
            input: extent(70, 90),
            dedupe: extent(4, 12),
            meta: Some(meta),
            last_chunk: Some(meta),
            before_ms: None,
        }
    }

    fn new() -> Incarnation {
        Incarnation::new([2; 16])
    }

    #[test]
    fn accepting_a_loss_keeps_the_state_and_goes_on_where_the_input_begins() {
        let plan = plan(ResetKind::AcceptLoss, &cut(), new()).expect("possible");
        assert_eq!((plan.meta.src_next(), plan.meta.seq, plan.meta.clock_ms), (NextOffset(70), 6, CLOCK));
        assert_eq!(plan.baseline, Baseline { incarnation: new(), keeps_state: true, dedupe_from: 4 });
        assert_eq!(plan.chunk().previous_clock_ms, CLOCK);
        let text = plan.to_string();
        assert!(text.contains("from offset 50 to 70") && text.contains("on 2024-10-04"), "{text}");
    }

    #[test]
    fn accepting_the_loss_of_ids_loses_no_input() {
        let plan =
            plan(ResetKind::AcceptLoss, &Facts { input: extent(10, 90), ..cut() }, new()).expect("possible");
        assert_eq!(plan.meta.src_next(), NextOffset(50));
        assert!(plan.to_string().contains("No input is lost"), "{plan}");
    }

    /// An input made anew may hold the offset at which the old one was left: its records are read all the
    /// same.
    #[test]
    fn accepting_the_loss_of_an_input_that_was_made_anew_begins_at_its_beginning() {
        let anew = Facts { input: extent(0, 90), committed: None, before_ms: Some(CLOCK + 1), ..cut() };
        let plan = plan(ResetKind::AcceptLoss, &anew, new()).expect("possible");
        assert_eq!(plan.meta.src_next(), NextOffset(0));
    }

    /// P1: what would be kept lacks events that the group has counted, so they would count twice, or their
    /// customers never.
    #[test]
    fn p1_a_state_that_is_not_whole_is_never_kept() {
        let mark = OffsetMark::parse(&meta(6, 60).offset_metadata());
        let ahead = Facts { committed: Some(CommittedPosition { next: NextOffset(60), mark }), ..cut() };
        let behind_ids = Facts { last_chunk: Some(meta(6, 60)), ..cut() };
        for facts in [ahead, behind_ids] {
            let refused = plan(ResetKind::AcceptLoss, &facts, new());
            assert!(matches!(refused, Err(Impossible::NotWhole { state: 5, .. })), "{refused:?}");
            assert!(plan(ResetKind::StartOver, &facts, new()).is_ok());
        }
        let none = Facts { meta: None, ..cut() };
        assert_eq!(plan(ResetKind::AcceptLoss, &none, new()), Err(Impossible::NoState));
    }

    #[test]
    fn starting_over_keeps_nothing_and_reads_all() {
        let plan = plan(ResetKind::StartOver, &Facts { meta: None, ..cut() }, new()).expect("possible");
        assert_eq!((plan.meta.src_next(), plan.meta.seq, plan.meta.clock_ms), (NextOffset(70), 0, 0));
        assert_eq!(plan.baseline, Baseline { incarnation: new(), keeps_state: false, dedupe_from: 12 });
        assert!(plan.to_string().contains("its 20 records is emitted again"), "{plan}");
    }
}
