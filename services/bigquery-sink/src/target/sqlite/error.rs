use std::path::Path;
use std::time::Duration;

use rusqlite::ErrorCode;
use thiserror::Error;

use super::schema;

/// An SQLite warehouse can't be used. The text names the mend.
#[derive(Debug, Error)]
pub enum Error {
    /// The file can't be opened or made.
    #[error("{path} can't be opened: check that its folder exists and that this user may write there")]
    CannotOpen {
        /// The file.
        path: String,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The file or its folder can't be written.
    #[error("{path} can't be written: give this user write access to the file and its folder")]
    ReadOnly {
        /// The file.
        path: String,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// Another program holds the file's write lock.
    #[error(
        "{path} was locked by another program for {waited_ms} ms: end its write transaction, or raise AFTERSEND_WAREHOUSE_LOCK_WAIT"
    )]
    Locked {
        /// The file.
        path: String,
        /// How long the sink waited for it.
        waited_ms: u64,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// No space is left, or the disk fails.
    #[error(
        "the disk of {path} is full or failing: free space there, then start again; nothing is lost or doubled"
    )]
    Disk {
        /// The file.
        path: String,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The file is no database, or a damaged one.
    #[error(
        "{path} is no SQLite database, or a damaged one: move it away or name another file; a new one is filled with what the topic still holds"
    )]
    Damaged {
        /// The file.
        path: String,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The database belongs to another program.
    #[error("{path} is another program's database: name another file in AFTERSEND_WAREHOUSE")]
    Foreign {
        /// The file.
        path: String,
    },
    /// The file was written by a newer Aftersend.
    #[error(
        "{path} has format {found}, written by a newer Aftersend; this one knows up to {known}: upgrade it, or name another file"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its format.
        found: i64,
        /// The newest format that this version knows.
        known: i64,
    },
    /// The table refuses rows that nothing speaks against.
    #[error(
        "{path} refuses every row ({why}): its tables were altered; undo that, or name another file in AFTERSEND_WAREHOUSE"
    )]
    Altered {
        /// The file.
        path: String,
        /// What SQLite said.
        why: String,
    },
    /// The file system can't do what concurrent readers need.
    #[error("{path} can't use write-ahead logging: put it on a local disk")]
    NoWriteAheadLog {
        /// The file.
        path: String,
    },
    /// Another sink moved the file on to another log while this one was reading.
    #[error(
        "{path} holds a position of another log of {topic}[{partition}] than this sink reads: another sink has recorded a gap; start this one again"
    )]
    AnotherTopic {
        /// The file.
        path: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// Anything else.
    #[error("sqlite failed to {attempt} {path}")]
    Failed {
        /// The file.
        path: String,
        /// What was tried.
        attempt: &'static str,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
}

/// The file that an error is about, and how long its lock is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) path: &'a Path,
    pub(super) lock_wait: Duration,
}

impl At<'_> {
    /// What an SQLite error means to whoever must mend it.
    pub(super) fn error(self, attempt: &'static str, source: rusqlite::Error) -> Error {
        let path = self.path();
        let waited_ms = u64::try_from(self.lock_wait.as_millis()).unwrap_or(u64::MAX);
        match source.sqlite_error_code() {
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Error::CannotOpen { path, source },
            Some(ErrorCode::ReadOnly) => Error::ReadOnly { path, source },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Error::Locked { path, waited_ms, source }
            }
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => Error::Disk { path, source },
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Error::Damaged { path, source },
            _ => Error::Failed { path, attempt, source },
        }
    }

    pub(super) fn newer(self, found: i64) -> Error {
        Error::Newer { path: self.path(), found, known: schema::VERSION }
    }

    pub(super) fn foreign(self) -> Error {
        Error::Foreign { path: self.path() }
    }

    pub(super) fn path(self) -> String {
        self.path.display().to_string()
    }
}
