use kafka::transaction::TailError;
use thiserror::Error;

use crate::state::changelog;
use crate::state::store::StoreError;
use crate::state::value;

/// A partition could not be restored.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// A changelog could not be read.
    #[error(transparent)]
    Tail(#[from] TailError),
    /// Kafka failed.
    #[error(transparent)]
    Kafka(#[from] kafka::Error),
    /// The disk failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A changelog record does not read.
    #[error(transparent)]
    Unreadable(#[from] changelog::Unreadable),
    /// A customer's state does not read.
    #[error(transparent)]
    Customer(#[from] value::Unreadable),
    /// The state folder can't be made.
    #[error("state folder can't be made: check AFTERSEND_STATE and the folder's owner")]
    Folder {
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The thread that restores has died.
    #[error("the restore died")]
    Died,
    /// What is found can't be right, and going on would lose or double events.
    #[error("partition {partition} is refused: {why}")]
    Refused {
        /// The partition.
        partition: i32,
        /// What does not fit, and the mend.
        why: String,
    },
}

impl RestoreError {
    /// Whether another try can't help.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Unreadable(_) | Self::Customer(_) | Self::Store(_))
    }
}
