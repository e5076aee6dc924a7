use std::path::{Path, PathBuf};

use rocksdb::ErrorKind;
use thiserror::Error;

use crate::state::identity::{Identity, Log};
use crate::state::meta::Meta;

/// The store failed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// RocksDB refused.
    #[error("state store {path} failed: check the disk's space and the folder's owner")]
    Rocks {
        /// The partition's folder.
        path: PathBuf,
        /// What RocksDB said.
        #[source]
        source: rocksdb::Error,
    },
    /// The system refused to change a file of it.
    #[error("state store {path} failed: check the folder's owner")]
    File {
        /// The partition's folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Its files are damaged or missing. Nothing is lost: the changelogs have it all, and the next restore wipes the folder.
    #[error("state store {path} is damaged ({what})")]
    Corrupt {
        /// The partition's folder.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// It is somebody else's.
    #[error(
        "state store {path} belongs to {found:?}, not to {wanted:?}: point AFTERSEND_STATE at another folder"
    )]
    Foreign {
        /// The partition's folder.
        path: PathBuf,
        /// What it belongs to.
        found: Box<Identity>,
        /// What was opened.
        wanted: Box<Identity>,
    },
    /// A topic that it was made from was deleted and made anew since.
    #[error("state store {path} was made from another {log:?} topic than the one of that name now")]
    Recreated {
        /// The partition's folder.
        path: PathBuf,
        /// Which topic.
        log: Log,
        /// Where the store stands, where it holds anything.
        meta: Option<Box<Meta>>,
    },
    /// What it holds does not read.
    #[error("state store {path} does not read ({what}): it was written by another version")]
    Unreadable {
        /// The partition's folder.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

impl StoreError {
    pub(super) fn of(path: &Path, source: rocksdb::Error) -> Self {
        let path = path.to_owned();
        if is_damage(&source) {
            return Self::Corrupt { path, what: source.into_string() };
        }
        Self::Rocks { path, source }
    }

    /// Whether the store's files are damaged: what wiping and restoring mends. Whoever meets it starts over; the folder is
    /// marked, and the restore does the rest.
    #[must_use]
    pub fn is_corruption(&self) -> bool {
        matches!(self, Self::Corrupt { .. })
    }

    /// Whether it is still open elsewhere: in this process a flush may be ending, for which it was kept open.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Rocks { source, .. } if source.as_ref().contains("lock hold by current process"))
    }
}

/// A file that is missing from a database is damage; a full disk, or a lock that another process holds, is none.
fn is_damage(error: &rocksdb::Error) -> bool {
    match error.kind() {
        ErrorKind::Corruption => true,
        ErrorKind::IOError => error.as_ref().contains("No such file or directory"),
        _ => false,
    }
}
