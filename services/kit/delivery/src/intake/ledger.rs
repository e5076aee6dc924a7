//! Which offsets may be committed: S3, only up to the last record before which everything is done.
//!
//! [`Ledger::begin`] hands out a ticket for a record. [`Ledger::complete`] takes it back when the record is
//! delivered, dead-lettered or skipped. Until then the partition's committable offset stays before the
//! record, whatever completes behind it. An assignment of a partition is an epoch. The tickets of an ended
//! epoch complete nothing: the next owner reads those records again.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use kafka::{NextOffset, RecordOffset};

/// Names a partition: topic and number.
pub type Partition = (Arc<str>, i32);

/// The permission to complete one record, in the epoch in which it was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    partition: Partition,
    epoch: u64,
    offset: RecordOffset,
}

impl Ticket {
    /// The record's partition.
    #[must_use]
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// The record's offset.
    #[must_use]
    pub fn offset(&self) -> RecordOffset {
        self.offset
    }
}

/// Why a record isn't begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declined {
    /// The partition isn't assigned.
    NotAssigned,
    /// The partition was stopped in this epoch: see [`Ledger::stop`].
    Stopped,
    /// This record, or one behind it, was begun before in this epoch.
    Repeated,
}

/// The records in hand, per partition.
#[derive(Debug, Default)]
pub struct Ledger {
    partitions: HashMap<Partition, Frontier>,
    epochs: u64,
}

#[derive(Debug, Default)]
struct Frontier {
    epoch: u64,
    /// Begun and not yet passed by the frontier, ascending. Bounded by what the sink takes in hand at once.
    open: VecDeque<(RecordOffset, Progress)>,
    last_begun: Option<RecordOffset>,
    done_before: Option<NextOffset>,
    committed: Option<NextOffset>,
    intake: Intake,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Begun,
    Complete,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Intake {
    #[default]
    Open,
    Stopped,
}

impl Ledger {
    /// A partition was assigned: a new epoch, nothing known.
    pub fn assign(&mut self, partition: Partition) {
        self.epochs += 1;
        self.partitions.insert(partition, Frontier { epoch: self.epochs, ..Frontier::default() });
    }

    /// A partition was revoked or lost: its open records are no longer this member's.
    pub fn revoke(&mut self, partition: &Partition) {
        self.partitions.remove(partition);
    }

    /// The partitions that are assigned, in order.
    #[must_use]
    pub fn assigned(&self) -> Vec<Partition> {
        let mut assigned: Vec<Partition> = self.partitions.keys().cloned().collect();
        assigned.sort();
        assigned
    }

    /// Takes a record in hand. Records of a partition come in the order of their offsets.
    ///
    /// # Errors
    /// [`Declined`], where the record must be left alone.
    pub fn begin(&mut self, partition: &Partition, offset: RecordOffset) -> Result<Ticket, Declined> {
        let frontier = self.partitions.get_mut(partition).ok_or(Declined::NotAssigned)?;
        if frontier.intake == Intake::Stopped {
            return Err(Declined::Stopped);
        }
        if frontier.last_begun.is_some_and(|last| offset <= last) {
            return Err(Declined::Repeated);
        }
        frontier.last_begun = Some(offset);
        frontier.open.push_back((offset, Progress::Begun));
        Ok(Ticket { partition: partition.clone(), epoch: frontier.epoch, offset })
    }

    /// Takes no more of a partition in this epoch. What was begun may still complete.
    pub fn stop(&mut self, partition: &Partition) {
        if let Some(frontier) = self.partitions.get_mut(partition) {
            frontier.intake = Intake::Stopped;
        }
    }

    /// Whether the record is still this member's to deliver: its epoch has not ended.
    #[must_use]
    pub fn holds(&self, ticket: &Ticket) -> bool {
        self.partitions.get(&ticket.partition).is_some_and(|frontier| frontier.epoch == ticket.epoch)
    }

    /// The record is done. A ticket of an ended epoch changes nothing.
    pub fn complete(&mut self, ticket: &Ticket) {
        let frontier =
            self.partitions.get_mut(&ticket.partition).filter(|frontier| frontier.epoch == ticket.epoch);
        if let Some(frontier) = frontier {
            frontier.complete(ticket.offset);
        }
    }

    /// Where each partition's committed offset may move to. Partitions whose offset would not move are left
    /// out.
    #[must_use]
    pub fn committable(&self) -> Vec<(Arc<str>, i32, NextOffset)> {
        let advanced =
            |frontier: &Frontier| frontier.done_before.filter(|next| Some(*next) > frontier.committed);
        self.partitions
            .iter()
            .filter_map(|((topic, number), frontier)| Some((topic.clone(), *number, advanced(frontier)?)))
            .collect()
    }

    /// These offsets were committed.
    pub fn committed(&mut self, offsets: &[(Arc<str>, i32, NextOffset)]) {
        for (topic, number, next) in offsets {
            if let Some(frontier) = self.partitions.get_mut(&(topic.clone(), *number)) {
                frontier.committed = frontier.committed.max(Some(*next));
            }
        }
    }

    /// Records begun and not yet passed by their partition's frontier.
    #[must_use]
    pub fn open(&self) -> usize {
        self.partitions.values().map(|frontier| frontier.open.len()).sum()
    }
}

impl Frontier {
    fn complete(&mut self, offset: RecordOffset) {
        if let Ok(index) = self.open.binary_search_by_key(&offset, |(open, _)| *open) {
            self.open[index].1 = Progress::Complete;
        }
        while let Some((offset, Progress::Complete)) = self.open.front() {
            self.done_before = Some(offset.next());
            self.open.pop_front();
        }
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
