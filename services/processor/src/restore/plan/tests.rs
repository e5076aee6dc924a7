use std::time::Duration;

use proptest::prelude::*;

use super::super::evidence::Disk;
use super::*;
use crate::domain::time::window::DAY_MS;
use crate::state::meta::{ChangelogPositions, Restoring};

const KEPT: Duration = Duration::from_hours(7 * 24);
const NOW: i64 = 20_000 * DAY_MS;

fn meta(history: u8, seq: u64, next: i64, clock_ms: i64) -> Meta {
    let begun = Meta::beginning(Incarnation::new([history; 16]), NextOffset(0));
    (1..=seq).fold(begun, |meta, _| meta.followed_by(NextOffset(next), clock_ms))
}

fn position(meta: &Meta) -> CommittedPosition {
    CommittedPosition { next: meta.src_next(), mark: OffsetMark::parse(&meta.offset_metadata()) }
}

fn extent(first: i64, end: i64) -> Extent {
    Extent { first: NextOffset(first), end: NextOffset(end) }
}

/// A disk of transaction 5 at offset 50, which has read both changelogs to 10 of 12, and a group that is at
/// it.
fn evidence() -> Evidence {
    let meta = meta(1, 5, 50, NOW);
    let progress = ChangelogPositions::new(NextOffset(10), NextOffset(10));
    Evidence {
        disk: Disk { meta: Some(meta), progress, restoring: None },
        committed: Some(position(&meta)),
        state: extent(0, 12),
        dedupe: extent(0, 12),
        now_ms: NOW,
        tombstones_kept: KEPT,
    }
}

fn replay(evidence: &Evidence) -> Replay {
    match plan(evidence) {
        Ok(Plan::Replay(replay)) => replay,
        other => panic!("{other:?}"),
    }
}

#[test]
fn p3_a_disk_that_the_group_confirms_reads_nothing() {
    assert_eq!(plan(&evidence()), Ok(Plan::Ready(meta(1, 5, 50, NOW))));
    // However old it is: there is nothing that it could have missed.
    assert!(matches!(plan(&Evidence { now_ms: NOW + 300 * DAY_MS, ..evidence() }), Ok(Plan::Ready(_))));
    let behind = Evidence { committed: Some(position(&meta(1, 6, 60, NOW))), ..evidence() };
    let wanted = Replay {
        state_from: NextOffset(10),
        dedupe_from: NextOffset(10),
        rereads_state: false,
        is_cut: false,
    };
    assert_eq!(replay(&behind), wanted);
    assert_eq!(replay(&Evidence { committed: None, ..evidence() }), wanted);
}

/// C12: a meta that came before the ids of its transaction must not pass for one.
#[test]
fn c12_a_disk_whose_restore_was_interrupted_is_never_ready() {
    let mut interrupted = evidence();
    interrupted.disk.restoring = Some(Restoring::since(NOW));
    assert!(!replay(&interrupted).rereads_state);
}

#[test]
fn a_disk_of_a_history_that_was_reset_is_superseded_and_a_tools_mark_supersedes_nothing() {
    let reset = Evidence { committed: Some(position(&meta(2, 5, 50, NOW))), ..evidence() };
    assert_eq!(plan(&reset), Ok(Plan::Superseded));
    for mark in [OffsetMark::Bare, OffsetMark::Alien] {
        let moved =
            Evidence { committed: Some(CommittedPosition { next: NextOffset(50), mark }), ..evidence() };
        assert!(matches!(plan(&moved), Ok(Plan::Replay(_))), "{mark:?}");
    }
}

/// R3: what the logs have lost may be on this disk only.
#[test]
fn a_disk_that_has_read_more_than_there_is_is_refused_and_not_wiped() {
    for (log, state, dedupe) in [(Log::State, 9, 12), (Log::Dedupe, 12, 9)] {
        let cut = Evidence { state: extent(0, state), dedupe: extent(0, dedupe), ..evidence() };
        assert_eq!(
            plan(&cut),
            Err(Refusal::DiskAhead { log, on_disk: NextOffset(10), end: NextOffset(9) }),
            "{log:?}"
        );
    }
}

/// R3: tombstones go after a while, and what they took away would come back to life.
#[test]
fn a_disk_that_was_away_for_half_of_what_tombstones_are_kept_rereads_the_customers() {
    let away = |ms: i64| Evidence { committed: None, now_ms: NOW + ms, ..evidence() };
    let half = 7 * DAY_MS / 2;
    assert!(!replay(&away(half)).rereads_state);
    let stale = replay(&away(half + 1));
    assert_eq!(
        (stale.rereads_state, stale.state_from, stale.dedupe_from),
        (true, NextOffset(0), NextOffset(10))
    );
    let mut unnoted = away(half + 1);
    unnoted.disk.progress = ChangelogPositions::default();
    assert!(replay(&unnoted).rereads_state);
    // Nothing was written meanwhile.
    assert!(!replay(&Evidence { state: extent(0, 10), ..away(half + 1) }).rereads_state);
    // An interrupted restore has no meta to tell its age by.
    let mut interrupted = away(half + 1);
    (interrupted.disk.meta, interrupted.disk.restoring) = (None, Some(Restoring::since(NOW)));
    assert!(replay(&interrupted).rereads_state);
    interrupted.disk.restoring = Some(Restoring::since(NOW + DAY_MS));
    assert!(!replay(&interrupted).rereads_state);
}

#[test]
fn a_state_changelog_that_begins_behind_the_disk_is_cut() {
    let mut empty = Evidence { committed: None, ..evidence() };
    (empty.disk.meta, empty.disk.progress) = (None, ChangelogPositions::default());
    assert!(!replay(&empty).is_cut);
    assert!(replay(&Evidence { state: extent(1, 12), ..empty }).is_cut);
    assert!(!replay(&Evidence { state: extent(10, 12), committed: None, ..evidence() }).is_cut);
    assert!(replay(&Evidence { state: extent(11, 12), committed: None, ..evidence() }).is_cut);
    let stale = Evidence { state: extent(1, 12), committed: None, now_ms: NOW + 30 * DAY_MS, ..evidence() };
    assert!(replay(&stale).is_cut && replay(&stale).rereads_state);
}

/// A reset that starts over ends what was before it, for every disk that has any of it; one that keeps the
/// customers needs them.
#[test]
fn a_baseline_supersedes_what_it_ends_and_nothing_else() {
    let [old, new] = [1, 2].map(|history| Incarnation::new([history; 16]));
    let void = Baseline { incarnation: new, keeps_state: false, dedupe_from: 0 };
    let kept = Baseline { keeps_state: true, ..void };
    let (here, whole) =
        (BaselineCheck::Superseded { begins_here: true }, BaselineCheck::Superseded { begins_here: false });
    for cut in [false, true] {
        assert_eq!(check_baseline(&void, Some(new), false, cut), BaselineCheck::Passed);
        assert_eq!(check_baseline(&void, Some(old), false, cut), here);
        assert_eq!(check_baseline(&void, None, false, cut), here);
        assert_eq!(check_baseline(&void, None, true, cut), BaselineCheck::Passed);
        assert_eq!(check_baseline(&kept, Some(new), false, cut), BaselineCheck::Passed);
        assert_eq!(check_baseline(&kept, Some(old), false, cut), whole);
    }
    assert_eq!(check_baseline(&kept, None, true, true), BaselineCheck::GivesUpTooLittle);
    assert_eq!(check_baseline(&kept, None, false, false), BaselineCheck::Passed);
}

#[test]
fn an_input_of_the_same_name_and_another_history_is_told_by_its_times() {
    let meta = meta(1, 5, 50, NOW);
    assert_eq!(check_input(&meta, extent(50, 50), None), Ok(()));
    assert_eq!(check_input(&meta, extent(0, 90), Some(NOW)), Ok(()));
    assert_eq!(check_input(&meta, extent(0, 90), Some(NOW + 1)), Err(Refusal::Recreated(Log::Input)));
    for input in [extent(51, 90), extent(0, 49)] {
        assert!(matches!(check_input(&meta, input, None), Err(Refusal::InputCut { .. })));
    }
}

proptest! {
    /// R6: only a group that stands exactly where the changelogs end may go on, and one that knows nothing.
    #[test]
    fn p1_a_group_that_stands_elsewhere_than_the_state_is_refused(
        next in 0i64..20, group in 0i64..20, seq in 1u64..5, told in 1u64..5, history in 1u8..3, text in 0u8..3,
    ) {
        let meta = meta(1, seq, next, NOW);
        let mark = match text {
            0 => OffsetMark::Bare,
            1 => OffsetMark::Alien,
            _ => OffsetMark::Ours { incarnation: Incarnation::new([history; 16]), seq: told },
        };
        let committed = CommittedPosition { next: NextOffset(group), mark };
        let agreed = check_agreement(Some(&meta), Some(&meta), Some(&committed));
        let same_place = group == next;
        let same_word = text == 0 || (text == 2 && history == 1 && told == seq);
        prop_assert_eq!(agreed.is_ok(), same_place && same_word);
        if group < next {
            let (group, stands) = (NextOffset(group), NextOffset(next));
            prop_assert_eq!(agreed, Err(Refusal::GroupBack { group, stands }));
        }
        prop_assert_eq!(check_agreement(Some(&meta), Some(&meta), None), Ok(false));
        prop_assert!(check_agreement(None, None, Some(&committed)).is_err());
    }

    /// R6: a changelog that has lost its newest records is told by the other.
    #[test]
    fn p2_changelogs_that_end_with_different_transactions_are_refused(state in 0u64..6, dedupe in 1u64..6) {
        let of = |seq: u64| (seq > 0).then(|| meta(1, seq, 10 + i64::try_from(seq).expect("small"), NOW));
        let (state_meta, dedupe_meta) = (of(state), of(dedupe));
        let agreed = check_agreement(state_meta.as_ref(), dedupe_meta.as_ref(), None);
        prop_assert_eq!(agreed.is_ok(), state == dedupe);
    }

    /// P1: a missing id matters exactly as long as the window asks for it.
    #[test]
    fn p1_missing_ids_are_refused_while_the_window_asks_for_them(
        days in 8u16..60, missing in 19_000u16..20_000, next in 20_000u16..20_100, first in 0i64..9, covered in 0i64..9,
    ) {
        let window = Window::new(days).expect("within bounds");
        let at = |day: u16| i64::from(day) * DAY_MS + 5;
        let missing_ids =
            Missing { first: NextOffset(first), covered: NextOffset(covered), until_ms: at(missing), next_ms: at(next) };
        let asked = next - missing <= days + 8;
        let has_them = covered > 0 && covered >= first;
        prop_assert_eq!(check_dedupe_coverage(window, &missing_ids).is_err(), asked && !has_them);
        prop_assert_eq!(check_dedupe_coverage(window, &Missing { until_ms: 0, ..missing_ids }), Ok(()));
    }
}
