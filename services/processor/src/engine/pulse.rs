//! What a thread of the engine is at, and for how long one try of it may last.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::transaction::protocol::Act;

/// One call of Kafka's client ends long before that by its own timeout.
const CALL_MAX: Duration = Duration::from_secs(90);
/// A disk has no timeout: thousands of cold reads, or a stalled write, may take their time.
const DISK_MAX: Duration = Duration::from_mins(5);
/// How long workers have to let go of a partition. One that still holds another may be patient all the way: a new producer (130 s),
/// T1 to T5 (75 s), a new producer to settle a doubt (130 s), its outcome (123 s), the disk (5 min): 13 min in all, and each of these
/// is watched by itself.
const LET_GO_MAX: Duration = Duration::from_mins(15);
/// How long a session may take to end. A worker may still be at T1 to T5 and a new producer (85 s); what fails is not tried
/// again.
const END_MAX: Duration = Duration::from_mins(3);

/// What a thread is at, as readiness and the log name it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Task {
    /// Nothing: it hasn't begun, or it has ended.
    #[default]
    Nothing,
    /// A worker looks for orders.
    Obey,
    /// A worker begins to work on a partition.
    Start { partition: i32 },
    /// A worker lets go of a partition.
    Drop { partition: i32 },
    /// A worker reads its inbox.
    Gather,
    /// A worker makes a step of a partition.
    Step { partition: i32 },
    /// A worker is at an act of the commit protocol.
    Commit(Act),
    /// A worker waits after an abort.
    Pause,
    /// A worker notes that a partition's step is committed.
    Settle { partition: i32 },
    /// A worker asks where changelogs end.
    KeepUp,
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
    /// The control thread hands partitions out, and hears what workers tell.
    Tend,
    /// The control thread ends the session.
    End,
}

impl Task {
    /// For how long one try may last. After that, nothing will end it.
    pub(super) fn patience(self) -> Duration {
        match self {
            Self::Nothing => Duration::MAX,
            Self::Start { .. } | Self::Drop { .. } | Self::Step { .. } | Self::Settle { .. } => DISK_MAX,
            Self::Expire { .. } | Self::Close | Self::Commit(Act::Apply) => DISK_MAX,
            Self::TakeBack => LET_GO_MAX,
            Self::End => END_MAX,
            Self::Obey | Self::Gather | Self::Commit(_) | Self::Pause | Self::KeepUp => CALL_MAX,
            Self::Join | Self::Poll | Self::Release | Self::Tend => CALL_MAX,
        }
    }
}

/// Where a thread tells what it is at. Cheap enough for every step of every partition: it reads no clock, see
/// [`Watch`](super::watch::Watch).
#[derive(Debug, Default)]
pub(super) struct Pulse {
    moment: Mutex<Moment>,
}

/// What a thread is at now, told from every earlier time that it was at the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) task: Task,
    /// How many tasks it has begun.
    pub(super) tasks: u64,
    /// How many tries it has begun, of any task.
    pub(super) tries: u64,
}

impl Pulse {
    /// Begins a task, or the same one again.
    pub(super) fn begins(&self, task: Task) {
        let mut moment = self.locked();
        moment.tries += 1;
        moment.tasks += u64::from(moment.task != task);
        moment.task = task;
    }

    pub(super) fn moment(&self) -> Moment {
        *self.locked()
    }

    fn locked(&self) -> MutexGuard<'_, Moment> {
        self.moment.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
