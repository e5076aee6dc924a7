use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::member::{Rebalances, tolerate};
use crate::ffi::{Popped, Queue};
use crate::{Error, Incoming};

/// Where the records of some of a member's partitions arrive, whichever of them [`Member::start`](super::Member::start) leads
/// here. One thread reads it.
pub struct Inbox {
    queue: Arc<Queue<Rebalances>>,
    topic: Arc<str>,
}

/// Breaks an [`Inbox`]'s wait off, from another thread.
#[derive(Clone)]
pub struct Bell {
    queue: Arc<Queue<Rebalances>>,
}

/// What an inbox brought.
#[derive(Debug)]
pub enum Arrival {
    /// Nothing in time, or the bell rang.
    Nothing,
    /// A record.
    Record(Incoming),
    /// Everything that a partition holds has been read.
    End {
        /// The partition.
        partition: i32,
    },
}

impl Inbox {
    pub(super) fn new(queue: Queue<Rebalances>, topic: Arc<str>) -> Self {
        Self { queue: Arc::new(queue), topic }
    }

    pub(super) fn lead(&self, partition: i32) {
        self.queue.lead(&self.topic, partition);
    }

    /// What breaks a wait off.
    #[must_use]
    pub fn bell(&self) -> Bell {
        Bell { queue: Arc::clone(&self.queue) }
    }

    /// Waits at most `wait` for a record.
    ///
    /// # Errors
    /// Where a position is gone from the log, records can't be read, or the broker refuses this client. A lost broker is none.
    pub fn take(&self, wait: Duration) -> Result<Arrival, Error> {
        match self.queue.pop(&self.topic, wait) {
            Popped::Nothing => Ok(Arrival::Nothing),
            Popped::Record(record) => Ok(Arrival::Record(record)),
            Popped::Error { code: RDKafkaErrorCode::PartitionEOF, partition } => {
                Ok(Arrival::End { partition })
            }
            Popped::Error { code, .. } => {
                tolerate(&self.topic, KafkaError::MessageConsumption(code)).map(|()| Arrival::Nothing)
            }
        }
    }
}

impl Bell {
    /// Rings.
    pub fn ring(&self) {
        self.queue.wake();
    }
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Bell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bell").finish_non_exhaustive()
    }
}
