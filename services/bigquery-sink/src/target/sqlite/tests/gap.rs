//! Positions that can't be right.

use delivery::intake::GapKind;
use kafka::NextOffset;
use kafka::consumer::LogId;
use rusqlite::Connection;

use super::{TOPIC, batch, batch_of, count, log, open, positions, row, store};
use crate::Target;
use crate::target::{Gap, StoredPosition};

fn gap(from: i64, to: i64) -> Gap {
    Gap {
        partition: (TOPIC.into(), 0),
        kind: GapKind::TopicMadeAnew,
        stored: StoredPosition { next: NextOffset(from), log: log(1) },
        resume: StoredPosition { next: NextOffset(to), log: log(2) },
    }
}

#[test]
fn a_position_says_in_which_log_it_counts() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut sqlite = open(&dir.path().join("w"));
    store(&mut sqlite, &batch([row(0, 4, "a")]));
    let stored = sqlite.positions(&[(TOPIC.into(), 0)]).expect("reads");
    assert_eq!(stored, [Some(StoredPosition { next: NextOffset(5), log: log(1) })]);
}

#[test]
fn a_gap_is_a_row_and_the_position_moves_with_it_in_whichever_direction() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut sqlite = open(&dir.path().join("w"));
    store(&mut sqlite, &batch([row(0, 4, "a")]));
    sqlite.record_gaps(&[gap(5, 2)]).expect("records");
    assert_eq!(positions(&mut sqlite, &[0]), [Some(NextOffset(2))]);
    let recorded =
        "SELECT kind || ' ' || from_offset || ' ' || to_offset || ' ' || (from_topic_id <> to_topic_id)
        FROM sink_gaps";
    let recorded: String = sqlite.connection.query_row(recorded, (), |row| row.get(0)).expect("one row");
    assert_eq!(recorded, "topic_made_anew 5 2 1");
    assert_eq!(store(&mut sqlite, &batch_of(vec![row(0, 2, "new")], &log(2))).rows, 1);
}

/// A topic that was deleted and made again begins at 0: its records only look as if they were stored.
#[test]
fn records_of_another_log_are_never_passed_over() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut sqlite = open(&dir.path().join("w"));
    store(&mut sqlite, &batch([row(0, 5, "a"), row(0, 6, "b")]));
    let refusal = sqlite.store(&batch_of(vec![row(0, 0, "new")], &log(2))).expect_err("refused").to_string();
    assert!(refusal.contains("another log"), "{refusal}");
    assert_eq!(count(&sqlite, "message_outcomes"), 2);
}

/// A row that its operator erased, or that was pruned, stays away: the position alone decides.
#[test]
fn a_record_before_the_position_is_passed_over_although_its_row_is_gone() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut sqlite = open(&dir.path().join("w"));
    store(&mut sqlite, &batch([row(0, 0, "a")]));
    sqlite.connection.execute("DELETE FROM message_outcomes", ()).expect("erases");
    assert_eq!(store(&mut sqlite, &batch([row(0, 0, "a")])).replayed, 1);
    assert_eq!(count(&sqlite, "message_outcomes"), 0);
}

/// Its positions named no log: they are taken on trust once, and say their log from then on.
#[test]
fn a_file_of_the_second_format_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("w");
    let mut sqlite = open(&path);
    store(&mut sqlite, &batch([row(0, 0, "a")]));
    drop(sqlite);
    let file = Connection::open(&path).expect("opens");
    file.execute_batch(
        "DROP TABLE sink_gaps; ALTER TABLE sink_offsets DROP COLUMN cluster_id;
        ALTER TABLE sink_offsets DROP COLUMN topic_id; PRAGMA user_version = 2",
    )
    .expect("makes the second format");
    drop(file);
    for _ in 0..2 {
        let mut sqlite = open(&path);
        let stored = sqlite.positions(&[(TOPIC.into(), 0)]).expect("reads");
        assert_eq!(stored, [Some(StoredPosition { next: NextOffset(1), log: LogId::default() })]);
        assert_eq!(count(&sqlite, "sink_gaps"), 0);
    }
    let mut sqlite = open(&path);
    store(&mut sqlite, &batch([row(0, 1, "b")]));
    let stored = sqlite.positions(&[(TOPIC.into(), 0)]).expect("reads").remove(0).expect("a position");
    assert_eq!((stored.next, stored.log), (NextOffset(2), log(1)));
}
