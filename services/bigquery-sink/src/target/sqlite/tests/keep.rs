//! How long rows are kept, how they are found, and who may read them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use lifecycle::clock;

use super::super::prune::ROWS_MAX;
use super::{batch, count, open, row, store};
use crate::Target;
use crate::target::Row;

const DAY_MS: i64 = 86_400_000;

fn aged(offset: i64, days: i64) -> Row {
    let mut row = row(0, offset, &format!("e{offset}"));
    row.outcome.occurred_at = clock::now_ms() - days * DAY_MS;
    row
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("is there").permissions().mode() & 0o777
}

#[test]
fn what_is_older_than_it_is_kept_is_deleted_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut sqlite = open(&dir.path().join("w")).keeping(Some(Duration::from_secs(30 * 86_400)));
    store(&mut sqlite, &batch([aged(0, 31), aged(1, 29), aged(2, 400), aged(3, 0)]));
    sqlite.prune().expect("prunes");
    let mut left =
        sqlite.connection.prepare("SELECT kafka_offset FROM message_outcomes ORDER BY 1").expect("reads");
    let left: Vec<i64> = left.query_map((), |row| row.get(0)).and_then(Iterator::collect).expect("reads");
    assert_eq!(left, [1, 3]);
}

#[test]
fn without_a_limit_everything_is_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut sqlite = open(&dir.path().join("w"));
    store(&mut sqlite, &batch([aged(0, 4_000)]));
    sqlite.prune().expect("has nothing to do");
    assert_eq!(count(&sqlite, "message_outcomes"), 1);
}

/// E3: the write lock is held for a bounded time, however much there is to delete.
#[test]
fn e3_one_step_deletes_a_bounded_number_of_rows() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut sqlite = open(&dir.path().join("w")).keeping(Some(Duration::from_secs(86_400)));
    store(&mut sqlite, &batch((0..ROWS_MAX + 10).map(|offset| aged(offset, 2))));
    sqlite.prune().expect("prunes");
    assert_eq!(count(&sqlite, "message_outcomes"), 10);
    sqlite.prune().expect("prunes");
    assert_eq!(count(&sqlite, "message_outcomes"), 0);
}

#[test]
fn the_usual_questions_are_answered_by_an_index() {
    let dir = tempfile::tempdir().expect("a folder");
    let sqlite = open(&dir.path().join("w"));
    for (question, index) in [
        ("timestamp >= '2026-11-01'", "message_outcomes_by_time"),
        ("customer_id = 'u-1' ORDER BY timestamp", "message_outcomes_by_customer"),
        ("delivery_id = 'd-1'", "message_outcomes_by_delivery"),
    ] {
        let sql = format!("EXPLAIN QUERY PLAN SELECT * FROM message_outcomes_unique WHERE {question}");
        let plan: String = sqlite.connection.query_row(&sql, (), |row| row.get("detail")).expect("plans");
        assert!(plan.contains(index), "{question}: {plan}");
    }
}

#[test]
fn a_new_file_is_its_owners_alone_and_a_known_one_keeps_its_mode() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("w");
    let mut sqlite = open(&path);
    store(&mut sqlite, &batch([row(0, 0, "a")]));
    for file in ["w", "w-wal", "w-shm"] {
        assert_eq!(mode(&dir.path().join(file)), 0o600, "{file}");
    }
    drop(sqlite);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).expect("sets");
    drop(open(&path));
    assert_eq!(mode(&path), 0o640);
}
