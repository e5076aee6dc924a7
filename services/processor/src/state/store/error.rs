//! Why a store fails.

use std::path::{Path, PathBuf};

use rocksdb::ErrorKind;
use thiserror::Error;

use crate::state::identity::{Log, StoreIdentity};
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
    /// The system refused to change one of its files.
    #[error("state store {path} failed: check the folder's owner")]
    File {
        /// The partition's folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Its files are damaged or missing. Nothing is lost: the changelogs have everything, and the next
    /// restore wipes the folder.
    #[error("state store {path} is damaged ({what})")]
    Corrupt {
        /// The partition's folder.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// It belongs to another cluster, topic or partition.
    #[error(
        "state store {path} belongs to {found:?}, not to {wanted:?}: point AFTERSEND_STATE at another folder"
    )]
    Foreign {
        /// The partition's folder.
        path: PathBuf,
        /// What it belongs to.
        found: Box<StoreIdentity>,
        /// What was opened.
        wanted: Box<StoreIdentity>,
    },
    /// A topic that it was made from was deleted and created again since.
    #[error("state store {path} was made from another {log:?} topic than the one of that name now")]
    Recreated {
        /// The partition's folder.
        path: PathBuf,
        /// Which topic.
        log: Log,
        /// Where the store stands, where it holds anything.
        meta: Option<Box<Meta>>,
    },
    /// A value in it can't be read.
    #[error("state store {path} does not read: {what}")]
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

    /// Whether the store's files are damaged, which wiping and restoring repairs. The folder is already
    /// marked as damaged: start the session over, and its restore does the rest.
    #[must_use]
    pub fn is_corruption(&self) -> bool {
        matches!(self, Self::Corrupt { .. })
    }

    /// Whether this process still has it open: a background flush may keep it open until it ends.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Rocks { source, .. } if source.as_ref().contains("lock hold by current process"))
    }
}

/// A file that is missing from a database is damage. A full disk, or another process's lock, is not.
fn is_damage(error: &rocksdb::Error) -> bool {
    match error.kind() {
        ErrorKind::Corruption => true,
        ErrorKind::IOError => error.as_ref().contains("No such file or directory"),
        _ => false,
    }
}
