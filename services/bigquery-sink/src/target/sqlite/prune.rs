//! Deletes what is older than it is kept, a bounded piece at a time.

use rusqlite::{Connection, TransactionBehavior};

/// Rows that one step deletes at most: some tens of milliseconds under the write lock.
pub(super) const ROWS_MAX: i64 = 5_000;

/// The oldest rows by the time of their event, by the index on it.
const OUTCOMES: &str = "DELETE FROM message_outcomes WHERE rowid IN (
    SELECT rowid FROM message_outcomes WHERE timestamp < ?1 ORDER BY timestamp LIMIT ?2)";

/// Conflicts have no column for the time of their event. There are hardly any.
const CONFLICTS: &str = "DELETE FROM message_outcome_conflicts WHERE rowid IN (
    SELECT rowid FROM message_outcome_conflicts WHERE inserted_at < ?1 LIMIT ?2)";

/// Deletes rows of events before `oldest`, at most [`ROWS_MAX`] of each table.
pub(super) fn step(connection: &mut Connection, oldest: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for delete in [OUTCOMES, CONFLICTS] {
        transaction.prepare_cached(delete)?.execute((oldest, ROWS_MAX))?;
    }
    transaction.commit()
}
