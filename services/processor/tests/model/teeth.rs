//! The model bites: a rule is broken on purpose, and a promise breaks with it. So each rule has its reason
//! here, and the model is known to see what it is for.

use crate::explore::explore;
use crate::oracle::Broken;
use crate::world::{Breakage, Scene};
use crate::{ONE_PARTITION, TWO_PARTITIONS, scene};

/// The promise among the `watched` that breaks first when a rule does.
fn broken_by(breakages: &[Breakage], scene: Scene, watched: fn(&Broken) -> bool) -> Broken {
    let scene = Scene { breakages: breakages.to_vec(), ..scene };
    let story = explore(&scene, watched).expect_err("a promise breaks");
    println!("{breakages:?}: {story}");
    story.broken
}

fn one_partition(faults: u8) -> Scene {
    scene(ONE_PARTITION, faults)
}

fn all(_: &Broken) -> bool {
    true
}

fn doubled(broken: &Broken) -> bool {
    matches!(broken, Broken::Doubled(..))
}

fn lost(broken: &Broken) -> bool {
    matches!(broken, Broken::Lost(..))
}

/// Events given out and a position that does not say so, or the other way round.
fn halved(broken: &Broken) -> bool {
    matches!(broken, Broken::Position(..))
}

#[test]
fn p2_a_disk_written_before_the_commit_holds_what_is_aborted() {
    let broken = broken_by(&[Breakage::DiskBeforeCommit], one_partition(0), all);
    assert!(matches!(broken, Broken::Disk(..)), "{broken}");
}

#[test]
fn p1_a_disk_written_before_the_commit_loses_events() {
    broken_by(&[Breakage::DiskBeforeCommit], one_partition(1), lost);
}

#[test]
fn p1_without_offsets_nothing_stops_a_second_commit() {
    broken_by(&[Breakage::NoOffsets], one_partition(1), doubled);
}

#[test]
fn p2_a_partition_left_out_of_the_offsets_is_committed_by_halves() {
    broken_by(&[Breakage::OneOffsetOnly], scene(TWO_PARTITIONS, 0), halved);
}

#[test]
fn p1_offsets_without_a_generation_let_a_zombie_commit() {
    broken_by(&[Breakage::AnyGeneration], one_partition(1), doubled);
}

#[test]
fn p2_without_a_flush_positions_are_committed_without_their_records() {
    broken_by(&[Breakage::CommitBeforeFlush], one_partition(0), halved);
}

/// Either would do: records that lie below the watermark before anything can be committed, or a watermark
/// that is read when nothing is pending any more.
#[test]
fn p1_with_neither_flush_before_offsets_nor_stable_fetch_a_successor_misses_a_transaction() {
    let both = [Breakage::OffsetsBeforeFlush, Breakage::UnstableFetch];
    broken_by(&both, one_partition(1), doubled);
}

/// Either would do for P1: a commit that a rebalance can't get into, or a partition that is given back only
/// when no transaction is under way.
#[test]
fn p1_with_neither_gate_nor_letting_go_a_returned_partition_is_committed_twice() {
    broken_by(&[Breakage::NoGate, Breakage::NoLettingGo], one_partition(1), doubled);
}

#[test]
fn p1_the_gate_alone_keeps_a_returned_partition_from_being_committed_twice() {
    let scene = Scene { breakages: vec![Breakage::NoLettingGo], ..scene([&[0, 1], &[]], 2) };
    let explored = explore(&scene, doubled).unwrap_or_else(|story| panic!("{story}"));
    println!("{explored}");
}

#[test]
fn p2_without_letting_go_an_old_transaction_is_written_over_a_newer_disk() {
    let broken = broken_by(&[Breakage::NoLettingGo], one_partition(2), all);
    assert!(matches!(broken, Broken::Disk(..)), "{broken}");
}

#[test]
fn p1_a_doubt_taken_for_an_abort_counts_twice() {
    broken_by(&[Breakage::DoubtAsAbort], one_partition(1), doubled);
}

#[test]
fn p1_a_doubt_that_is_given_up_and_not_restored_counts_twice() {
    broken_by(&[Breakage::MemoryAfterDoubt], one_partition(2), doubled);
}

#[test]
fn p2_by_the_number_alone_a_successors_transaction_is_taken_for_ones_own() {
    let broken = broken_by(&[Breakage::NumberAlone], one_partition(2), all);
    assert!(matches!(broken, Broken::Disk(..)), "{broken}");
}

/// KIP-890, whose second half librdkafka lacks.
#[test]
fn p2_with_the_same_producer_a_late_end_commits_half_of_the_next_transaction() {
    broken_by(&[Breakage::NoRenewal], one_partition(1), halved);
}

#[test]
fn p1_with_the_same_producer_late_records_come_twice() {
    broken_by(&[Breakage::NoRenewal], one_partition(1), doubled);
}

#[test]
fn p1_a_replay_to_the_last_stable_offset_misses_a_transaction() {
    let broken = broken_by(&[Breakage::ReplayToStableEnd], one_partition(1), all);
    assert!(matches!(broken, Broken::Stopped(..)), "R6 sees it: {broken}");
    broken_by(&[Breakage::ReplayToStableEnd, Breakage::NoComparison], one_partition(1), doubled);
}

#[test]
fn p3_a_watermark_read_before_the_position_misses_a_transaction() {
    let broken = broken_by(&[Breakage::WatermarkFirst], one_partition(1), all);
    assert!(matches!(broken, Broken::Stopped(..)), "R6 sees it: {broken}");
}

#[test]
fn p3_progress_noted_without_proof_skips_a_successors_transactions() {
    let broken = broken_by(&[Breakage::ProgressBeforeProof], one_partition(1), all);
    assert!(matches!(broken, Broken::Progress(..)), "{broken}");
}

#[test]
fn p3_a_restore_that_does_not_ask_again_accuses_a_sound_log() {
    let broken = broken_by(&[Breakage::RefusalAtOnce], one_partition(1), all);
    assert!(matches!(broken, Broken::Stopped(..)), "{broken}");
}

/// The broker's timeout would end it, after half a minute.
#[test]
fn p3_a_start_that_leaves_an_open_transaction_waits_for_itself() {
    let broken = broken_by(&[Breakage::LateInit, Breakage::NoTimeout], one_partition(1), all);
    assert_eq!(broken, Broken::Stuck);
}

/// What is said twice: each of these rules is covered by another, as long as that one holds.
#[test]
fn p1_p2_rules_that_cover_each_other_can_be_missed_one_at_a_time() {
    for breakage in [
        Breakage::NoGate,
        Breakage::OffsetsBeforeFlush,
        Breakage::UnstableFetch,
        Breakage::NoComparison,
        Breakage::LateInit,
    ] {
        let scene = Scene { breakages: vec![breakage], ..scene([&[0, 1], &[]], 2) };
        let explored = explore(&scene, all).unwrap_or_else(|story| panic!("{breakage:?}: {story}"));
        println!("{breakage:?}: {explored}");
    }
}
