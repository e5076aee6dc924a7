//! An owner: a process with its disks, its share of the group, and a transaction that the protocol's own
//! [`State`] drives.

use processor::commit::protocol::State;

use super::broker::{Broker, CommittedOffset, Entry, Mark, OWNERS, PARTITIONS};

/// A partition's disk. It survives whatever happens to the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Disk {
    pub(crate) mark: Mark,
    /// Ids seen.
    pub(crate) ids: u64,
    /// How much of the changelog it holds for certain.
    pub(crate) upto: u8,
}

/// A partition, as its owner sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    #[default]
    Absent,
    /// Before R1.
    Asking,
    /// R2 done before R1, which is wrong.
    Measured(u8),
    /// After R1.
    Asked(Option<Mark>),
    /// After R2.
    Waiting(Option<Mark>, u8),
    /// After R6.
    Running,
    /// Behind the gate, and not let go of: its worker is busy with a transaction.
    Leaving,
    /// Refused to go on.
    Stopped(Why),
}

/// Why a partition stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Why {
    /// R6: the group and the changelog disagree.
    Disagree,
    /// A transaction seemed committed for one partition and not for the other.
    Split,
}

/// A partition's share of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Share {
    pub(crate) before: Mark,
    pub(crate) after: Mark,
    pub(crate) events: u64,
    /// How far the changelog was decided when the transaction began.
    pub(crate) seen: u8,
    /// Still held as it was when the transaction began.
    pub(crate) held: bool,
    /// Found to be somebody else's.
    pub(crate) elsewhere: bool,
    /// Whether the act under way is done with it.
    pub(crate) done: bool,
}

/// A transaction, from its first record to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Transaction {
    pub(crate) state: State,
    pub(crate) shares: [Option<Share>; PARTITIONS],
    /// Whether it holds the gate, which a rebalance waits for.
    pub(crate) is_inside_gate: bool,
}

impl Transaction {
    pub(crate) fn entry(&self, by: u8, p: usize) -> Option<Entry> {
        let Share { before, after, events, .. } = self.shares[p]?;
        Some(Entry { by, committed: false, from: before.next, after, events })
    }

    pub(crate) fn positions(&self, by: u8) -> [Option<CommittedOffset>; PARTITIONS] {
        self.shares.map(|share| share.map(|share| CommittedOffset { mark: share.after, attempt: Some(by) }))
    }

    /// The first share that the act under way is not done with.
    pub(crate) fn next_share(&self) -> Option<usize> {
        self.shares.iter().position(|share| share.is_some_and(|share| !share.done))
    }

    pub(crate) fn finish(&mut self, p: usize) {
        if let Some(share) = &mut self.shares[p] {
            share.done = true;
        }
    }

    pub(crate) fn begin_act(&mut self) {
        self.shares.iter_mut().flatten().for_each(|share| share.done = false);
    }
}

/// What runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) enum Life {
    #[default]
    Down,
    /// Joins and restores, and has not yet ended what its predecessor left.
    Starting,
    Up,
}

/// A process, and its volume.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    pub(crate) life: Life,
    /// Something disturbed the producer, so that a request of its may still be on its way.
    pub(crate) doubtful: bool,
    pub(crate) parts: [Part; PARTITIONS],
    pub(crate) transaction: Option<Transaction>,
    pub(crate) disks: [Disk; PARTITIONS],
}

impl Owner {
    /// Where partition `p` stands. A new history is named by its owner.
    pub(crate) fn mark(&self, o: usize, p: usize) -> Mark {
        let mark = self.disks[p].mark;
        let history = if mark.seq == 0 { u8::try_from(o + 1).expect("few owners") } else { mark.history };
        Mark { history, ..mark }
    }

    /// One step of `records` records of partition `p`, whose events are `ids` by offset.
    pub(crate) fn share(&self, broker: &Broker, o: usize, p: usize, records: u8, ids: &[u8]) -> Share {
        let before = self.mark(o, p);
        let next = before.next + records;
        let read = ids[before.next.into()..next.into()].iter().fold(0, |events, id| events | 1 << id);
        let after = Mark { seq: before.seq + 1, next, ..before };
        let events = read & !self.disks[p].ids;
        Share { before, after, events, seen: broker.stable_end(p), held: true, elsewhere: false, done: false }
    }

    /// T6.
    pub(crate) fn apply(&mut self, p: usize, share: &Share) {
        let disk = &mut self.disks[p];
        let upto = disk.upto.max(share.seen);
        *disk = Disk { mark: share.after, ids: disk.ids | share.events, upto };
    }

    /// Closes the gate for partition `p`, and lets go of it, which only a worker without a transaction can do
    /// at once.
    pub(crate) fn give_up(&mut self, p: usize, waits: bool) {
        let worked_on = matches!(self.parts[p], Part::Running | Part::Leaving);
        let is_busy = waits && worked_on && self.transaction.is_some();
        self.parts[p] = if is_busy { Part::Leaving } else { Part::Absent };
        if let Some(share) = self.transaction.as_mut().and_then(|it| it.shares[p].as_mut()) {
            share.held = false;
        }
    }

    /// Only the disks stay.
    pub(crate) fn die(&mut self) {
        *self = Self { disks: self.disks, ..Self::default() };
    }

    /// Entries vanished from partition `p`'s log: places behind them move up.
    pub(crate) fn close_up(&mut self, p: usize, at: u8) {
        let up = |place: &mut u8| *place -= u8::from(*place > at);
        up(&mut self.disks[p].upto);
        match &mut self.parts[p] {
            Part::Measured(high) | Part::Waiting(_, high) => up(high),
            _ => {}
        }
        if let Some(share) = self.transaction.as_mut().and_then(|it| it.shares[p].as_mut()) {
            up(&mut share.seen);
        }
    }
}

/// What people call an owner.
pub(crate) fn name(o: usize) -> char {
    ['A', 'B', 'C'][o % OWNERS]
}
