//! The warehouse as one SQLite file: what a newcomer gets, and exactly once without effort, since rows and
//! offsets are written in one transaction (S1).
//!
//! The file is in WAL mode, so that others read while the sink writes. `synchronous` is NORMAL: a commit
//! survives the death of the process at once, but a power cut may take the last ones back. Then it takes rows
//! and offsets together, the sink starts where the file says, and reads the same records again. FULL would
//! buy nothing but a slower disk.

mod error;
mod migration;
mod position;
mod prune;
mod row;
mod schema;
#[cfg(test)]
mod tests;
mod time;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kafka::NextOffset;
use lifecycle::clock;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use sha2::{Digest, Sha256};

pub use error::Error;

use crate::target::{
    self, Batch, DEFAULT_GROUP_PREFIX, Gap, Partition, RefusedRow, RowOutcome, StoreAnswer, StoredPosition,
    Target,
};
use error::At;

/// To how many bytes the write-ahead log is cut when its content is in the file. While a reader stays in one
/// transaction, it grows beyond that.
const WAL_BYTES_MAX: &str = "67108864";

/// Bytes of a location's hash in the default group: enough to tell the warehouses of one cluster apart.
const GROUP_HASH_BYTES: usize = 8;

/// An open SQLite warehouse.
#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
    path: PathBuf,
    lock_wait: Duration,
    /// How long rows are kept; `None` is for ever.
    keep: Option<Duration>,
}

impl Sqlite {
    /// Opens the file, or makes it where there is none; its folder must exist. `lock_wait` bounds the wait
    /// for another program's write lock. Nothing is pruned: see [`Self::keeping`].
    ///
    /// # Errors
    /// See [`Error`].
    pub fn open(path: &Path, lock_wait: Duration) -> Result<Self, Error> {
        let at = At { path, lock_wait };
        // Without SQLITE_OPEN_URI: a path is a path, whatever characters it holds.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        make_private(path);
        let mut connection = Connection::open_with_flags(path, flags).map_err(|err| at.error("open", err))?;
        connection.busy_timeout(lock_wait).map_err(|err| at.error("set up", err))?;
        // Before anything is changed: another program's file stays as it was.
        schema::ready(&mut connection, at)?;
        write_ahead(&connection, at)?;
        Ok(Self { connection, path: path.to_owned(), lock_wait, keep: None })
    }

    /// Prunes rows whose event is older than `keep`.
    #[must_use]
    pub fn keeping(self, keep: Option<Duration>) -> Self {
        Self { keep, ..self }
    }
}

impl Target for Sqlite {
    /// By the file's absolute path, with symbolic links followed.
    fn default_group(&self) -> String {
        let place = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        let hash = Sha256::digest(place.as_os_str().as_encoded_bytes());
        let hash: String = hash.iter().take(GROUP_HASH_BYTES).map(|byte| format!("{byte:02x}")).collect();
        format!("{DEFAULT_GROUP_PREFIX}sqlite-{hash}")
    }

    fn positions(&mut self, partitions: &[Partition]) -> Result<Vec<Option<StoredPosition>>, target::Error> {
        let Self { connection, path, lock_wait, .. } = self;
        let at = At { path, lock_wait: *lock_wait };
        let read = |connection: &mut Connection| -> rusqlite::Result<Vec<_>> {
            let transaction = connection.transaction()?;
            partitions
                .iter()
                .map(|(topic, partition)| position::read(&transaction, topic, *partition))
                .collect()
        };
        Ok(read(connection).map_err(|err| at.error("read", err))?)
    }

    fn record_gaps(&mut self, gaps: &[Gap]) -> Result<(), target::Error> {
        let Self { connection, path, lock_wait, .. } = self;
        let at = At { path, lock_wait: *lock_wait };
        let now = time::text(clock::now_ms());
        let write = |connection: &mut Connection| -> rusqlite::Result<()> {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            gaps.iter().try_for_each(|gap| position::record_gap(&transaction, gap, &now))?;
            transaction.commit()
        };
        Ok(write(connection).map_err(|err| at.error("write", err))?)
    }

    fn store(&mut self, batch: &Batch) -> Result<StoreAnswer, target::Error> {
        let Self { connection, path, lock_wait, .. } = self;
        let at = At { path, lock_wait: *lock_wait };
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|err| at.error("lock", err))?;
        let answer = write(&transaction, batch, at)?;
        // Where rows are refused, the transaction is rolled back.
        if matches!(answer, StoreAnswer::Stored(_)) {
            transaction.commit().map_err(|err| at.error("commit to", err))?;
        }
        Ok(answer)
    }

    fn prune(&mut self) -> Result<(), target::Error> {
        let Self { connection, path, lock_wait, keep } = self;
        let at = At { path, lock_wait: *lock_wait };
        let Some(keep) = keep else { return Ok(()) };
        let oldest = time::text(clock::now_ms().saturating_sub_unsigned(millis(*keep)));
        Ok(prune::step(connection, &oldest).map_err(|err| at.error("prune", err))?)
    }
}

/// Everything of the batch up to the commit. The positions are read under the write lock. So where two sinks
/// hold the same partition for a moment, the later one finds the rows of the earlier one.
fn write(transaction: &Transaction<'_>, batch: &Batch, at: At<'_>) -> Result<StoreAnswer, Error> {
    let failed = |err| at.error("write", err);
    let now = time::text(clock::now_ms());
    let mut positions = BTreeMap::new();
    for (partition, next) in batch.next() {
        let stored = position::read(transaction, &partition.0, partition.1).map_err(failed)?;
        if stored.as_ref().is_some_and(|stored| position::contradict(&stored.log, &next.log)) {
            return Err(another_log(partition, at));
        }
        positions.insert((&*partition.0, partition.1), stored.map_or(NextOffset(0), |stored| stored.next));
    }
    let mut outcomes = Vec::with_capacity(batch.rows().len());
    let mut refused = Vec::new();
    for (index, row) in batch.rows().iter().enumerate() {
        if positions.get(&(&*row.topic, row.partition)).is_some_and(|position| position.is_past(row.offset)) {
            outcomes.push(RowOutcome::Replayed);
            continue;
        }
        match row::insert(transaction, row, &now) {
            Ok(outcome) => outcomes.push(outcome),
            Err(err) => {
                let why = row::refusal(&err).ok_or_else(|| failed(err))?;
                refused.push(RefusedRow { row: index, why });
            }
        }
    }
    if !refused.is_empty() {
        takes_rows(transaction, at)?;
        return Ok(StoreAnswer::Refused(refused));
    }
    for (partition, next) in batch.next() {
        position::advance(transaction, partition, next).map_err(failed)?;
    }
    Ok(StoreAnswer::Stored(outcomes))
}

/// Whether the table takes a plain row. Where it doesn't, somebody has altered it, and no row is to blame:
/// the sink must not drain the topic into the dead letters (S4).
fn takes_rows(transaction: &Transaction<'_>, at: At<'_>) -> Result<(), Error> {
    row::insert_plain(transaction).map_err(|err| match row::refusal(&err) {
        Some(why) => Error::Altered { path: at.path(), why },
        None => at.error("write", err),
    })
}

/// Another sink has moved the file on to another log while this batch was read.
fn another_log((topic, partition): &Partition, at: At<'_>) -> Error {
    Error::AnotherTopic { path: at.path(), topic: topic.to_string(), partition: *partition }
}

/// Makes a file that only this user may read: customer ids and tokens are nobody else's concern. SQLite gives
/// its log and shared memory the same mode. A file that is there keeps its mode. What can't be made is
/// SQLite's to refuse.
fn make_private(path: &Path) {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    drop(made);
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn write_ahead(connection: &Connection, at: At<'_>) -> Result<(), Error> {
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(|err| at.error("set up", err))?;
    if mode != "wal" {
        return Err(Error::NoWriteAheadLog { path: at.path() });
    }
    let set = |name, value: &str| {
        connection.pragma_update(None, name, value).map_err(|err| at.error("set up", err))
    };
    set("synchronous", "normal")?;
    set("journal_size_limit", WAL_BYTES_MAX)
}
