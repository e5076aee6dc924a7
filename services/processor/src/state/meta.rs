//! Where a partition stands: the number of its last committed transaction and what that left behind.

use std::fmt;

use kafka::NextOffset;
use serde::{Deserialize, Serialize};

use crate::domain::window::{self, Day};

/// Names one unbroken history of a partition's state. A reset starts another, so that positions and changelogs of the
/// old one are never taken for the new one's.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incarnation([u8; 16]);

impl Incarnation {
    /// A fresh one, from 16 random bytes.
    #[must_use]
    pub fn new(random: [u8; 16]) -> Self {
        Self(random)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Written last in every transaction, to the state changelog and beside the ids; on disk in the same batch as what it
/// stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Which history.
    pub incarnation: Incarnation,
    /// Transactions committed in it.
    pub seq: u64,
    /// The input's next offset.
    src_next: i64,
    /// The greatest append time seen, Unix milliseconds: the partition's clock, which never goes back.
    pub clock_ms: i64,
}

impl Meta {
    /// The beginning of a history that reads the input from `start`.
    #[must_use]
    pub fn beginning(incarnation: Incarnation, start: NextOffset) -> Self {
        Self { incarnation, seq: 0, src_next: start.0, clock_ms: 0 }
    }

    /// The input's next offset.
    #[must_use]
    pub fn src_next(&self) -> NextOffset {
        NextOffset(self.src_next)
    }

    /// The partition's day.
    #[must_use]
    pub fn day(&self) -> Day {
        window::day(self.clock_ms)
    }

    /// The next transaction's, which reads up to `src_next` at `clock_ms`.
    #[must_use]
    pub fn followed_by(&self, src_next: NextOffset, clock_ms: i64) -> Self {
        Self { seq: self.seq + 1, src_next: src_next.0, clock_ms: self.clock_ms.max(clock_ms), ..*self }
    }

    /// What the text committed with the offset begins with: which history, and which transaction of it.
    #[must_use]
    pub fn offset_metadata(&self) -> String {
        format!("1:{}:{}", self.incarnation, self.seq)
    }

    /// The text committed with the offset by `attempt`, a number drawn at random for every transaction. Without it, an owner in
    /// doubt would take its successor's transaction of the same number for its own.
    #[must_use]
    pub fn offset_metadata_of(&self, attempt: u64) -> String {
        format!("{}:{attempt:016x}", self.offset_metadata())
    }

    /// Whether `text`, found beside a committed offset, says that the partition stands here, whoever brought it here.
    #[must_use]
    pub fn is_named_by(&self, text: &str) -> bool {
        text.strip_prefix(&self.offset_metadata())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    }
}

/// How far the changelogs are on disk. Lower bounds: what they hold is absolute, so reading a record again changes
/// nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    state_next: i64,
    dedupe_next: i64,
}

impl Progress {
    /// Positions in the state and dedupe changelogs.
    #[must_use]
    pub fn new(state_next: NextOffset, dedupe_next: NextOffset) -> Self {
        Self { state_next: state_next.0, dedupe_next: dedupe_next.0 }
    }

    /// Position in the state changelog.
    #[must_use]
    pub fn state_next(&self) -> NextOffset {
        NextOffset(self.state_next)
    }

    /// Position in the dedupe changelog.
    #[must_use]
    pub fn dedupe_next(&self) -> NextOffset {
        NextOffset(self.dedupe_next)
    }
}
