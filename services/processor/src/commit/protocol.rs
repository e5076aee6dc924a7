//! The commit protocol: a pure state machine. It is meant to be read from top to bottom.
//!
//! ```text
//!  NeedsProducer ─Renew───▶ Ready
//!  Ready         ─Begin───▶ Begun             T0
//!  Begun         ─Send────▶ Sent              T1 T2
//!  Sent          ─Flush───▶ Flushed           T3
//!  Flushed       ─Enter───▶ GateHeld          ┐
//!  GateHeld      ─Offsets─▶ OffsetsSent       │ T4   inside the gate
//!  OffsetsSent   ─Commit──▶ Committed         ┘ T5
//!  Committed     ─Apply───▶ Over(Committed)   T6
//!
//!  A failure before T5 is certain: nothing is committed.
//!  MustAbort     ─Abort───▶ Over(Aborted)
//!  ProducerLost  ─Renew───▶ Over(Aborted)     where the abort fails, or the producer is fenced
//!
//!  An answer to Commit that is not success is a doubt.
//!  InDoubt       ─Renew───▶ Settled
//!  Settled       ─ReadCommitted─▶ Committed, Over(Aborted), or another end
//! ```
//!
//! Five rules make the processor exactly-once:
//!
//! * **The disk comes last** (P2). RocksDB holds only what is committed. A kill costs a replay of the
//!   changelog's tail (P3).
//! * **Every transaction carries the offset of every partition that it touches**, fenced by the member's
//!   generation. Without offsets, nothing would stop a zombie.
//! * **Flush comes before the offsets.** Once the offsets are accepted, every changelog record lies below the
//!   high watermark. A successor's fetch of the offset waits for this transaction (KIP-447). So when it then
//!   reads the changelog to the high watermark, it misses nothing.
//! * **The gate.** The broker fences members, not partitions: a member that has just given a partition back
//!   could still commit it. T4 and T5 happen inside a gate that a rebalance closes.
//! * **A commit that is not known to have happened is a doubt, never an abort.** A new producer of the same
//!   transactional id makes the coordinator decide. The metadata of the committed offset says what it
//!   decided. The metadata names the transaction's number and the attempt, because a successor's transaction
//!   has the same number where ours was aborted.
//!
//! `commit::effects` carries the acts out on Kafka and on the disk. The model in `tests/model` carries them
//! out on a simulated cluster through the same loop, [`advance`]. It visits every interleaving of two owners
//! with kills, lost replies and late requests. It also breaks each rule on purpose, and shows which promise
//! breaks with the rule.

use crate::state::meta::Meta;

/// Where a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Before T0, with a producer that can't be trusted: a delayed request of an earlier transaction could
    /// end this one.
    NeedsProducer,
    /// Before T0.
    Ready,
    /// After T0: the transaction is open and empty.
    Begun,
    /// After T2: every record is queued.
    Sent,
    /// After T3: every record is in the log.
    Flushed,
    /// Inside the gate. Every partition is still ours.
    GateHeld,
    /// After T4: the offsets are pending.
    OffsetsSent,
    /// After T5. Nothing is on disk yet.
    Committed,
    /// Certainly not committed, and still open.
    MustAbort,
    /// Certainly not committed, and the producer can't be used any more.
    ProducerLost,
    /// The commit was requested, and the answer was not success.
    InDoubt,
    /// The coordinator has decided. The committed offsets will tell what.
    Settled,
    /// The end.
    Over(End),
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// Make a new producer of the same transactional id. Its `init_transactions` ends what the old one left:
    /// it finishes a commit that is under way, aborts anything else, and fences late requests by a new epoch
    /// (KIP-360).
    Renew,
    /// T0: begin.
    Begin,
    /// T1 and T2: queue outputs and changelog records, each partition's meta last.
    Send,
    /// T3: wait until the brokers have every record.
    Flush,
    /// Enter the gate, if every partition is still ours.
    Enter,
    /// T4: add the offsets, fenced by the member's generation.
    Offsets,
    /// T5: commit.
    Commit,
    /// T6: write each partition's batch to its disk.
    Apply,
    /// Abort.
    Abort,
    /// Read the offsets that are committed now, and judge them by [`finding`] and [`doubt_outcome`].
    ReadCommitted,
}

/// How an act went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reply {
    /// Done.
    Done,
    /// Not done, or not completely. Before [`Act::Commit`], nothing is committed. A refused commit is
    /// certain, too.
    Refused,
    /// No answer, or an answer that says nothing. The act may have been done.
    Unclear,
    /// The producer can't be used any more: it was fenced, or failed fatally.
    Unusable,
    /// What [`Act::ReadCommitted`] found.
    Found(DoubtOutcome),
    /// The act was tried for as long as that makes sense.
    GivenUp,
}

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// Committed, and on disk.
    Committed,
    /// Committed, and a disk failed. Its partitions are restored from the changelogs.
    Unapplied,
    /// Not committed. Its records can be applied again.
    Aborted,
    /// Its partitions have another owner by now. That owner's restore knows what became of the transaction.
    OwnedElsewhere,
    /// Unknown. Only a restore can find out.
    Undecided,
    /// Committed for one partition and not for another. A Kafka that keeps its promises never does this.
    SplitOutcome,
}

impl End {
    /// The end's name in metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Unapplied => "unapplied",
            Self::Aborted => "aborted",
            Self::OwnedElsewhere => "elsewhere",
            Self::Undecided => "undecided",
            Self::SplitOutcome => "torn",
        }
    }
}

/// What one partition's committed offset says about a transaction in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finding {
    /// It is this transaction's offset.
    Committed,
    /// It is the offset of the transaction before.
    Aborted,
    /// It is neither: another owner has the partition.
    OwnedElsewhere,
}

/// What the committed offsets of all partitions say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DoubtOutcome {
    /// Committed, for every partition that is still ours.
    Committed,
    /// Aborted, for every partition that is still ours.
    Aborted,
    /// No partition is ours any more.
    OwnedElsewhere,
    /// Committed for one of our partitions, and aborted for another.
    Split,
}

impl DoubtOutcome {
    /// The outcome's name in metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Aborted => "aborted",
            Self::OwnedElsewhere => "elsewhere",
            Self::Split => "torn",
        }
    }
}

/// What follows from a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// This act.
    Act(Act),
    /// Nothing: the transaction has ended so.
    End(End),
}

impl State {
    /// Where a transaction begins. `doubtful` is whether anything has disturbed the producer since it was
    /// made.
    #[must_use]
    pub fn start(doubtful: bool) -> Self {
        if doubtful { Self::NeedsProducer } else { Self::Ready }
    }

    /// What to do next, or how the transaction ended.
    #[must_use]
    pub fn next(self) -> Next {
        Next::Act(match self {
            Self::NeedsProducer | Self::ProducerLost | Self::InDoubt => Act::Renew,
            Self::Ready => Act::Begin,
            Self::Begun => Act::Send,
            Self::Sent => Act::Flush,
            Self::Flushed => Act::Enter,
            Self::GateHeld => Act::Offsets,
            Self::OffsetsSent => Act::Commit,
            Self::Committed => Act::Apply,
            Self::MustAbort => Act::Abort,
            Self::Settled => Act::ReadCommitted,
            Self::Over(end) => return Next::End(end),
        })
    }

    /// Whether the gate is held in this state. A rebalance waits for T4 and T5, and for nothing else.
    #[must_use]
    pub fn is_inside_gate(self) -> bool {
        matches!(self, Self::GateHeld | Self::OffsetsSent)
    }

    /// The state that `reply` to the state's act leads to.
    #[must_use]
    pub fn after(self, reply: Reply) -> Self {
        match (self, reply) {
            (Self::Ready, Reply::Done) => Self::Begun,
            (Self::Begun, Reply::Done) => Self::Sent,
            (Self::Sent, Reply::Done) => Self::Flushed,
            (Self::Flushed, Reply::Done) => Self::GateHeld,
            (Self::GateHeld, Reply::Done) => Self::OffsetsSent,
            (Self::OffsetsSent, Reply::Done) => Self::Committed,
            (Self::Committed, Reply::Done) => Self::Over(End::Committed),

            // EndTxn may have been sent, whatever the error is called.
            (Self::OffsetsSent, _) => Self::InDoubt,
            (Self::Committed, _) => Self::Over(End::Unapplied),

            // EndTxn was not sent.
            (Self::Begun | Self::Sent | Self::Flushed | Self::GateHeld, Reply::Unusable) => {
                Self::ProducerLost
            }
            (Self::Begun | Self::Sent | Self::Flushed | Self::GateHeld, _) => Self::MustAbort,
            (Self::Ready, _) => Self::ProducerLost,
            (Self::MustAbort, Reply::Done) => Self::Over(End::Aborted),
            (Self::MustAbort, _) => Self::ProducerLost,

            (Self::NeedsProducer | Self::ProducerLost | Self::InDoubt, reply) => self.after_renew(reply),
            (Self::Settled, reply) => Self::after_read_committed(reply),
            (Self::Over(end), _) => Self::Over(end),
        }
    }

    /// Where a new producer leads. Without a producer there is nothing to do but to try again, for as long as
    /// it makes sense.
    fn after_renew(self, reply: Reply) -> Self {
        match (self, reply) {
            (Self::NeedsProducer, Reply::Done) => Self::Ready,
            (Self::InDoubt, Reply::Done) => Self::Settled,
            (Self::InDoubt, Reply::GivenUp) => Self::Over(End::Undecided),
            (_, Reply::Done | Reply::GivenUp) => Self::Over(End::Aborted),
            _ => self,
        }
    }

    fn after_read_committed(reply: Reply) -> Self {
        match reply {
            Reply::Found(DoubtOutcome::Committed) => Self::Committed,
            Reply::Found(DoubtOutcome::Aborted) => Self::Over(End::Aborted),
            Reply::Found(DoubtOutcome::OwnedElsewhere) => Self::Over(End::OwnedElsewhere),
            Reply::Found(DoubtOutcome::Split) => Self::Over(End::SplitOutcome),
            Reply::GivenUp => Self::Over(End::Undecided),
            Reply::Done | Reply::Refused | Reply::Unclear | Reply::Unusable => Self::Settled,
        }
    }
}

/// Carries acts out: on Kafka and RocksDB in production, on a simulated cluster in the model.
pub trait Effects {
    /// Carries `act` out, or a part of it. `None` means that the act needs another call; only the model uses
    /// this, to let other owners move between the requests of one act.
    fn perform(&mut self, act: Act) -> Option<Reply>;

    /// Leaves the gate, if it is held.
    fn leave_gate(&mut self);
}

/// Carries out the next act of `state`, and returns the state after it. A transaction that has ended stays as
/// it is.
///
/// The gate is left as soon as the state is no longer inside it.
pub fn advance(state: State, effects: &mut impl Effects) -> State {
    let Next::Act(act) = state.next() else { return state };
    let Some(reply) = effects.perform(act) else { return state };
    let state = state.after(reply);
    if !state.is_inside_gate() {
        effects.leave_gate();
    }
    state
}

/// Runs a transaction from `start` to its end.
pub fn run(start: State, effects: &mut impl Effects) -> End {
    let mut state = start;
    loop {
        if let Next::End(end) = state.next() {
            return end;
        }
        state = advance(state, effects);
    }
}

/// Judges one partition by the metadata of its committed offset. `before` is where the transaction in doubt
/// began, `after` is where it leads, and `attempt` is the number that was drawn for it. `None` is a partition
/// without a committed offset.
///
/// A missing offset proves nothing, not even before the first transaction: the coordinator may have moved
/// (KAFKA-20416), or the offsets may have expired. The partition then counts as another owner's, and its
/// restore finds out.
#[must_use]
pub fn finding(before: &Meta, after: &Meta, attempt: u64, committed: Option<&str>) -> Finding {
    match committed {
        Some(text) if text == after.offset_metadata_of(attempt) => Finding::Committed,
        Some(text) if before.is_named_by(text) => Finding::Aborted,
        _ => Finding::OwnedElsewhere,
    }
}

/// Judges all partitions together.
#[must_use]
pub fn doubt_outcome(findings: &[Finding]) -> DoubtOutcome {
    let any = |finding| findings.contains(&finding);
    match (any(Finding::Committed), any(Finding::Aborted)) {
        (true, true) => DoubtOutcome::Split,
        (true, false) => DoubtOutcome::Committed,
        (false, true) => DoubtOutcome::Aborted,
        (false, false) => DoubtOutcome::OwnedElsewhere,
    }
}
