//! Kafka, as far as the protocol leans on it: transactions, markers, pending positions, a group.
//!
//! One log per partition stands for its outputs and changelogs together. Epochs and generations are only ever
//! compared with the newest, so a request carries whether it still has the newest: worlds that differ in the
//! count alone are one.

use kafka::NextOffset;
use processor::commit::protocol::Reply;
use processor::state::meta::{Incarnation, Meta};

/// Partitions at most.
pub(crate) const PARTITIONS: usize = 2;
/// Owners at most.
pub(crate) const OWNERS: usize = 3;

/// Where a partition stands: what [`Meta`] holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Mark {
    pub(crate) history: u8,
    pub(crate) seq: u8,
    pub(crate) next: u8,
}

impl Mark {
    pub(crate) fn meta(self) -> Meta {
        let incarnation = Incarnation::new([self.history; 16]);
        let mut meta = Meta::beginning(incarnation, NextOffset(self.next.into()));
        meta.seq = self.seq.into();
        meta
    }
}

/// What a transaction wrote to a partition's topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    /// The owner whose transactional id it bears.
    pub(crate) by: u8,
    pub(crate) committed: bool,
    /// Input records from here, up to `after.next`.
    pub(crate) from: u8,
    pub(crate) after: Mark,
    /// The events that it gives out, one bit each; the ids that it adds.
    pub(crate) events: u64,
}

/// A position, and the text beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct CommittedOffset {
    pub(crate) mark: Mark,
    /// The owner whose latest attempt it is: all that the number in the text is ever compared with.
    pub(crate) attempt: Option<u8>,
}

/// A transaction at its coordinator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    #[default]
    Idle,
    Ongoing,
    /// Decided; markers on their way.
    Committing,
    Aborting,
}

/// What the cluster knows of a transactional id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Coordinator {
    pub(crate) phase: Phase,
    /// Whether the producer that runs has the newest epoch.
    pub(crate) current: bool,
    /// Partitions in the transaction; those without their marker, once it is decided.
    pub(crate) data: [bool; PARTITIONS],
    pub(crate) offsets: bool,
    pub(crate) pending: [Option<CommittedOffset>; PARTITIONS],
}

impl Coordinator {
    /// Answers CONCURRENT_TRANSACTIONS to whatever wants to begin something.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.phase, Phase::Committing | Phase::Aborting)
    }

    fn fence(&mut self) {
        self.current = false;
        if self.phase == Phase::Ongoing {
            self.decide(Phase::Aborting);
        }
    }

    fn decide(&mut self, phase: Phase) {
        self.phase = phase;
        self.rest();
    }

    fn rest(&mut self) {
        if !self.offsets && !self.data.contains(&true) {
            self.phase = Phase::Idle;
        }
    }
}

/// What an owner asks of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Request {
    /// AddPartitionsToTxn and Produce.
    Produce(u8, Entry),
    /// AddOffsetsToTxn and TxnOffsetCommit.
    Offsets([Option<CommittedOffset>; PARTITIONS]),
    /// EndTxn: whether to commit.
    End(bool),
    /// InitProducerId.
    Init,
}

/// A request that the network holds back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Late {
    pub(crate) by: u8,
    pub(crate) request: Request,
    /// Whether its epoch and its generation are still the newest.
    pub(crate) epoch: bool,
    pub(crate) generation: bool,
}

/// The cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Broker {
    pub(crate) logs: [Vec<Entry>; PARTITIONS],
    pub(crate) coordinators: [Coordinator; OWNERS],
    pub(crate) committed: [Option<CommittedOffset>; PARTITIONS],
    /// Whether the group counts on it. A member that listens has the newest generation.
    pub(crate) member: [bool; OWNERS],
    pub(crate) assigned: [Option<u8>; PARTITIONS],
    /// Asked back from its owner, for another.
    pub(crate) moving: [Option<u8>; PARTITIONS],
    pub(crate) late: Option<Late>,
}

impl Broker {
    /// The high watermark.
    pub(crate) fn end(&self, p: usize) -> u8 {
        u8::try_from(self.logs[p].len()).expect("a short log")
    }

    /// The last stable offset.
    pub(crate) fn stable_end(&self, p: usize) -> u8 {
        let first = self.logs[p].iter().position(|entry| !entry.committed);
        first.map_or(self.end(p), |at| u8::try_from(at).expect("a short log"))
    }

    /// Whether a position is pending, so that a stable fetch is held back (KIP-447).
    pub(crate) fn is_unstable(&self, p: usize) -> bool {
        self.coordinators.iter().any(|it| it.pending[p].is_some())
    }

    /// Whether `entry` is certain to be read, by now or once its marker is there.
    pub(crate) fn is_decided(&self, p: usize, entry: &Entry) -> bool {
        let author = &self.coordinators[usize::from(entry.by)];
        entry.committed || (author.phase == Phase::Committing && author.data[p])
    }

    /// Serves a request of the producer that runs. `fenced` is whether generations are checked.
    pub(crate) fn serve(&mut self, by: usize, request: Request, fenced: bool) -> Reply {
        if request == Request::Init {
            return self.init(by);
        }
        if !self.coordinators[by].current {
            return Reply::Unusable;
        }
        self.enlist(by, request);
        let generation = self.member[by] || !fenced;
        match (self.carry_out(by, request, generation), request) {
            (true, _) | (false, Request::End(false)) => Reply::Done,
            (false, Request::Offsets(_)) => Reply::Refused,
            (false, _) => Reply::Unusable,
        }
    }

    /// Holds a request back. What its client asks first, and waits for, is done.
    pub(crate) fn delay(&mut self, by: usize, request: Request) {
        if self.coordinators[by].current {
            self.enlist(by, request);
        }
        let (epoch, generation) = (self.coordinators[by].current, self.member[by]);
        let by = u8::try_from(by).expect("few owners");
        self.hold(Late { by, request, epoch, generation });
    }

    /// Keeps a late request in mind while it could still do something.
    fn hold(&mut self, late: Late) {
        let can = match late.request {
            Request::Init => true,
            Request::Offsets(_) => late.epoch && late.generation,
            Request::Produce(..) | Request::End(_) => late.epoch,
        };
        self.late = can.then_some(late);
    }

    /// The late request arrives.
    pub(crate) fn arrive(&mut self) {
        let Some(Late { by, request, .. }) = self.late.take() else { return };
        let by = usize::from(by);
        if request != Request::Init {
            self.carry_out(by, request, true);
        } else if !self.coordinators[by].is_busy() {
            self.fence(by);
        }
    }

    /// AddPartitionsToTxn, AddOffsetsToTxn.
    fn enlist(&mut self, by: usize, request: Request) {
        let coordinator = &mut self.coordinators[by];
        match request {
            Request::Produce(p, _) => coordinator.data[usize::from(p)] = true,
            Request::Offsets(_) => coordinator.offsets = true,
            Request::End(_) | Request::Init => return,
        }
        coordinator.phase = Phase::Ongoing;
    }

    /// Does what only an ongoing transaction allows: brokers verify that since KIP-890's first part.
    fn carry_out(&mut self, by: usize, request: Request, generation: bool) -> bool {
        let coordinator = &mut self.coordinators[by];
        let is_ongoing = coordinator.phase == Phase::Ongoing;
        match request {
            Request::Produce(p, entry) if is_ongoing && coordinator.data[usize::from(p)] => {
                self.logs[usize::from(p)].push(entry);
            }
            Request::Offsets(told) if is_ongoing && coordinator.offsets && generation => {
                for (pending, told) in coordinator.pending.iter_mut().zip(told) {
                    *pending = told.or(*pending);
                }
            }
            Request::End(commit) if is_ongoing => {
                coordinator.decide(if commit { Phase::Committing } else { Phase::Aborting });
            }
            _ => return false,
        }
        true
    }

    /// A transaction that is open is aborted first, and the producer told to ask again.
    fn init(&mut self, by: usize) -> Reply {
        let open = self.coordinators[by].phase == Phase::Ongoing;
        self.fence(by);
        if open {
            return Reply::Unclear;
        }
        self.coordinators[by].current = true;
        Reply::Done
    }

    /// A new epoch: aborts what is open, and refuses whoever has the old one.
    pub(crate) fn fence(&mut self, by: usize) {
        self.coordinators[by].fence();
        if let Some(late) = self.late.take_if(|late| usize::from(late.by) == by) {
            self.hold(Late { epoch: false, ..late });
        }
    }

    /// A new generation, which every member that listens has.
    pub(crate) fn rebalance(&mut self) {
        if let Some(late) = self.late.take() {
            self.hold(Late { generation: false, ..late });
        }
    }

    /// A static member is there again, and its former self is refused.
    pub(crate) fn replace(&mut self, by: usize) {
        if let Some(late) = self.late.take_if(|late| usize::from(late.by) == by) {
            self.hold(Late { generation: false, ..late });
        }
    }

    /// The attempt of `by` is over: the next one draws another number, and nobody compares with this one any
    /// more.
    pub(crate) fn end_attempt(&mut self, by: usize) {
        let number = u8::try_from(by).ok();
        let late = match &mut self.late {
            Some(Late { request: Request::Offsets(told), .. }) => told.as_mut_slice(),
            _ => &mut [],
        };
        let pending = self.coordinators[by].pending.iter_mut();
        for told in pending.chain(&mut self.committed).chain(late).flatten() {
            if told.attempt == number {
                told.attempt = None;
            }
        }
    }

    /// Writes a marker to partition `p`. Answers where entries vanished from the log, last one first: what is
    /// aborted is invisible to everybody, and kept out of the model.
    pub(crate) fn mark_data(&mut self, by: usize, p: usize) -> Vec<u8> {
        let commit = self.coordinators[by].phase == Phase::Committing;
        self.coordinators[by].data[p] = false;
        self.coordinators[by].rest();
        let mut gone = Vec::new();
        for at in (0..self.logs[p].len()).rev() {
            let entry = &mut self.logs[p][at];
            if usize::from(entry.by) != by || entry.committed {
                continue;
            }
            entry.committed = commit;
            if !commit {
                self.logs[p].remove(at);
                gone.extend(u8::try_from(at));
            }
        }
        gone
    }

    /// Writes the marker to the group's positions.
    pub(crate) fn mark_offsets(&mut self, by: usize) {
        let coordinator = &mut self.coordinators[by];
        let commit = coordinator.phase == Phase::Committing;
        coordinator.offsets = false;
        coordinator.rest();
        for (committed, pending) in self.committed.iter_mut().zip(&mut coordinator.pending) {
            if let Some(told) = pending.take().filter(|_| commit) {
                *committed = Some(told);
            }
        }
    }
}
