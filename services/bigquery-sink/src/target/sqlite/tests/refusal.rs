//! What can't be used is refused with what to do about it, and left as it was.

use std::path::Path;
use std::time::Duration;

use kafka::NextOffset;
use rusqlite::{Connection, TransactionBehavior};

use super::super::{Error, Sqlite};
use super::{batch, count, open, positions, row, stored};
use crate::Target;
use crate::target::{Batch, StoreAnswer};

fn refusal(path: &Path) -> Error {
    Sqlite::open(path, Duration::from_millis(20)).expect_err("refused")
}

#[test]
fn a_missing_folder_is_named_with_its_mend() {
    let dir = tempfile::tempdir().expect("a folder");
    for path in [dir.path().join("missing/warehouse.sqlite"), dir.path().to_owned()] {
        let refusal = refusal(&path);
        assert!(matches!(refusal, Error::CannotOpen { .. }), "{refusal:?}");
        assert!(refusal.to_string().contains("check that its folder exists"), "{refusal}");
    }
}

#[test]
fn a_file_that_is_no_database_stays_as_it_was() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("notes.txt");
    let notes = "not a database, but long enough to look at: ".repeat(50);
    std::fs::write(&path, &notes).expect("writes");
    assert!(matches!(refusal(&path), Error::Damaged { .. }));
    assert_eq!(std::fs::read_to_string(&path).expect("reads"), notes);
}

#[test]
fn a_damaged_warehouse_is_said_to_be_damaged() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("w");
    let mut sqlite = open(&path);
    sqlite.store(&batch((0..500).map(|offset| row(0, offset, &format!("e{offset}"))))).expect("stores");
    drop(sqlite);
    let mut bytes = std::fs::read(&path).expect("reads");
    bytes[4096..].fill(0xa5);
    std::fs::write(&path, bytes).expect("writes");
    let damage = Sqlite::open(&path, Duration::ZERO)
        .map_err(crate::target::Error::from)
        .and_then(|mut sqlite| sqlite.store(&batch([row(0, 500, "later")])));
    let message = damage.expect_err("refused").to_string();
    assert!(message.contains("damaged") && message.contains("move it away"), "{message}");
}

#[test]
fn another_programs_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, sql) in [
        ("unmarked", "CREATE TABLE theirs (x)"),
        ("marked", "PRAGMA application_id = 77; PRAGMA user_version = 1"),
        ("versioned", "PRAGMA user_version = 3"),
    ] {
        let path = dir.path().join(name);
        let theirs = Connection::open(&path).expect("opens");
        theirs.execute_batch(sql).expect("runs");
        assert!(matches!(refusal(&path), Error::Foreign { .. }), "{name}");
        let mode: String = theirs.pragma_query_value(None, "journal_mode", |row| row.get(0)).expect("reads");
        assert_eq!(mode, "delete", "{name}");
    }
}

#[test]
fn a_newer_format_is_refused_by_its_number() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("w");
    drop(open(&path));
    Connection::open(&path).expect("opens").pragma_update(None, "user_version", 4).expect("sets");
    let refusal = refusal(&path);
    assert!(matches!(refusal, Error::Newer { found: 4, known: 3, .. }), "{refusal:?}");
    assert!(refusal.to_string().contains("upgrade it"), "{refusal}");
}

#[test]
fn a_lock_held_too_long_is_named_and_nothing_is_stored() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("w");
    let mut sqlite = Sqlite::open(&path, Duration::from_millis(20)).expect("opens");
    let mut other = Connection::open(&path).expect("opens");
    let held = other.transaction_with_behavior(TransactionBehavior::Immediate).expect("locks");
    let locked = sqlite.store(&batch([row(0, 0, "a")])).expect_err("refused").to_string();
    assert!(locked.contains("20 ms") && locked.contains("end its write transaction"), "{locked}");
    assert!(matches!(refusal(&path), Error::Locked { .. }));
    drop(held);
    assert_eq!((count(&sqlite, "message_outcomes"), positions(&mut sqlite, &[0])), (0, vec![None]));
    sqlite.store(&batch([row(0, 0, "a")])).expect("goes on where it was");
}

/// S4: the refused row is named, and the position stays before it until it is a dead letter.
#[test]
fn s4_a_row_that_is_refused_for_good_is_named_and_nothing_is_stored() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut sqlite = open(&dir.path().join("w"));
    let mut nested = row(0, 1, "b");
    nested.outcome.metadata = format!("{{\"a\":{}{}}}", "[".repeat(1_200), "]".repeat(1_200)).into();
    let rows = [row(0, 0, "a"), nested, row(1, 0, "c")];
    let StoreAnswer::Refused(refusals) = sqlite.store(&batch(rows.clone())).expect("answers") else {
        panic!("not refused")
    };
    assert_eq!(refusals.iter().map(|refusal| refusal.row).collect::<Vec<_>>(), [1]);
    assert!(refusals[0].why.contains("json_valid"), "{refusals:?}");
    assert_eq!((count(&sqlite, "message_outcomes"), positions(&mut sqlite, &[0])), (0, vec![None]));
    let next = batch(rows.clone()).next().clone();
    let [first, _, last] = rows;
    let stored = stored(sqlite.store(&Batch::new(vec![first, last], next)).expect("stores"));
    assert_eq!(
        (stored.rows, positions(&mut sqlite, &[0, 1])),
        (2, vec![Some(NextOffset(2)), Some(NextOffset(1))])
    );
}

/// S4: wrong tables stop the sink instead, and drain nothing.
#[test]
fn s4_a_table_that_refuses_every_row_is_no_rows_fault() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut sqlite = open(&dir.path().join("w"));
    let altered = "CREATE TRIGGER theirs BEFORE INSERT ON message_outcomes
        BEGIN SELECT RAISE(ABORT, 'not today'); END";
    sqlite.connection.execute_batch(altered).expect("alters");
    let refusal = sqlite.store(&batch([row(0, 0, "a")])).expect_err("refused").to_string();
    assert!(refusal.contains("not today") && refusal.contains("undo that"), "{refusal}");
}
