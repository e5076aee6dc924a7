//! Carries out what the protocol asks for, as `commit::effects` does, on the model's cluster. The loop is the
//! protocol's own.

use processor::commit::protocol::{
    self, Act, Effects, End, Finding, Next, Reply, State, doubt_outcome, finding,
};

use super::broker::{PARTITIONS, Request};
use super::owner::{Disk, Part, Share, Transaction, Why};
use super::{Breakage, Luck, Scene, World};

/// A driver of owner `o`'s transaction.
pub(crate) struct Driver<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) scene: &'a Scene,
    pub(crate) o: usize,
}

/// How the next act fares.
#[derive(Clone, Copy)]
enum Fate {
    /// It is carried out, and a request of it fares so.
    CarriedOut(Luck),
    /// It is not carried out, but answered so.
    Answered(Reply),
}

/// One turn of the protocol's loop.
struct Turn<'t, 'a> {
    driver: &'t mut Driver<'a>,
    fate: Fate,
    /// The reply, once the act is done with.
    reply: Option<Reply>,
}

impl Effects for Turn<'_, '_> {
    fn perform(&mut self, act: Act) -> Option<Reply> {
        let transaction = self.driver.transaction();
        self.reply = match self.fate {
            Fate::CarriedOut(luck) => self.driver.perform(act, &transaction, luck),
            Fate::Answered(reply) => Some(reply),
        };
        self.reply
    }

    fn leave_gate(&mut self) {
        if let Some(transaction) = &mut self.driver.world.owners[self.driver.o].transaction {
            transaction.is_inside_gate = false;
        }
    }
}

impl Driver<'_> {
    /// Begins a transaction of so many records of each partition.
    pub(crate) fn begin(&mut self, records: [u8; PARTITIONS]) {
        let Self { scene, o, .. } = *self;
        let World { broker, owners, .. } = &mut *self.world;
        let mut shares: [Option<Share>; PARTITIONS] = [None; PARTITIONS];
        for (p, share) in shares.iter_mut().enumerate().filter(|(p, _)| records[*p] > 0) {
            *share = Some(owners[o].share(broker, o, p, records[p], &scene.ids[p]));
        }
        if scene.has(Breakage::ProgressBeforeProof) {
            for (p, share) in shares.iter().enumerate() {
                let upto = share.map_or(0, |share| share.seen);
                let Disk { upto: on_disk, .. } = &mut owners[o].disks[p];
                *on_disk = upto.max(*on_disk);
            }
        }
        let state = State::start(owners[o].doubtful && !scene.has(Breakage::NoRenewal));
        owners[o].transaction = Some(Transaction { state, shares, is_inside_gate: false });
        self.go_on_alone();
    }

    /// Carries out what is the owner's own affair, so that its order with what others do makes no difference.
    fn go_on_alone(&mut self) {
        while let Some(Act::Begin | Act::Send) = self.world.act(self.o) {
            self.advance(Fate::Answered(Reply::Done));
        }
    }

    /// The next act, and where its reply leads. An act of several requests may want several turns.
    pub(crate) fn turn(&mut self, luck: Luck) {
        self.advance(Fate::CarriedOut(luck));
        self.go_on_alone();
    }

    /// What `reply` to the next act leads to.
    pub(crate) fn reply(&mut self, reply: Reply) {
        self.advance(Fate::Answered(reply));
        self.go_on_alone();
    }

    fn advance(&mut self, fate: Fate) {
        let state = self.transaction().state;
        let Next::Act(act) = state.next() else { return };
        let mut turn = Turn { driver: &mut *self, fate, reply: None };
        let state = protocol::advance(state, &mut turn);
        let Some(reply) = turn.reply else { return };
        let owner = &mut self.world.owners[self.o];
        owner.doubtful |= matches!(reply, Reply::Unusable | Reply::GivenUp);
        owner.doubtful &= act != Act::Renew || reply != Reply::Done;
        let mut transaction = self.transaction();
        transaction.state = state;
        transaction.begin_act();
        if act == Act::Commit && reply != Reply::Done && self.scene.has(Breakage::DoubtAsAbort) {
            transaction.state = State::Over(End::Aborted);
        }
        if act == Act::Offsets && reply == Reply::Done && self.scene.has(Breakage::DiskBeforeCommit) {
            self.apply_all(&transaction);
        }
        match transaction.state.next() {
            Next::Act(_) => self.world.owners[self.o].transaction = Some(transaction),
            Next::End(end) => self.end(end, &transaction),
        }
    }

    fn transaction(&self) -> Transaction {
        self.world.owners[self.o].transaction.expect("an open transaction")
    }

    /// `None` while the act is not done with.
    fn perform(&mut self, act: Act, transaction: &Transaction, luck: Luck) -> Option<Reply> {
        let by = u8::try_from(self.o).expect("few owners");
        match act {
            Act::Begin | Act::Send => Some(Reply::Done),
            Act::Flush if self.flushes_late() => Some(Reply::Done),
            Act::Flush => self.produce(transaction, luck),
            Act::Enter => Some(self.enter(transaction)),
            Act::Offsets if self.scene.has(Breakage::NoOffsets) => Some(Reply::Done),
            Act::Offsets => {
                let mut positions = transaction.positions(by);
                if self.scene.has(Breakage::OneOffsetOnly) {
                    positions[0] = None;
                }
                Some(self.send(Request::Offsets(positions), luck))
            }
            Act::Commit if self.scene.has(Breakage::OffsetsBeforeFlush) => self.produce_and_commit(luck),
            Act::Commit => Some(self.send(Request::End(true), luck)),
            Act::Apply => self.apply(transaction),
            Act::Abort => Some(self.send(Request::End(false), luck)),
            Act::Renew => Some(self.send(Request::Init, luck)),
            Act::ReadCommitted => Some(self.read_committed()),
        }
    }

    fn flushes_late(&self) -> bool {
        self.scene.has(Breakage::OffsetsBeforeFlush) || self.scene.has(Breakage::CommitBeforeFlush)
    }

    fn send(&mut self, request: Request, luck: Luck) -> Reply {
        let (o, fenced) = (self.o, !self.scene.has(Breakage::AnyGeneration));
        let World { broker, owners, .. } = &mut *self.world;
        owners[o].doubtful |= luck != Luck::Good;
        match luck {
            Luck::Good => broker.serve(o, request, fenced),
            Luck::ReplyLost => {
                broker.serve(o, request, fenced);
                Reply::Unclear
            }
            Luck::Late => {
                broker.delay(o, request);
                Reply::Unclear
            }
            Luck::Twice => {
                // A second copy of a record is known by its sequence number (idempotence).
                if !matches!(request, Request::Produce(..)) {
                    broker.delay(o, request);
                }
                broker.serve(o, request, fenced)
            }
        }
    }

    /// One partition's records.
    fn produce(&mut self, transaction: &Transaction, luck: Luck) -> Option<Reply> {
        let Some(p) = transaction.next_share() else { return Some(Reply::Done) };
        let number = |index| u8::try_from(index).expect("few");
        let entry = transaction.entry(number(self.o), p)?;
        let reply = self.send(Request::Produce(number(p), entry), luck);
        let mut transaction = *transaction;
        transaction.finish(p);
        self.world.owners[self.o].transaction = Some(transaction);
        let is_over = reply != Reply::Done || transaction.next_share().is_none();
        is_over.then_some(reply)
    }

    fn produce_and_commit(&mut self, luck: Luck) -> Option<Reply> {
        let transaction = self.transaction();
        if transaction.next_share().is_none() {
            return Some(self.send(Request::End(true), luck));
        }
        self.produce(&transaction, luck).filter(|reply| *reply != Reply::Done)
    }

    fn enter(&mut self, transaction: &Transaction) -> Reply {
        let owns = |(p, share): (usize, &Option<Share>)| {
            share.is_none_or(|share| share.held && self.world.owners[self.o].parts[p] == Part::Running)
        };
        if !transaction.shares.iter().enumerate().all(owns) {
            return Reply::Refused;
        }
        self.world.owners[self.o].transaction = Some(Transaction { is_inside_gate: true, ..*transaction });
        Reply::Done
    }

    fn apply(&mut self, transaction: &Transaction) -> Option<Reply> {
        let Some(p) = transaction.next_share() else { return Some(Reply::Done) };
        let mut transaction = *transaction;
        transaction.finish(p);
        let share = transaction.shares[p]?;
        let owner = &mut self.world.owners[self.o];
        owner.transaction = Some(transaction);
        if !share.elsewhere {
            owner.apply(p, &share);
        }
        transaction.next_share().is_none().then_some(Reply::Done)
    }

    fn apply_all(&mut self, transaction: &Transaction) {
        for (p, share) in transaction.shares.iter().enumerate() {
            share.iter().for_each(|share| self.world.owners[self.o].apply(p, share));
        }
    }

    fn read_committed(&mut self) -> Reply {
        // The numbers drawn for attempts: ours, and all others'.
        let (ours, others) = if self.scene.has(Breakage::NumberAlone) { (0, 0) } else { (1, 0) };
        let mut transaction = self.transaction();
        let mut findings = Vec::new();
        for (p, share) in transaction.shares.iter_mut().enumerate() {
            let Some(share) = share else { continue };
            let metadata = self.world.broker.committed[p].map(|told| {
                let attempt = if told.attempt == u8::try_from(self.o).ok() { ours } else { others };
                told.mark.meta().offset_metadata_of(attempt)
            });
            let found = finding(&share.before.meta(), &share.after.meta(), ours, metadata.as_deref());
            share.elsewhere = found == Finding::OwnedElsewhere;
            findings.push(found);
        }
        self.world.owners[self.o].transaction = Some(transaction);
        Reply::Found(doubt_outcome(&findings))
    }

    /// What can't be known or made good here ends the session: everything starts over, as after a crash.
    fn end(&mut self, end: End, transaction: &Transaction) {
        self.world.broker.end_attempt(self.o);
        self.world.owners[self.o].transaction = None;
        let elsewhere = transaction.shares.iter().flatten().any(|share| share.elsewhere);
        match end {
            End::Committed | End::Aborted if !elsewhere => {}
            End::Undecided if self.scene.has(Breakage::MemoryAfterDoubt) => {}
            End::Committed | End::Aborted | End::Unapplied | End::OwnedElsewhere | End::Undecided => {
                self.world.start_over(self.o);
            }
            End::SplitOutcome => {
                let parts = self.world.owners[self.o].parts.iter_mut();
                parts.for_each(|part| *part = Part::Stopped(Why::Split));
            }
        }
    }
}
