use kafka::transaction::TailError;
use thiserror::Error;

use super::judgement::Refusal;
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
    /// The state folder can't be used.
    #[error("state folder can't be used: check AFTERSEND_STATE and the folder's owner")]
    Folder {
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The threads that restore have died.
    #[error("the restore died")]
    Died,
    /// What is found can't be right, and going on would lose or double events.
    #[error("{topic}/{partition} is refused: {why}")]
    Refused {
        /// The topic that it is about.
        topic: String,
        /// The partition.
        partition: i32,
        /// What does not fit, and the mend.
        why: Refusal,
    },
}

impl RestoreError {
    /// Whether another try can't help.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Unreadable(_) | Self::Customer(_) => true,
            Self::Store(error) => !error.is_corruption() && !error.is_held(),
            _ => false,
        }
    }
}

/// Why an attempt to restore has ended.
#[derive(Debug)]
pub(super) enum Halt {
    /// It failed.
    Failed(RestoreError),
    /// The disk is of a history that an operator's reset has ended. The new one is filled from `from`; from the changelogs'
    /// beginnings where that is `None`.
    Superseded { from: Option<crate::state::meta::Progress> },
}

macro_rules! failed {
    ($($error:ty),*) => {
        $(impl From<$error> for Halt {
            fn from(error: $error) -> Self {
                Self::Failed(error.into())
            }
        })*
    };
}
failed!(RestoreError, TailError, kafka::Error, StoreError, changelog::Unreadable, value::Unreadable);
