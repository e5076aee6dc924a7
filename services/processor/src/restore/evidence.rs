//! What a restore finds before it reads a changelog: plain values, so that decisions about them are pure.

use std::time::Duration;

use kafka::NextOffset;

use crate::state::meta::{ChangelogPositions, Meta, OffsetMark, Restoring};

/// What the disk holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Disk {
    /// The disk's last transaction; `None` before the first, and while an empty disk is being filled.
    pub(crate) meta: Option<Meta>,
    /// How far the disk has read the changelogs.
    pub(crate) progress: ChangelogPositions,
    /// The restore that has not ended.
    pub(crate) restoring: Option<Restoring>,
}

impl Disk {
    /// The newest transaction that the disk has met.
    #[must_use]
    pub(crate) fn newest(&self) -> Option<Meta> {
        self.restoring.and_then(|restoring| restoring.meta).or(self.meta)
    }
}

/// A log's first offset and its high watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The offset of the first record.
    pub(crate) first: NextOffset,
    /// The offset after the last record.
    pub(crate) end: NextOffset,
}

/// The offset that the group has committed for a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CommittedPosition {
    /// Offset.
    pub(crate) next: NextOffset,
    /// What the offset's metadata says.
    pub(crate) mark: OffsetMark,
}

/// Everything that is known before a changelog is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evidence {
    /// The disk.
    pub(crate) disk: Disk,
    /// The group's committed offset; `None` where there is none, or none any more.
    pub(crate) committed: Option<CommittedPosition>,
    /// The state changelog.
    pub(crate) state: Extent,
    /// The dedupe changelog.
    pub(crate) dedupe: Extent,
    /// Now, Unix milliseconds.
    pub(crate) now_ms: i64,
    /// How long the state changelog keeps tombstones.
    pub(crate) tombstones_kept: Duration,
}

/// What is known about the ids that are no longer in the dedupe changelog.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Missing {
    /// Where the log begins.
    pub(crate) first: NextOffset,
    /// The offset below which nothing is missed: the disk has those ids, or a reset gave them up.
    pub(crate) covered: NextOffset,
    /// The partition's clock until which ids are missing, Unix milliseconds; 0 where none are.
    pub(crate) until_ms: i64,
    /// The partition's clock at the next event, Unix milliseconds.
    pub(crate) next_ms: i64,
}

impl Missing {
    /// Whether the disk has read up to where the log begins, or further.
    #[must_use]
    pub(crate) fn is_nothing(&self) -> bool {
        self.covered > NextOffset(0) && self.covered >= self.first
    }
}
