//! Why a restore fails, and what it refuses.

use kafka::NextOffset;
use kafka::transaction::TailError;
use thiserror::Error;

use crate::domain::time::window;
use crate::state::format::Unreadable;
use crate::state::identity::Log;
use crate::state::meta::{ChangelogPositions, OffsetMark};
use crate::state::store::StoreError;

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
    /// A changelog record can't be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The state folder can't be used.
    #[error("state folder can't be used: check AFTERSEND_STATE and the folder's owner")]
    Folder {
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The restore panicked, or was begun anew too often.
    #[error("the restore died: the log says where")]
    Died,
    /// What was found contradicts itself, and continuing would lose or double events.
    #[error("{topic}/{partition} is refused: {why}")]
    Refused {
        /// The topic that the refusal is about.
        topic: String,
        /// The partition.
        partition: i32,
        /// What does not fit, and what to do.
        why: Refusal,
    },
}

impl RestoreError {
    /// Whether it is a fault of the process that another try can't mend: the disk, or a folder that belongs
    /// elsewhere. What is wrong with one partition stops only that partition.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        use kafka::Error::{Settings, Unauthorized};
        match self {
            Self::Store(error) => !error.is_corruption() && !error.is_held(),
            Self::Tail(TailError::Kafka(error)) | Self::Kafka(error) => {
                matches!(error, Unauthorized { .. } | Settings(_))
            }
            _ => false,
        }
    }
}

/// What a restore found contradicts itself, and continuing would lose or double events. Each refusal says
/// what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A log ends before the position that the disk has read.
    #[error(
        "the disk is ahead of the log: it has read up to offset {on_disk}, and the log ends at {end}: a leader without the newest \
         records was elected, or the topic was made anew. Keep this disk, it is the only copy of what is missing; bring the topic \
         back, or {mend}",
        mend = START_OVER
    )]
    DiskAhead {
        /// Which log.
        log: Log,
        /// How far the disk has read it.
        on_disk: NextOffset,
        /// Where it ends.
        end: NextOffset,
    },
    /// A topic was deleted and created again.
    #[error(
        "the topic was deleted and made anew since this disk was filled, so positions in it mean nothing any more. {}",
        mend_of_recreated(*.0)
    )]
    Recreated(Log),
    /// The state changelog has lost its beginning.
    #[error(
        "the log begins at offset {first}, and the disk has read it up to {on_disk}: what is between was deleted and not compacted \
         (kafka-delete-records.sh, or a cleanup.policy with `delete`), and with it customers that nothing else knows. Use a disk that \
         has read further, or {mend}",
        mend = START_OVER
    )]
    StateCut {
        /// How far the disk has read it.
        on_disk: NextOffset,
        /// Where it begins.
        first: NextOffset,
    },
    /// The two changelogs don't agree.
    #[error(
        "the two changelogs end with different transactions ({state:?} and {dedupe:?}): one of them has lost records. Bring them \
         back, or {mend}",
        mend = START_OVER
    )]
    ChangelogsDiffer {
        /// The number of the state changelog's last one.
        state: Option<u64>,
        /// The number of the dedupe changelog's last one.
        dedupe: Option<u64>,
    },
    /// The group's offset was set back.
    #[error(
        "the group was set back to offset {group}, and the events before {stands} are already counted: set it to {stands} again \
         (kafka-consumer-groups.sh --reset-offsets --to-offset {stands}), or, to count everything again, {mend}",
        mend = START_OVER
    )]
    GroupBack {
        /// The group's position.
        group: NextOffset,
        /// Where the state stands.
        stands: NextOffset,
    },
    /// The group's offset carries a text that this application did not write.
    #[error(
        "the group stands at offset {group}, beside a text that this application did not write: another application committed it, \
         or a newer version did. Check processor.application_id; where the offset was copied from another group, {mend}",
        mend = START_OVER
    )]
    GroupForeign {
        /// The group's position.
        group: NextOffset,
    },
    /// The group's offset is ahead of the changelogs.
    #[error(
        "the group stands at offset {group} ({mark:?}), and the changelogs end at {stands:?}: they have lost records, or the group was \
         set forward. Set it back, bring the records back, or {mend}",
        mend = START_OVER
    )]
    GroupAhead {
        /// The group's position.
        group: NextOffset,
        /// What the offset's metadata says.
        mark: OffsetMark,
        /// Where the state stands.
        stands: Option<NextOffset>,
    },
    /// Input records that were never read are gone.
    #[error(
        "the log holds offsets {first} to {end}, and the partition stands at {stands}: it was cut or made anew, and what is missing was \
         never read. Bring those records back. {mend}",
        mend = ACCEPT_LOSS
    )]
    InputCut {
        /// Where the partition stands.
        stands: NextOffset,
        /// Where the input begins.
        first: NextOffset,
        /// Where it ends.
        end: NextOffset,
    },
    /// Ids are gone that the window still needs.
    #[error(
        "the log begins inside the window, at offset {first}: ids up to day {missing} are missing, so duplicates would count twice. Its \
         retention.ms must be the window and ten days. Use a disk that has read them. {mend}",
        mend = ACCEPT_LOSS
    )]
    IdsMissing {
        /// Where the dedupe changelog begins.
        first: NextOffset,
        /// The last day of which ids are missing, in days since 1970.
        missing: window::Day,
    },
}

const START_OVER: &str = "forget this partition's state and read the input from its beginning: `aftersend reset processor start-over`";
const ACCEPT_LOSS: &str = "To go on without them: `aftersend reset processor accept-loss`";
const START_OVER_ON_NEW_TOPIC: &str = "Keep this disk, it is the only copy of what was in it. To go on without it: `aftersend reset processor start-over`";

fn mend_of_recreated(log: Log) -> &'static str {
    if log == Log::Input { ACCEPT_LOSS } else { START_OVER_ON_NEW_TOPIC }
}

impl Refusal {
    /// The log that the refusal is about.
    #[must_use]
    pub fn log(&self) -> Log {
        match self {
            Self::DiskAhead { log, .. } | Self::Recreated(log) => *log,
            Self::StateCut { .. } | Self::ChangelogsDiffer { .. } => Log::State,
            Self::GroupBack { .. }
            | Self::GroupForeign { .. }
            | Self::GroupAhead { .. }
            | Self::InputCut { .. } => Log::Input,
            Self::IdsMissing { .. } => Log::Dedupe,
        }
    }
}

/// Why an attempt to restore has ended.
#[derive(Debug)]
pub(super) enum Halt {
    /// It failed.
    Failed(RestoreError),
    /// The disk holds a history that an operator's reset has ended. The new disk is filled from `from`, or
    /// from the beginning of the changelogs where that is `None`.
    Superseded { from: Option<ChangelogPositions> },
    /// So many changelog records are to be replayed, and this attempt may not.
    Postponed { records: u64 },
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
failed!(RestoreError, TailError, kafka::Error, StoreError, Unreadable);
