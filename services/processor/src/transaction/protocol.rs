//! The commit protocol as a state machine, whole and pure. Read it top to bottom.
//!
//! ```text
//!  Fresh ─Renew─▶ Ready ─Begin─▶ Begun ─Send─▶ Sent ─Flush─▶ Flushed ─Enter─▶ Entered ─Offsets─▶ Offered ─Commit─▶ Committed ─Apply─▶ over
//!                  T0             T1 T2         T3            │ gate ├──────────  T4  ───────────  T5 ──┤           T6
//!                                  │             │            │                   │                  │
//!                                  └─────────────┴── refused ─┴───────────────────┘                  └ anything but "done"
//!                                                       ▼                                                   ▼
//!                                                    Refused ─Abort─▶ over: aborted                      InDoubt
//!                                                       │ can't                                             │ Renew: init_transactions
//!                                                       ▼                                                   ▼        decides it
//!                                                    Broken ─Renew─▶ over: aborted                       Decided ─Ask─▶ Committed, or
//!                                                                                                                       over: aborted
//! ```
//!
//! Five rules make it exactly once:
//!
//! * **The disk comes last** (P2). RocksDB holds only what is committed; a kill costs a replay of the tail (P3).
//! * **Every transaction carries the offset of every partition that it touches**, fenced by the member's generation. Without
//!   offsets, nothing would stop a zombie.
//! * **Flush comes before the offsets.** Once they are accepted, every changelog record lies below the high watermark, so a
//!   successor, whose fetch of the offset waits for this transaction (KIP-447), misses nothing when it reads to it.
//! * **The gate.** The broker's fence knows members, not partitions: a member that has just given a partition back could still
//!   commit it. T4 and T5 happen inside a gate that a rebalance closes.
//! * **A commit that is not known to have happened is a doubt, never an abort.** A new producer of the same id makes the
//!   coordinator decide; the committed offset's metadata tells how, by the number of the transaction and the attempt: a
//!   successor's transaction has the same number, where ours was aborted.
//!
//! [`commit`](super::commit) carries the acts out. The model in `tests/model` carries them out on a cluster of its own, and meets
//! every interleaving of two owners with kills, lost replies and late requests; it also breaks each rule and shows what for.

use crate::state::meta::Meta;

/// Where a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Before T0, with a producer that can't be trusted: a delayed request of an earlier transaction could end this one.
    Fresh,
    /// Before T0.
    Ready,
    /// After T0: open, and empty.
    Begun,
    /// After T2: everything queued.
    Sent,
    /// After T3: everything in the log.
    Flushed,
    /// Inside the gate, every partition still ours.
    Entered,
    /// After T4: the positions are pending.
    Offered,
    /// After T5. Nothing on disk.
    Committed,
    /// Certainly not committed, and open.
    Refused,
    /// Certainly not committed, and the producer is of no more use.
    Broken,
    /// The commit was asked for, and not answered with success.
    InDoubt,
    /// The coordinator has decided; how is to be found out.
    Decided,
    /// The end.
    Over(End),
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// Take a new producer of the same transactional id. Its `init_transactions` ends what the old one left: finishes what is
    /// being committed, aborts what is not, and fences late requests by a new epoch (KIP-360).
    Renew,
    /// T0.
    Begin,
    /// T1 and T2: queue outputs and changelog records, each partition's meta last.
    Send,
    /// T3: wait until the brokers have all of it.
    Flush,
    /// Enter the gate, if every partition is still ours.
    Enter,
    /// T4: add the positions, fenced by the member's generation.
    Offsets,
    /// T5.
    Commit,
    /// T6: write each partition's batch to its disk.
    Apply,
    /// Abort.
    Abort,
    /// Read the positions that are committed now, and judge by [`finding`] and [`verdict`].
    Ask,
}

/// How an act went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reply {
    /// Done.
    Done,
    /// Not done, or not wholly. Before [`Act::Commit`] nothing of it is committed, and the refusal of a commit is certain.
    Refused,
    /// No answer, or one that says nothing. It may have been done.
    Unclear,
    /// The producer is of no more use: fenced, or fatally failed.
    Unusable,
    /// What [`Act::Ask`] found.
    Found(Verdict),
    /// Tried for as long as it makes sense.
    GivenUp,
}

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// Committed, and on disk.
    Committed,
    /// Committed, and a disk failed: its partitions are restored from the changelogs.
    Unapplied,
    /// Not committed. Its records can be worked off again.
    Aborted,
    /// Its partitions have another owner by now, who knows what became of it.
    Elsewhere,
    /// Not known. Only a restore can tell.
    Undecided,
    /// Committed for one partition and not for another, which a Kafka that keeps its word never does.
    Torn,
}

/// What a committed position says of a transaction in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finding {
    /// It is this transaction's.
    Committed,
    /// It is the one before.
    Aborted,
    /// Neither: somebody else goes on with the partition.
    Elsewhere,
}

/// What all positions say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Committed, for every partition that is still ours.
    Committed,
    /// Aborted, for every partition that is still ours.
    Aborted,
    /// No partition is ours any more.
    Elsewhere,
    /// Both.
    Torn,
}

impl State {
    /// Where a transaction begins. `doubtful` is whether anything disturbed the producer since it was made.
    #[must_use]
    pub fn start(doubtful: bool) -> Self {
        if doubtful { Self::Fresh } else { Self::Ready }
    }

    /// What to do next, or how it ended.
    ///
    /// # Errors
    /// The end, where there is nothing more to do.
    pub fn act(self) -> Result<Act, End> {
        Ok(match self {
            Self::Fresh | Self::Broken | Self::InDoubt => Act::Renew,
            Self::Ready => Act::Begin,
            Self::Begun => Act::Send,
            Self::Sent => Act::Flush,
            Self::Flushed => Act::Enter,
            Self::Entered => Act::Offsets,
            Self::Offered => Act::Commit,
            Self::Committed => Act::Apply,
            Self::Refused => Act::Abort,
            Self::Decided => Act::Ask,
            Self::Over(end) => return Err(end),
        })
    }

    /// Whether the gate is held here: a rebalance waits for T4 and T5, and for nothing else.
    #[must_use]
    pub fn is_inside_gate(self) -> bool {
        matches!(self, Self::Entered | Self::Offered)
    }

    /// Where `reply` to its act leads.
    #[must_use]
    pub fn after(self, reply: Reply) -> Self {
        match (self, reply) {
            (Self::Ready, Reply::Done) => Self::Begun,
            (Self::Begun, Reply::Done) => Self::Sent,
            (Self::Sent, Reply::Done) => Self::Flushed,
            (Self::Flushed, Reply::Done) => Self::Entered,
            (Self::Entered, Reply::Done) => Self::Offered,
            (Self::Offered, Reply::Done) => Self::Committed,
            (Self::Committed, Reply::Done) => Self::Over(End::Committed),

            // EndTxn may have been sent, whatever the error is called.
            (Self::Offered, _) => Self::InDoubt,
            (Self::Committed, _) => Self::Over(End::Unapplied),

            // EndTxn was not sent.
            (Self::Begun | Self::Sent | Self::Flushed | Self::Entered, Reply::Unusable) => Self::Broken,
            (Self::Begun | Self::Sent | Self::Flushed | Self::Entered, _) => Self::Refused,
            (Self::Ready, _) => Self::Broken,
            (Self::Refused, Reply::Done) => Self::Over(End::Aborted),
            (Self::Refused, _) => Self::Broken,

            (Self::Fresh | Self::Broken | Self::InDoubt, reply) => self.renewed(reply),
            (Self::Decided, reply) => Self::asked(reply),
            (Self::Over(end), _) => Self::Over(end),
        }
    }

    /// What a new producer means. Without one, there is nothing to do but to try again, for as long as it makes sense.
    fn renewed(self, reply: Reply) -> Self {
        match (self, reply) {
            (Self::Fresh, Reply::Done) => Self::Ready,
            (Self::InDoubt, Reply::Done) => Self::Decided,
            (Self::InDoubt, Reply::GivenUp) => Self::Over(End::Undecided),
            (_, Reply::Done | Reply::GivenUp) => Self::Over(End::Aborted),
            _ => self,
        }
    }

    fn asked(reply: Reply) -> Self {
        match reply {
            Reply::Found(Verdict::Committed) => Self::Committed,
            Reply::Found(Verdict::Aborted) => Self::Over(End::Aborted),
            Reply::Found(Verdict::Elsewhere) => Self::Over(End::Elsewhere),
            Reply::Found(Verdict::Torn) => Self::Over(End::Torn),
            Reply::GivenUp => Self::Over(End::Undecided),
            Reply::Done | Reply::Refused | Reply::Unclear | Reply::Unusable => Self::Decided,
        }
    }
}

/// Carries acts out.
pub trait Effects {
    /// Carries `act` out and tells how it went.
    fn perform(&mut self, act: Act) -> Reply;

    /// Lets the gate go, where it is held.
    fn leave_gate(&mut self);
}

/// Runs a transaction from `start` to its end.
pub fn run(start: State, effects: &mut impl Effects) -> End {
    let mut state = start;
    loop {
        match state.act() {
            Ok(act) => state = state.after(effects.perform(act)),
            Err(end) => return end,
        }
        if !state.is_inside_gate() {
            effects.leave_gate();
        }
    }
}

/// Judges one partition by the text beside its committed position: `before` is where the transaction in doubt began, `after`
/// where it leads, `attempt` the number drawn for it. `None` is a partition without a committed position.
///
/// No position says nothing, not even before the first transaction: the coordinator may have moved (KAFKA-20416), or the offsets may
/// have expired. Then the partition counts as somebody else's, and its restore finds out.
#[must_use]
pub fn finding(before: &Meta, after: &Meta, attempt: u64, committed: Option<&str>) -> Finding {
    match committed {
        Some(text) if text == after.offset_metadata_of(attempt) => Finding::Committed,
        Some(text) if before.is_named_by(text) => Finding::Aborted,
        _ => Finding::Elsewhere,
    }
}

/// Judges all partitions together.
#[must_use]
pub fn verdict(findings: &[Finding]) -> Verdict {
    let any = |finding| findings.contains(&finding);
    match (any(Finding::Committed), any(Finding::Aborted)) {
        (true, true) => Verdict::Torn,
        (true, false) => Verdict::Committed,
        (false, true) => Verdict::Aborted,
        (false, false) => Verdict::Elsewhere,
    }
}
