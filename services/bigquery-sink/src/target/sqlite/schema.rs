//! The file's format: made once, recognised ever after, and brought up to date when it is an earlier one.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::Error;
use super::error::At;
use super::migration;

/// The newest format that this version reads and writes, kept in `PRAGMA user_version`.
pub(super) const VERSION: i64 = 3;

/// "AfSd" in `PRAGMA application_id`: tells our files from any other program's.
const APPLICATION_ID: i64 = 0x4166_5364;

/// Makes the tables in an empty file, or checks that the file is one of ours.
pub(super) fn ready(connection: &mut Connection, at: At<'_>) -> Result<(), Error> {
    // Taken at once, so that of two sinks that start together one waits and finds the other's tables.
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|err| at.error("lock", err))?;
    let (application, version) = marks(&transaction).map_err(|err| at.error("read", err))?;
    match (application, version) {
        (0, 0) if is_empty(&transaction).map_err(|err| at.error("read", err))? => create(&transaction),
        (APPLICATION_ID, VERSION) => Ok(()),
        (APPLICATION_ID, 1) => migration::from_1(&transaction).and_then(|()| mark(&transaction)),
        (APPLICATION_ID, 2) => migration::from_2(&transaction).and_then(|()| mark(&transaction)),
        (APPLICATION_ID, found) if found > VERSION => return Err(at.newer(found)),
        _ => return Err(at.foreign()),
    }
    .and_then(|()| transaction.execute_batch(include_str!("indices.sql")))
    .and_then(|()| transaction.commit())
    .map_err(|err| at.error("make the tables of", err))
}

fn marks(transaction: &Transaction<'_>) -> rusqlite::Result<(i64, i64)> {
    let pragma = |name| transaction.pragma_query_value(None, name, |row| row.get(0));
    Ok((pragma("application_id")?, pragma("user_version")?))
}

fn is_empty(transaction: &Transaction<'_>) -> rusqlite::Result<bool> {
    transaction.query_row("SELECT count(*) = 0 FROM sqlite_schema", (), |row| row.get(0))
}

fn create(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    make_tables(transaction)?;
    mark(transaction)
}

/// Makes the tables and views of [`VERSION`].
pub(super) fn make_tables(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(include_str!("schema.sql"))?;
    make_gaps(transaction)
}

/// Makes the table of gaps.
pub(super) fn make_gaps(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(include_str!("gaps.sql"))
}

fn mark(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)
}
