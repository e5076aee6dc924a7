//! S1 against a model: random batches, replays and crashes, and after each step the file holds what the model
//! says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rusqlite::TransactionBehavior;
use tempfile::TempDir;

use super::super::{At, Sqlite, write};
use super::{batch, count, open, positions, row, store};
use crate::target::{Batch, Row, Stored};

const PARTITIONS: [i32; 3] = [0, 1, 2];

/// A partition and an offset.
type Place = (i32, i64);
/// Outcome ids and where they were read.
type Visible = BTreeMap<String, Place>;
type Conflicts = BTreeSet<Place>;

/// How a step ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Commit,
    /// Killed with everything written and nothing committed.
    KilledBefore,
    /// Killed after the commit, before anybody was told.
    KilledAfter,
}

/// One batch: of each partition so many records, from so far before the position that the file holds.
#[derive(Debug, Clone)]
struct Step {
    reads: Vec<(usize, usize)>,
    end: End,
}

/// What must be in the file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Model {
    visible: Visible,
    conflicts: Conflicts,
    done: [usize; PARTITIONS.len()],
}

impl Model {
    fn take(&mut self, partition: usize, log: &[Row], until: usize) {
        for row in log.iter().take(until).skip(self.done[partition]) {
            let place = (row.partition, row.offset.0);
            if self.visible.contains_key(&*row.outcome.outcome_id) {
                self.conflicts.insert(place);
            } else {
                self.visible.insert(row.outcome.outcome_id.to_string(), place);
            }
        }
        self.done[partition] = self.done[partition].max(until);
    }
}

/// The folder of one life of the file. A kill moves to a copy made while the file was open, which is what a
/// process killed at that moment leaves behind.
struct Life {
    dir: TempDir,
    sqlite: Sqlite,
}

impl Life {
    fn begin() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let sqlite = opened(&file(dir.path()));
        Self { dir, sqlite }
    }

    fn killed(self) -> Self {
        let next = tempfile::tempdir().expect("a folder");
        for ending in ["", "-wal"] {
            let from = format!("{}{ending}", file(self.dir.path()).display());
            if Path::new(&from).exists() {
                std::fs::copy(&from, format!("{}{ending}", file(next.path()).display())).expect("copies");
            }
        }
        let sqlite = opened(&file(next.path()));
        Self { dir: next, sqlite }
    }

    fn store_and_be_killed_before_the_commit(mut self, batch: &Batch) -> Self {
        let Sqlite { connection, path, lock_wait, .. } = &mut self.sqlite;
        let at = At { path, lock_wait: *lock_wait };
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).expect("locks");
        write(&transaction, batch, at).expect("writes");
        // Left open, as a kill leaves it: the copy is made with the uncommitted pages in the log.
        std::mem::forget(transaction);
        self.killed()
    }

    fn content(&self) -> (Visible, Conflicts) {
        let read = |table: &str| -> Vec<(String, Place)> {
            let sql = format!("SELECT outcome_id, kafka_partition, kafka_offset FROM {table}");
            let mut statement = self.sqlite.connection.prepare(&sql).expect("reads");
            let rows =
                statement.query_map((), |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))).expect("reads");
            rows.map(|row| row.expect("a row")).collect()
        };
        let conflicts = read("message_outcome_conflicts").into_iter().map(|(_, place)| place).collect();
        (read("message_outcomes").into_iter().collect(), conflicts)
    }
}

fn file(dir: &Path) -> PathBuf {
    dir.join("warehouse.sqlite")
}

/// With next to no cache, so that uncommitted pages reach the disk.
fn opened(path: &Path) -> Sqlite {
    let sqlite = open(path);
    sqlite.connection.pragma_update(None, "cache_size", 1).expect("sets");
    sqlite
}

/// Partitions whose offsets have gaps, as transactions leave them, and whose outcome ids sometimes repeat.
fn logs() -> impl Strategy<Value = Vec<Vec<Row>>> {
    let records = prop::collection::vec((1_i64..4, 0_u32..60), 0..30);
    prop::collection::vec(records, PARTITIONS.len()).prop_map(|logs| {
        let log = |(partition, records): (i32, Vec<(i64, u32)>)| {
            let offsets = records.iter().scan(-1, |offset, (gap, _)| {
                *offset += gap;
                Some(*offset)
            });
            let ids = records.iter().map(|(_, event)| format!("event-{event}"));
            offsets.zip(ids).map(|(offset, id)| row(partition, offset, &id)).collect()
        };
        PARTITIONS.into_iter().zip(logs).map(log).collect()
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let end = prop_oneof![3 => Just(End::Commit), 1 => Just(End::KilledBefore), 1 => Just(End::KilledAfter)];
    let back = prop_oneof![3 => Just(0_usize), 1 => 0..20_usize];
    let reads = prop::collection::vec((back, 0..12_usize), PARTITIONS.len());
    prop::collection::vec((reads, end).prop_map(|(reads, end)| Step { reads, end }), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn s1_each_offset_is_visible_exactly_once(logs in logs(), steps in steps()) {
        let mut life = Life::begin();
        let mut model = Model::default();
        for step in &steps {
            life = run(life, &mut model, &logs, step);
            prop_assert_eq!(life.content(), (model.visible.clone(), model.conflicts.clone()));
        }
        let rest = Step { reads: vec![(0, usize::MAX); PARTITIONS.len()], end: End::Commit };
        let life = run(life, &mut model, &logs, &rest);
        let (visible, conflicts) = life.content();
        prop_assert_eq!(i64::try_from(visible.len()), Ok(count(&life.sqlite, "message_outcomes")));
        let places: BTreeSet<_> = visible.values().copied().collect();
        prop_assert!(places.is_disjoint(&conflicts));
        let all: BTreeSet<_> = logs.iter().flatten().map(|row| (row.partition, row.offset.0)).collect();
        prop_assert_eq!(&places | &conflicts, all);
    }
}

fn run(mut life: Life, model: &mut Model, logs: &[Vec<Row>], step: &Step) -> Life {
    let positions = positions(&mut life.sqlite, &PARTITIONS);
    let mut rows = Vec::new();
    let mut reached = Vec::new();
    for (index, log) in logs.iter().enumerate() {
        let position = positions[index];
        let done = log.iter().filter(|row| position.is_some_and(|next| next.is_past(row.offset))).count();
        let (back, take) = step.reads[index];
        let from = done.saturating_sub(back);
        let until = from.saturating_add(take).min(log.len());
        rows.extend_from_slice(&log[from..until]);
        reached.push(until);
    }
    let batch = batch(rows);
    if matches!(step.end, End::KilledBefore) {
        return life.store_and_be_killed_before_the_commit(&batch);
    }
    let Stored { rows, conflicts, replayed } = store(&mut life.sqlite, &batch);
    assert_eq!(
        usize::try_from(rows + conflicts + replayed),
        Ok(batch.rows().len()),
        "each row is counted once"
    );
    for (partition, until) in reached.into_iter().enumerate() {
        model.take(partition, &logs[partition], until);
    }
    if matches!(step.end, End::KilledAfter) { life.killed() } else { life }
}
