//! What an event says, in two bytes: enough to see that an id came again with something else.

use schemas::partition;
use serde::{Deserialize, Serialize};
use webhook::event::Event;

/// A hash of an event's metric, time and delivery.
///
/// Copies of one event have one hash. Two events that share an id without being copies have the same hash
/// once in 65,535 cases, and the second then passes for a copy. The hash is stored beside ids for as long as
/// the window: what it is made of must not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ContentHash([u8; 2]);

impl ContentHash {
    /// Of an event whose id was stored before hashes were. Anything passes for its copy.
    pub const UNKNOWN: Self = Self([0; 2]);

    /// The hash of `event`.
    #[must_use]
    pub(crate) fn of(event: &Event<'_>) -> Self {
        Self::of_parts(&event.metric, event.time.known_ms(), event.delivery_id.as_deref())
    }

    fn of_parts(metric: &str, at_ms: Option<i64>, delivery_id: Option<&str>) -> Self {
        // No text in UTF-8 has this byte, so the parts can't run into each other.
        const END: &[u8] = &[0xff];
        let at = at_ms.map(i64::to_be_bytes);
        let at = at.as_ref().map_or(&[][..], |at| at);
        let delivery = delivery_id.unwrap_or_default().as_bytes();
        let hash = partition::positive(&[metric.as_bytes(), END, delivery, END, at].concat());
        let [a, b, c, d] = hash.to_be_bytes();
        match [a ^ c, b ^ d] {
            [0, 0] => Self([0, 1]),
            bytes => Self(bytes),
        }
    }

    /// The hash of these stored bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 2]) -> Self {
        Self(bytes)
    }

    /// The bytes that are stored.
    #[must_use]
    pub(crate) fn to_bytes(self) -> [u8; 2] {
        self.0
    }

    /// Whether events of these hashes pass for copies of one event.
    #[must_use]
    pub(crate) fn is_copy_of(self, other: Self) -> bool {
        self == other || self == Self::UNKNOWN || other == Self::UNKNOWN
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    /// It is stored: with another hash, every copy of an earlier event would look like another event.
    #[test]
    fn the_hash_of_an_event_stays_as_it_is() {
        let of = ContentHash::of_parts;
        assert_eq!(
            of("bounced", Some(1_613_063_089_000), Some("RPILAgUBcRhIBqSfeiIwdIYJKxTY")).0,
            [176, 180]
        );
        assert_eq!(of("sent", None, None).0, [117, 196]);
    }

    #[test]
    fn parts_cannot_run_into_each_other() {
        let all = [("ab", None, None), ("a", None, Some("b")), ("", None, Some("ab")), ("ab", Some(0), None)];
        let hashes: HashSet<_> =
            all.map(|(metric, at, delivery)| ContentHash::of_parts(metric, at, delivery)).into();
        assert_eq!(hashes.len(), all.len());
    }

    #[test]
    fn what_was_stored_without_a_hash_has_only_copies() {
        let some = ContentHash::of_parts("sent", None, None);
        assert!(some.is_copy_of(ContentHash::UNKNOWN) && ContentHash::UNKNOWN.is_copy_of(some));
    }

    /// 1 in 65,535 would be missed by pure chance; of 10,000 pairs, more than 5 would be a poor hash.
    #[test]
    fn hardly_any_two_events_look_alike() {
        let of = |delivery: u32| ContentHash::of_parts("sent", Some(1), Some(&format!("d-{delivery}")));
        let alike = (0..10_000).filter(|number| of(*number).is_copy_of(of(number + 1))).count();
        assert!(alike <= 5, "{alike}");
    }

    proptest! {
        #[test]
        fn no_event_has_the_unknown_hash(metric: String, at: Option<i64>, delivery: Option<String>) {
            let hash = ContentHash::of_parts(&metric, at, delivery.as_deref());
            prop_assert_ne!(hash, ContentHash::UNKNOWN);
            prop_assert_eq!(ContentHash::from_bytes(hash.to_bytes()), hash);
        }
    }
}
