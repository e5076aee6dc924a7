/// Something that a cluster must do, or should do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// What it does, as a statement.
    pub(crate) statement: &'static str,
    /// What it means for the operator if it does not hold or could not be shown.
    pub(crate) otherwise: &'static str,
    /// Whether exactly-once processing depends on it.
    pub(crate) required: bool,
}

/// Whether a claim holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClaimStatus {
    /// Shown to hold.
    Holds,
    /// Shown not to hold.
    Broken,
    /// Could not be tested, or not to its end.
    Unknown,
}

/// A claim that was tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckedClaim {
    /// The claim.
    pub(crate) claim: &'static Claim,
    /// Whether it holds.
    pub(crate) status: ClaimStatus,
    /// What was seen: answers and errors of the broker, and names of the probe's own.
    pub(crate) seen: String,
}

impl CheckedClaim {
    /// Whether exactly-once processing is unsafe on this cluster because of this claim.
    #[must_use]
    pub(crate) fn is_fault(&self) -> bool {
        self.claim.required && self.status != ClaimStatus::Holds
    }

    pub(super) fn new(claim: &'static Claim, tried: anyhow::Result<ProbeOutcome>) -> Self {
        let (status, seen) = match tried {
            Ok(ProbeOutcome { status, seen }) => (status, seen),
            Err(error) => (ClaimStatus::Unknown, error.to_string()),
        };
        Self { claim, status, seen }
    }
}

/// What one test has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProbeOutcome {
    pub(super) status: ClaimStatus,
    pub(super) seen: String,
}

impl ProbeOutcome {
    pub(super) fn new(holds: bool, seen: impl Into<String>) -> Self {
        Self { status: if holds { ClaimStatus::Holds } else { ClaimStatus::Broken }, seen: seen.into() }
    }

    /// Both together: a broken claim counts more than one that is not known.
    pub(super) fn and(&self, other: &Self) -> Self {
        use ClaimStatus::{Broken, Holds, Unknown};
        let status = match (self.status, other.status) {
            (Broken, _) | (_, Broken) => Broken,
            (Unknown, _) | (_, Unknown) => Unknown,
            (Holds, Holds) => Holds,
        };
        Self { status, seen: format!("{}; {}", self.seen, other.seen) }
    }

    pub(super) fn unknown(seen: impl Into<String>) -> Self {
        Self { status: ClaimStatus::Unknown, seen: seen.into() }
    }
}

macro_rules! claims {
    ($($name:ident: $statement:literal, $otherwise:literal, $required:literal;)*) => {
        $(pub(super) static $name: Claim =
            Claim { statement: $statement, otherwise: $otherwise, required: $required };)*

        /// Every claim, in the order in which they are reported.
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
    MARKERS: "transaction markers leave compacted topics",
        "the state changelog grows by ten markers a second and partition for ever, and each restore reads them all; on Redpanda: \
         rpk cluster config set log_compaction_tx_batch_removal_enabled true", false;
    TOPIC_IDS: "each topic has an id of its own (KIP-516)",
        "a store can't tell a topic that was made anew under its name: after that, reset the processor by hand", false;
    BROKER: "no unclean elections, and transactions are verified before they are written to (Kafka 3.6)",
        "an election may lose acknowledged records, or a late request may open a transaction that nobody ends", false;
}
