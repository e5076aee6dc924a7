use crate::Error;

/// Something that a cluster must, or should, do.
#[derive(Debug, PartialEq, Eq)]
pub struct Claim {
    /// What it does, as a statement.
    pub statement: &'static str,
    /// What it means for the operator where it doesn't hold, or could not be shown.
    pub otherwise: &'static str,
    /// Whether exactly-once processing depends on it.
    pub required: bool,
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Shown.
    Holds,
    /// Shown not to.
    Broken,
    /// Could not be tried, or not to its end.
    Unknown,
}

/// A claim, tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was tried.
    pub claim: &'static Claim,
    /// What became of it.
    pub verdict: Verdict,
    /// What was seen: answers and errors of the broker's, names of the probe's.
    pub seen: String,
}

impl Finding {
    /// Whether exactly-once processing is not to be trusted to this cluster on this account.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        self.claim.required && self.verdict != Verdict::Holds
    }

    pub(super) fn of(claim: &'static Claim, tried: Result<Tried, Error>) -> Self {
        let (verdict, seen) = match tried {
            Ok(Tried { verdict, seen }) => (verdict, seen),
            Err(error) => (Verdict::Unknown, error.to_string()),
        };
        Self { claim, verdict, seen }
    }
}

/// What a try has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tried {
    pub(super) verdict: Verdict,
    pub(super) seen: String,
}

impl Tried {
    pub(super) fn new(holds: bool, seen: impl Into<String>) -> Self {
        Self { verdict: if holds { Verdict::Holds } else { Verdict::Broken }, seen: seen.into() }
    }

    /// Both together: what doesn't hold is told before what is not known.
    pub(super) fn and(&self, other: &Self) -> Self {
        use Verdict::{Broken, Holds, Unknown};
        let verdict = match (self.verdict, other.verdict) {
            (Broken, _) | (_, Broken) => Broken,
            (Unknown, _) | (_, Unknown) => Unknown,
            (Holds, Holds) => Holds,
        };
        Self { verdict, seen: format!("{}; {}", self.seen, other.seen) }
    }

    pub(super) fn unknown(seen: impl Into<String>) -> Self {
        Self { verdict: Verdict::Unknown, seen: seen.into() }
    }
}

macro_rules! claims {
    ($($name:ident: $statement:literal, $otherwise:literal, $required:literal;)*) => {
        $(pub(super) static $name: Claim =
            Claim { statement: $statement, otherwise: $otherwise, required: $required };)*

        /// Every claim, in the order in which they are told.
        pub(super) static CLAIMS: &[&Claim] = &[$(&$name),*];
    };
}

claims! {
    METADATA: "offsets committed in a transaction come back with their metadata",
        "after a crash, the processor can't tell whether its last transaction was committed", true;
    PENDING: "an open transaction's offsets are held back from who asks for stable ones (KIP-447)",
        "a successor starts while its predecessor's transaction is undecided: events count twice or are lost", true;
    ABORTED_OFFSET: "after an abort, the earlier offset and metadata stand",
        "an aborted transaction moves the group: its events are lost", true;
    GENERATION: "offsets of an older generation of the group are refused",
        "a process that lost its partitions unnoticed (a pause, a partition) commits over its successor", true;
    INSTANCE: "a member whose instance id was taken by another is fenced",
        "two processes under one instance id commit the same partitions", true;
    PRODUCER: "a second producer of a transactional id fences the first and aborts its transaction",
        "a restart leaves its own transaction open, and a process that was replaced goes on writing", true;
    ABORTED_RECORD: "aborted records are invisible to read_committed",
        "subscribers see outcomes that never took place", true;
    LAST_STABLE: "the last stable offset lies below the high watermark while a transaction is open",
        "a restore can't tell a changelog's end from a transaction that is still undecided", true;
    LONG_METADATA: "4,000 bytes of offset metadata pass",
        "raise offset.metadata.max.bytes to 4096 (Kafka's default)", true;
    APPEND_TIME: "LogAppendTime is honoured",
        "windows, timers and retention follow the senders' clocks", true;
    COMPACTION: "compaction settings are taken and told back",
        "state grows without bound, or an erasure's promise isn't kept: look at the topics' settings by hand", true;
    TOMBSTONES: "compaction removes overwritten values, and then tombstones",
        "only that it could not be watched: brokers clean when they like; look at a compacted topic after a week", false;
    TOPIC_IDS: "each topic has an id of its own (KIP-516)",
        "a store can't tell a topic that was made anew under its name: after that, reset the processor by hand", false;
    BROKER: "no unclean elections, and transactions are verified before they are written to (Kafka 3.6)",
        "an election may lose acknowledged records, or a late request may open a transaction that nobody ends", false;
}
