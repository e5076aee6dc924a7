//! Structs as stored bytes, on disk and in changelogs.
//!
//! ```text
//!  format (u8) ‖ postcard of the struct, and nothing behind it
//! ```
//!
//! Postcard itself ignores bytes behind a struct. A version that does not know an added field would read the
//! struct without it, and drop the field when it writes the struct back. So bytes that are left over are
//! refused.
//!
//! A fleet is upgraded one process at a time, and may be rolled back. Until [`FormatLevel`] is raised by
//! `aftersend finalize-upgrade`, only formats are written that the version before can read.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How new the formats may be that are written. Every format that was ever written can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FormatLevel(u32);

impl FormatLevel {
    /// The first level: a disk's identity, its progress and its restore have no format byte.
    pub const FIRST: Self = Self(1);
    /// Every struct has a format byte.
    pub const TAGGED: Self = Self(2);
    /// The newest level that this version can write.
    pub const NEWEST: Self = Self::TAGGED;

    /// The level to write with where the meta topic allows `number`: a number that this version does not know
    /// yet allows the newest that it can write.
    #[must_use]
    pub fn allowed(number: u32) -> Self {
        Self(number).clamp(Self::FIRST, Self::NEWEST)
    }

    /// The number that stands on the meta topic.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }
}

/// Stored bytes that this version can't read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// A newer version wrote them.
    #[error("{what} has format {format}, which this version does not know: upgrade the processor")]
    UnknownFormat {
        /// What the bytes stand for.
        what: &'static str,
        /// Their first byte.
        format: u8,
    },
    /// They are damaged, or a newer version has added to them.
    #[error(
        "{what} of {length} bytes does not read. If it is on the disk, delete the partition's state folder, and it is \
         filled again from the changelogs"
    )]
    Damaged {
        /// What the bytes stand for.
        what: &'static str,
        /// Length, in bytes.
        length: usize,
    },
}

/// A struct that is stored with a format byte. Postcard writes fields in the order of their declaration,
/// without names. So a field never moves, changes its type or goes away: another layout is another format.
pub(crate) trait Stored: Serialize + DeserializeOwned {
    /// What the struct is, as errors name it.
    const WHAT: &'static str;
    /// The number of its format. Where the struct once stood without a format byte, no such bytes begin with
    /// it.
    const FORMAT: u8 = 1;
    /// The level from which on it has its format byte. Below, postcard's bytes stand alone.
    const TAGGED_FROM: FormatLevel = FormatLevel::FIRST;
}

/// The bytes of `value`, as the versions that `level` allows can read them.
pub(crate) fn encode<T: Stored>(value: &T, level: FormatLevel) -> Vec<u8> {
    let tag = if level < T::TAGGED_FROM { vec![] } else { vec![T::FORMAT] };
    postcard::to_extend(value, tag).expect("stored structs have only plain fields")
}

/// The struct of `bytes`.
pub(crate) fn decode<T: Stored>(bytes: &[u8]) -> Result<T, Unreadable> {
    let value = match bytes.strip_prefix(&[T::FORMAT]) {
        Some(body) => whole(body),
        None if T::TAGGED_FROM > FormatLevel::FIRST => whole(bytes),
        None => None,
    };
    value.ok_or_else(|| unreadable(T::WHAT, T::FORMAT, bytes))
}

/// Why `bytes` can't be read as `what`, of which this version knows the formats up to `newest`.
pub(in crate::state) fn unreadable(what: &'static str, newest: u8, bytes: &[u8]) -> Unreadable {
    match bytes.first() {
        Some(format) if *format > newest => Unreadable::UnknownFormat { what, format: *format },
        _ => Unreadable::Damaged { what, length: bytes.len() },
    }
}

/// The value whose postcard is `bytes`, all of them.
pub(super) fn whole<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    postcard::take_from_bytes(bytes).ok().filter(|(_, rest)| rest.is_empty()).map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use kafka::{NextOffset, TopicId};
    use proptest::prelude::*;
    use schemas::id::DedupeId;

    use super::*;
    use crate::state::changelog::{Baseline, Chunk, Run};
    use crate::state::identity::{Origin, StoreIdentity};
    use crate::state::meta::{ChangelogPositions, Incarnation, Meta, Restoring};

    const LEVELS: [FormatLevel; 2] = [FormatLevel::FIRST, FormatLevel::TAGGED];

    fn meta() -> Meta {
        Meta::beginning(Incarnation::new([7; 16]), NextOffset(40))
            .followed_by(NextOffset(42), 1_767_225_600_000)
    }

    fn restoring() -> Restoring {
        Restoring { meta: Some(meta()), ..Restoring::since(1_767_225_600_000) }
    }

    fn progress() -> ChangelogPositions {
        ChangelogPositions::new(NextOffset(300), NextOffset(7))
    }

    fn identity() -> StoreIdentity {
        StoreIdentity {
            cluster: Some("c1".to_owned()),
            topic: "raw".to_owned(),
            partition: 3,
            partitions: 12,
            origin: Origin::new(Some(TopicId([1; 16])), None, Some(TopicId([3; 16]))),
        }
    }

    fn chunk() -> Chunk {
        let runs = vec![Run {
            bucket: 20_000,
            appended: 0,
            ids: vec![DedupeId([1; 16]).into(), DedupeId([2; 16]).into()],
        }];
        Chunk { meta: meta(), previous_clock_ms: 900, runs }
    }

    fn baseline() -> Baseline {
        Baseline { incarnation: Incarnation::new([7; 16]), keeps_state: true, dedupe_from: 9 }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What comes back is what went in. A field that a newer version has appended is refused and never
    /// dropped. So is a format that this version does not know, and it is told from damage.
    fn assert_is_guarded<T: Stored + PartialEq + std::fmt::Debug>(value: &T) {
        for level in LEVELS {
            let bytes = encode(value, level);
            assert_eq!(decode::<T>(&bytes).as_ref(), Ok(value), "{level:?}");
            for field in [&[0][..], &[1], &[5, 6, 7], &[0xff; 9]] {
                let longer = [&bytes[..], field].concat();
                assert!(decode::<T>(&longer).is_err(), "{}: {field:?} was dropped", T::WHAT);
            }
            assert!(decode::<T>(&bytes[..bytes.len() - 1]).is_err(), "{}", T::WHAT);
        }
        let newer = [&[T::FORMAT + 1], &encode(value, FormatLevel::NEWEST)[1..]].concat();
        let unknown = Unreadable::UnknownFormat { what: T::WHAT, format: T::FORMAT + 1 };
        assert_eq!(decode::<T>(&newer), Err(unknown));
    }

    #[test]
    fn a_trailing_field_or_a_newer_format_of_any_stored_struct_is_refused() {
        assert_is_guarded(&meta());
        assert_is_guarded(&chunk());
        assert_is_guarded(&baseline());
        assert_is_guarded(&identity());
        assert_is_guarded(&progress());
        assert_is_guarded(&restoring());
    }

    /// The bytes that the version before format bytes wrote, and still writes until `aftersend
    /// finalize-upgrade`.
    #[test]
    fn the_bytes_of_the_version_before_are_read_and_until_the_gate_opens_written() {
        fn assert_golden<T: Stored + PartialEq + std::fmt::Debug>(value: &T, golden: &str) {
            assert_eq!(hex(&encode(value, FormatLevel::FIRST)), golden, "{}", T::WHAT);
            assert_eq!(hex(&encode(value, FormatLevel::TAGGED)), format!("03{golden}"), "{}", T::WHAT);
        }
        assert_golden(&identity(), IDENTITY);
        assert_golden(&progress(), PROGRESS);
        assert_golden(&restoring(), RESTORING);
    }

    const IDENTITY: &str =
        "0102633103726177060c0101010101010101010101010101010101000103030303030303030303030303030303";
    const PROGRESS: &str = "d8040e";
    const RESTORING: &str = "80a0d5edee660107070707070707070707070707070707015480a0d5edee6600";

    proptest! {
        /// Bytes with and without a format byte are never taken for each other, whatever the positions are.
        #[test]
        fn positions_are_read_as_they_were_written(state in 0..i64::MAX, dedupe in 0..i64::MAX, small in 0i64..200) {
            for (state, dedupe) in [(state, dedupe), (small, dedupe), (1, small), (small, 1)] {
                let positions = ChangelogPositions::new(NextOffset(state), NextOffset(dedupe));
                for level in LEVELS {
                    prop_assert_eq!(decode(&encode(&positions, level)), Ok(positions));
                }
            }
        }
    }

    #[test]
    fn a_level_that_this_version_does_not_know_allows_its_newest() {
        let allowed = [0, 1, 2, 3, u32::MAX].map(|number| FormatLevel::allowed(number).number());
        assert_eq!(allowed, [1, 1, 2, 2, 2]);
    }
}
