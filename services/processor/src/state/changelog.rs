//! What a transaction writes to the two changelogs, and how it is read back.
//!
//! | changelog | key | value |
//! |---|---|---|
//! | state | `01 ‖ customer key` | a changed customer, see `state/format` |
//! | state | `00` | the [`Meta`], last in each transaction |
//! | state | `02` | the [`Baseline`], where an operator has reset the partition |
//! | dedupe | `00` | one [`Chunk`] per transaction: its new ids and its meta |
//!
//! Every value begins with a format byte.

use schemas::id::DedupeId;
use serde::{Deserialize, Serialize};

use super::format::FormatLevel;
pub use super::format::Unreadable;
use super::format::stored::{self, Stored};
use super::meta::{Incarnation, Meta};
use crate::domain::event::content::ContentHash;
use crate::domain::time::window::Day;

const CUSTOMER: u8 = 1;
const META: u8 = 0;
const BASELINE: u8 = 2;

/// The key of [`Meta`] in the state changelog.
pub const META_KEY: &[u8] = &[META];

/// The key of [`Baseline`] in the state changelog.
pub const BASELINE_KEY: &[u8] = &[BASELINE];

/// What a key of the state changelog stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateKey<'a> {
    /// A customer, by key.
    Customer(&'a [u8]),
    /// The partition's [`Meta`].
    Meta,
    /// The partition's last [`Baseline`].
    Baseline,
}

impl<'a> StateKey<'a> {
    /// Reads a key.
    ///
    /// # Errors
    /// Where the key has none of our forms.
    pub fn parse(key: &'a [u8]) -> Result<Self, Unreadable> {
        match key {
            [META] => Ok(Self::Meta),
            [BASELINE] => Ok(Self::Baseline),
            [CUSTOMER, key @ ..] => Ok(Self::Customer(key)),
            _ => Err(stored::unreadable("key of the state changelog", BASELINE, key)),
        }
    }
}

/// The state changelog's key of a customer.
#[must_use]
pub fn customer_key(key: &[u8]) -> Vec<u8> {
    [&[CUSTOMER], key].concat()
}

/// The bytes of [`Meta`], in the changelog and on disk.
#[must_use]
pub fn encode_meta(meta: &Meta) -> Vec<u8> {
    stored::encode(meta, FormatLevel::NEWEST)
}

/// The meta of `bytes`.
///
/// # Errors
/// Where the format is unknown or the bytes are damaged.
pub fn decode_meta(bytes: &[u8]) -> Result<Meta, Unreadable> {
    stored::decode(bytes)
}

/// Where an operator's reset has cut the history. The record stays in the compacted changelog, so that every
/// later restore from there meets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// The history that begins or continues here.
    pub incarnation: Incarnation,
    /// Whether the customers before this record still count.
    pub keeps_state: bool,
    /// Where the ids that count begin in the dedupe changelog. Ids that are missing below were given up.
    pub dedupe_from: i64,
}

impl Baseline {
    /// The record's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        stored::encode(self, FormatLevel::NEWEST)
    }

    /// Reads a baseline.
    ///
    /// # Errors
    /// Where the format is unknown or the bytes are damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        stored::decode(bytes)
    }
}

/// The new ids of one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// The transaction's meta.
    pub meta: Meta,
    /// The clock of the chunk before it, Unix milliseconds. It tells a reader whether the chunks that are
    /// missing from the beginning of the log still matter.
    pub previous_clock_ms: i64,
    /// The ids by bucket.
    pub runs: Vec<Run>,
}

/// Ids of one bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The bucket.
    pub bucket: Day,
    /// For the late bucket, the day on which the ids were appended; otherwise 0.
    pub appended: Day,
    /// The ids, ascending.
    pub ids: Vec<SeenId>,
}

/// The id of an event that took effect, and what the event said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SeenId {
    id: [u8; 16],
    /// What the event said.
    pub content: ContentHash,
}

impl SeenId {
    /// The id of an event that said `content`.
    #[must_use]
    pub fn new(id: DedupeId, content: ContentHash) -> Self {
        Self { id: id.0, content }
    }

    /// The id.
    #[must_use]
    pub fn id(self) -> DedupeId {
        DedupeId(self.id)
    }
}

/// An id of which nothing else is known.
impl From<DedupeId> for SeenId {
    fn from(id: DedupeId) -> Self {
        Self::new(id, ContentHash::UNKNOWN)
    }
}

/// A chunk of format 1, whose ids have no [`ContentHash`].
#[derive(Serialize, Deserialize)]
struct ChunkV1 {
    meta: Meta,
    previous_clock_ms: i64,
    runs: Vec<RunV1>,
}

#[derive(Serialize, Deserialize)]
struct RunV1 {
    bucket: Day,
    appended: Day,
    ids: Vec<[u8; 16]>,
}

impl From<&Chunk> for ChunkV1 {
    fn from(chunk: &Chunk) -> Self {
        let mut runs = Vec::with_capacity(chunk.runs.len());
        for run in &chunk.runs {
            let ids = run.ids.iter().map(|seen| seen.id().0).collect();
            runs.push(RunV1 { bucket: run.bucket, appended: run.appended, ids });
        }
        Self { meta: chunk.meta, previous_clock_ms: chunk.previous_clock_ms, runs }
    }
}

impl From<ChunkV1> for Chunk {
    fn from(chunk: ChunkV1) -> Self {
        let ids = |ids: Vec<[u8; 16]>| ids.into_iter().map(|id| DedupeId(id).into()).collect();
        let run = |RunV1 { bucket, appended, ids: of_run }| Run { bucket, appended, ids: ids(of_run) };
        let ChunkV1 { meta, previous_clock_ms, runs } = chunk;
        Self { meta, previous_clock_ms, runs: runs.into_iter().map(run).collect() }
    }
}

impl Chunk {
    /// The chunk's bytes. Below [`FormatLevel::TAGGED`] they are of format 1, which has no [`ContentHash`].
    /// Then every id that comes again counts as a copy.
    #[must_use]
    pub fn encode(&self, formats: FormatLevel) -> Vec<u8> {
        if formats < FormatLevel::TAGGED {
            return stored::encode(&ChunkV1::from(self), formats);
        }
        stored::encode(self, formats)
    }

    /// Reads a chunk of any format.
    ///
    /// # Errors
    /// Where the format is unknown or the bytes are damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        match bytes {
            [ChunkV1::FORMAT, ..] => stored::decode::<ChunkV1>(bytes).map(Self::from),
            _ => stored::decode(bytes),
        }
    }
}

impl Stored for Meta {
    const WHAT: &'static str = "meta of a partition";
}

impl Stored for Baseline {
    const WHAT: &'static str = "baseline of a partition";
}

impl Stored for ChunkV1 {
    const WHAT: &'static str = "chunk of the dedupe changelog";
}

impl Stored for Chunk {
    const WHAT: &'static str = "chunk of the dedupe changelog";
    const FORMAT: u8 = 2;
}

#[cfg(test)]
mod tests {
    use kafka::NextOffset;

    use super::*;

    #[test]
    fn keys_of_customers_and_meta_never_meet() {
        assert_eq!(StateKey::parse(&customer_key(b"")), Ok(StateKey::Customer(b"")));
        assert_eq!(StateKey::parse(&customer_key(b"u1")), Ok(StateKey::Customer(b"u1")));
        assert_eq!(StateKey::parse(META_KEY), Ok(StateKey::Meta));
        assert_eq!(StateKey::parse(BASELINE_KEY), Ok(StateKey::Baseline));
        assert!(StateKey::parse(b"").is_err() && StateKey::parse(&[0, 1]).is_err());
    }

    /// Chunks outlive the version that wrote them.
    #[test]
    fn the_bytes_of_a_chunk_stay_as_they_are() {
        let meta =
            Meta::beginning(Incarnation::new([7; 16]), NextOffset(40)).followed_by(NextOffset(42), 1_000);
        let chunk = |contents: [ContentHash; 2]| {
            let ids = [[1; 16], [2; 16]].into_iter().zip(contents);
            let ids = ids.map(|(id, content)| SeenId::new(DedupeId(id), content)).collect();
            Chunk { meta, previous_clock_ms: 900, runs: vec![Run { bucket: 20_000, appended: 0, ids }] }
        };
        let today = chunk([[0xa1, 0xb2], [0, 1]].map(ContentHash::from_bytes));
        let bytes = today.encode(FormatLevel::NEWEST);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, include_str!("chunk_v2.hex").trim());
        let today_before_the_upgrade = today.encode(FormatLevel::FIRST);
        assert_eq!(Chunk::decode(&bytes), Ok(today));
        assert!(Chunk::decode(&bytes[..bytes.len() - 1]).is_err());
        assert!(Chunk::decode(&[3]).is_err() && Chunk::decode(&[]).is_err());

        let digits = include_str!("chunk_v1.hex").trim().as_bytes().chunks(2);
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex");
        let first: Vec<u8> = digits.map(byte).collect();
        assert_eq!(Chunk::decode(&first), Ok(chunk([ContentHash::UNKNOWN; 2])));
        assert_eq!(today_before_the_upgrade, first, "what the version before can read");
        assert!(Chunk::decode(&first[..first.len() - 1]).is_err());
        assert_eq!(bytes.len(), first.len() + 2 * 2, "two bytes per id");
    }
}
