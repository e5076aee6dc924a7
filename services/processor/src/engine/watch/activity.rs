//! What a thread of the engine is doing, and how long one try of it may last.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::commit::protocol::Act;

/// One call of Kafka's client. Its own timeout ends it long before this.
const CALL_MAX: Duration = Duration::from_secs(90);
/// A disk has no timeout. Thousands of cold reads, or a stalled write, may take this long.
const DISK_MAX: Duration = Duration::from_mins(5);
/// How long workers may take to let go of a partition. A worker that still holds another partition may use
/// all its patience: a new producer (130 s), T1 to T5 (75 s), a new producer for a doubt (130 s), the doubt's
/// outcome (123 s), the disk (5 min). That is 13 min in all. Each of these acts is also watched by itself.
const LET_GO_MAX: Duration = Duration::from_mins(15);
/// How long a session may take to end. A worker may still be at T1 to T5 and a new producer (85 s). What
/// fails then is not tried again.
const END_MAX: Duration = Duration::from_mins(3);

/// What a thread is doing, as readiness and the log name it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::engine) enum Task {
    /// Nothing: it hasn't begun, or it has ended.
    #[default]
    Nothing,
    /// A worker looks for commands.
    HandleCommands,
    /// A worker begins to work on a partition.
    Start { partition: i32 },
    /// A worker lets go of a partition.
    Drop { partition: i32 },
    /// A worker reads its inbox.
    ReadInbox,
    /// A worker applies records to a partition.
    Apply { partition: i32 },
    /// A worker is at an act of the commit protocol.
    Commit(Act),
    /// A worker waits after an abort.
    Pause,
    /// A worker notes that a partition's records are committed.
    Settle { partition: i32 },
    /// A worker asks where the changelogs end.
    ReadChangelogEnds,
    /// A worker forgets old ids of a partition.
    Expire { partition: i32 },
    /// A worker closes what it holds.
    Close,
    /// The control thread joins the group.
    Join,
    /// The control thread polls the group.
    Poll,
    /// The control thread waits until workers have let go of partitions.
    TakeBack,
    /// The control thread gives partitions back to the group.
    Release,
    /// The control thread hands partitions to workers, and handles their reports.
    HandOut,
    /// The control thread ends the session.
    End,
}

impl Task {
    /// Whether the thread may wait for a broker, or for a thread that does.
    pub(super) fn needs_brokers(self) -> bool {
        let patience = self.patience();
        patience == CALL_MAX || patience == LET_GO_MAX
    }

    /// How long one try may last. A try that lasts longer will never end by itself.
    pub(super) fn patience(self) -> Duration {
        match self {
            Self::Nothing => Duration::MAX,
            Self::Start { .. } | Self::Drop { .. } | Self::Apply { .. } | Self::Settle { .. } => DISK_MAX,
            Self::Expire { .. } | Self::Close | Self::Commit(Act::Apply) => DISK_MAX,
            Self::TakeBack => LET_GO_MAX,
            Self::End => END_MAX,
            Self::HandleCommands | Self::ReadInbox | Self::Commit(_) => CALL_MAX,
            Self::Pause | Self::ReadChangelogEnds => CALL_MAX,
            Self::Join | Self::Poll | Self::Release | Self::HandOut => CALL_MAX,
        }
    }
}

/// Where a thread notes what it is doing. This is cheap enough for every partition of every transaction,
/// because it reads no clock; see [`Watch`](super::Watch).
#[derive(Debug, Default)]
pub(in crate::engine) struct Activity {
    latest: Mutex<ActivityAt>,
}

/// What a thread is doing now, distinguished from every earlier time that it did the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::engine) struct ActivityAt {
    pub(in crate::engine) task: Task,
    /// How many tasks the thread has begun.
    pub(in crate::engine) tasks: u64,
    /// How many tries the thread has begun, of any task.
    pub(in crate::engine) tries: u64,
}

impl Activity {
    /// Begins a task, or the same task again.
    pub(in crate::engine) fn begins(&self, task: Task) {
        let mut latest = self.locked();
        latest.tries += 1;
        latest.tasks += u64::from(latest.task != task);
        latest.task = task;
    }

    pub(in crate::engine) fn latest(&self) -> ActivityAt {
        *self.locked()
    }

    fn locked(&self) -> MutexGuard<'_, ActivityAt> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
