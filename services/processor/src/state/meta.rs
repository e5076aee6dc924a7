//! Where a partition stands: the number of its last committed transaction, and what the offset and the
//! changelogs say about it.

use std::fmt;

use kafka::NextOffset;
use serde::{Deserialize, Serialize};

use super::format::FormatLevel;
use super::format::stored::Stored;
use crate::domain::time::window::{self, Day};

/// Names one unbroken history of a partition's state. A reset starts another history, so that offsets and
/// changelogs of the old history are never taken for the new one's.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incarnation([u8; 16]);

impl Incarnation {
    /// A new incarnation, from 16 random bytes.
    #[must_use]
    pub fn new(random: [u8; 16]) -> Self {
        Self(random)
    }

    /// Reads the text of an incarnation: 32 hexadecimal digits.
    fn parse(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0; 16];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
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

/// Where a partition stands after a transaction.
///
/// Every transaction writes it last to the state changelog, and with its ids to the dedupe changelog. On disk
/// it is in the same batch as the changes that it stands for.
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
    /// The beginning of a history that reads the input from the offset `start`.
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

    /// The meta of the next transaction, which reads up to `src_next` and takes the clock to `clock_ms`.
    #[must_use]
    pub fn followed_by(&self, src_next: NextOffset, clock_ms: i64) -> Self {
        Self { seq: self.seq + 1, src_next: src_next.0, clock_ms: self.clock_ms.max(clock_ms), ..*self }
    }

    /// The meta after an operator's reset that keeps the state: another history, which reads from `src_next`.
    #[must_use]
    pub fn reset(&self, incarnation: Incarnation, src_next: NextOffset) -> Self {
        Self { incarnation, seq: self.seq + 1, src_next: src_next.0, ..*self }
    }

    /// The beginning of the committed offset's metadata: which history, and which transaction of it.
    #[must_use]
    pub fn offset_metadata(&self) -> String {
        format!("1:{}:{}", self.incarnation, self.seq)
    }

    /// The committed offset's metadata. `attempt` is a number drawn at random for every transaction. Without
    /// it, an owner in doubt would take its successor's transaction of the same number for its own.
    #[must_use]
    pub fn offset_metadata_of(&self, attempt: u64) -> String {
        format!("{}:{attempt:016x}", self.offset_metadata())
    }

    /// Whether `text`, a committed offset's metadata, says that the partition stands here, whichever attempt
    /// brought it here.
    #[must_use]
    pub fn is_named_by(&self, text: &str) -> bool {
        OffsetMark::parse(text) == OffsetMark::Ours { incarnation: self.incarnation, seq: self.seq }
    }
}

/// What a committed offset's metadata says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetMark {
    /// Written by a transaction, or a reset, of this history and number.
    Ours {
        /// Which history.
        incarnation: Incarnation,
        /// Which transaction of it.
        seq: u64,
    },
    /// Nothing: an operator's tool committed the offset.
    Bare,
    /// A text that the processor did not write.
    Alien,
}

impl OffsetMark {
    /// Reads the text that [`Meta::offset_metadata`] and [`Meta::offset_metadata_of`] write.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.is_empty() {
            return Self::Bare;
        }
        let mut parts = text.split(':');
        let (format, incarnation, seq) = (parts.next(), parts.next(), parts.next());
        let incarnation = incarnation.filter(|_| format == Some("1")).and_then(Incarnation::parse);
        match (incarnation, seq.and_then(|seq| seq.parse().ok())) {
            (Some(incarnation), Some(seq)) => Self::Ours { incarnation, seq },
            _ => Self::Alien,
        }
    }
}

/// What a restore under way has met. It is kept on disk with the positions that the restore has reached, so
/// that the restore can be resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restoring {
    /// When it began, Unix milliseconds.
    pub since_ms: i64,
    /// The last meta of the state changelog, where there was one.
    pub meta: Option<Meta>,
    /// The meta of the dedupe changelog's last chunk, where there was one.
    pub last_chunk: Option<Meta>,
}

impl Restoring {
    /// A restore that begins at `since_ms`.
    #[must_use]
    pub fn since(since_ms: i64) -> Self {
        Self { since_ms, meta: None, last_chunk: None }
    }
}

/// How far the changelogs are on disk. These are lower bounds: changelog records hold whole values, so
/// reading one again changes nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangelogPositions {
    state_next: i64,
    dedupe_next: i64,
}

impl ChangelogPositions {
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

impl Stored for Restoring {
    const WHAT: &'static str = "restore of a partition";
    // Bytes without a format byte begin with an even one: the first number is not negative, and the lowest
    // bit of postcard's first byte is the sign.
    const FORMAT: u8 = 3;
    const TAGGED_FROM: FormatLevel = FormatLevel::TAGGED;
}

impl Stored for ChangelogPositions {
    const WHAT: &'static str = "progress of a partition";
    // Bytes without a format byte begin with an even one: the first number is not negative, and the lowest
    // bit of postcard's first byte is the sign.
    const FORMAT: u8 = 3;
    const TAGGED_FROM: FormatLevel = FormatLevel::TAGGED;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_of_an_offset_is_read_as_it_was_written() {
        let incarnation = Incarnation::new([0x0a, 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
        let meta = Meta::beginning(incarnation, NextOffset(4)).followed_by(NextOffset(9), 5);
        assert_eq!(OffsetMark::parse(&meta.offset_metadata()), OffsetMark::Ours { incarnation, seq: 1 });
        assert_eq!(OffsetMark::parse(""), OffsetMark::Bare);
        for alien in ["x", "2:0aff0102030405060708090a0b0c0d0e:1", "1:0aff:1", "1::", "1:zz:1", "1:aé:1"] {
            assert_eq!(OffsetMark::parse(alien), OffsetMark::Alien, "{alien}");
        }
    }
}
