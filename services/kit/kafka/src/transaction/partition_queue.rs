use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::member::{Rebalances, tolerate};
use crate::ffi::{Popped, Queue};
use crate::{Error, Incoming};

/// A queue that receives the records of some of a member's partitions: those that
/// [`Member::start`](super::Member::start) forwards to it. One thread polls it.
pub struct PartitionQueue {
    queue: Arc<Queue<Rebalances>>,
    topic: Arc<str>,
}

/// Ends the wait of a thread that polls a [`PartitionQueue`], from another thread.
#[derive(Clone)]
pub struct WakeHandle {
    queue: Arc<Queue<Rebalances>>,
}

/// What a poll of a queue brought.
#[derive(Debug)]
pub enum Arrival {
    /// Nothing: the time was over, or the thread was woken.
    Nothing,
    /// A record.
    Record(Incoming),
    /// Everything that a partition holds has been read.
    End {
        /// The partition.
        partition: i32,
    },
}

impl PartitionQueue {
    pub(super) fn new(queue: Queue<Rebalances>, topic: Arc<str>) -> Self {
        Self { queue: Arc::new(queue), topic }
    }

    /// Makes the records of `partition` arrive here.
    pub(super) fn forward_from(&self, partition: i32) {
        self.queue.forward_from(&self.topic, partition);
    }

    /// A handle that ends a wait in [`Self::poll`].
    #[must_use]
    pub fn wake_handle(&self) -> WakeHandle {
        WakeHandle { queue: Arc::clone(&self.queue) }
    }

    /// Waits at most `wait` for a record.
    ///
    /// # Errors
    /// If a position is gone from the log, records cannot be read, or the broker refuses this client. A lost
    /// connection is not an error.
    pub fn poll(&self, wait: Duration) -> Result<Arrival, Error> {
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

impl WakeHandle {
    /// Ends the current wait, or the next one if no thread waits now.
    pub fn wake(&self) {
        self.queue.wake();
    }
}

impl std::fmt::Debug for PartitionQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PartitionQueue").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for WakeHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WakeHandle").finish_non_exhaustive()
    }
}
