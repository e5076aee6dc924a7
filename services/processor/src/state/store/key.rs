//! The layout of a partition's RocksDB: every key, in one place.
//!
//! | family | key | value |
//! |---|---|---|
//! | `ids` | `day (u16) ‖ id (16 bytes)` | what the event said (2 bytes) |
//! | `ids` | `0 (u16) ‖ id (16 bytes)`, the late bucket | day of the append (u16) ‖ what the event said |
//! | `default` | `c ‖ customer key` | the customer, see `state/format` |
//! | `default` | `t ‖ time (u64, ms) ‖ kind (u8) ‖ customer key` | empty |
//! | `default` | `m` | the partition's meta, see `state/changelog.rs` |
//! | `default` | `p` | how far the changelogs are on disk |
//! | `default` | `i` | whose disk this is |
//! | `default` | `r` | the restore that has not ended |
//!
//! Numbers are big-endian. RocksDB sorts keys as bytes, and only big-endian numbers sort by value. So a day's
//! ids are neighbours and can be dropped as one range, and the timer index is in the order of time.
//!
//! The values of `ids` have no format byte, which would cost half of their size. Their length tells the
//! format: earlier versions stored no content, and their values are two bytes shorter.

use rocksdb::DEFAULT_COLUMN_FAMILY_NAME;
use schemas::id::DedupeId;

use crate::domain::event::content::ContentHash;
use crate::domain::time::timer::TimerKind;
use crate::domain::time::window::{Day, LATE};
use crate::state::timer::Timer;

/// The family of dedupe ids.
pub(super) const IDS: &str = "ids";
/// The family of everything else. RocksDB insists on this family, and a third one would only cost memory.
pub(super) const STATE: &str = DEFAULT_COLUMN_FAMILY_NAME;

/// The partition's meta.
pub(super) const META: &[u8] = b"m";
/// How far the changelogs are on disk.
pub(super) const PROGRESS: &[u8] = b"p";
/// Whose disk this is.
pub(super) const IDENTITY: &[u8] = b"i";
/// The restore that has not ended. While this key exists, customers and ids may be newer than the meta.
pub(super) const RESTORING: &[u8] = b"r";

/// First byte of a customer's key.
const CUSTOMER: u8 = b'c';
/// First byte of a timer's key.
const TIMER: u8 = b't';

/// Length of an id's key, in bytes.
pub(super) const ID_BYTES: usize = 18;

/// The key of `id` in the bucket of `day`.
pub(super) fn id(day: Day, id: DedupeId) -> [u8; ID_BYTES] {
    let mut key = [0; ID_BYTES];
    key[..2].copy_from_slice(&bucket(day));
    key[2..].copy_from_slice(&id.0);
    key
}

/// What is stored with an id, however its bucket stores it: `day of the append ‖ content`.
pub(super) type IdValue = [u8; 4];

/// What is stored with an id that was appended on day `appended`. In a day's bucket that day says nothing.
pub(super) fn id_value(appended: Day, content: ContentHash) -> IdValue {
    let [a, b] = appended.to_be_bytes();
    let [c, d] = content.to_bytes();
    [a, b, c, d]
}

/// The part of `value` that is stored in the bucket of `day`.
pub(super) fn stored_of(day: Day, value: &IdValue) -> &[u8] {
    if day == LATE { value } else { &value[2..] }
}

/// The content in a day's value.
pub(super) fn content_of_day(value: &[u8]) -> ContentHash {
    value.try_into().map_or(ContentHash::UNKNOWN, ContentHash::from_bytes)
}

/// The day of the append and the content in a late id's value; `None` where the value is of no format.
pub(super) fn parse_late(value: &[u8]) -> Option<(Day, ContentHash)> {
    match value {
        [a, b] => Some((Day::from_be_bytes([*a, *b]), ContentHash::UNKNOWN)),
        [a, b, c, d] => Some((Day::from_be_bytes([*a, *b]), ContentHash::from_bytes([*c, *d]))),
        _ => None,
    }
}

/// What the keys of a day's ids begin with. It is also the lower bound of that day's keys.
pub(super) fn bucket(day: Day) -> [u8; 2] {
    day.to_be_bytes()
}

/// The day in an id's key.
pub(super) fn day_of_id(key: &[u8]) -> Option<Day> {
    key.first_chunk().map(|day| Day::from_be_bytes(*day))
}

/// A customer's key.
pub(super) fn customer(key: &[u8]) -> Vec<u8> {
    [&[CUSTOMER], key].concat()
}

/// The lower bound of all customers' keys.
pub(super) const CUSTOMERS_FROM: [u8; 1] = [CUSTOMER];
/// The upper bound of all customers' keys, not included.
pub(super) const CUSTOMERS_TO: [u8; 1] = [CUSTOMER + 1];

/// Whether `key` is a customer's key.
pub(super) fn is_customer(key: &[u8]) -> bool {
    key.first() == Some(&CUSTOMER)
}

/// A timer's key.
pub(super) fn timer(timer: &Timer) -> Vec<u8> {
    let mut key = timers_from(timer.at_ms);
    key.push(timer.kind as u8);
    key.extend_from_slice(&timer.key);
    key
}

/// The lower bound of the keys of timers at `at_ms` or later. A time before 1970 counts as 1970: such a timer
/// is due at once.
pub(super) fn timers_from(at_ms: i64) -> Vec<u8> {
    let mut bound = vec![TIMER];
    bound.extend_from_slice(&u64::try_from(at_ms).unwrap_or(0).to_be_bytes());
    bound
}

/// The timer of `key`; `None` where the key is not a timer's.
pub(super) fn parse_timer(key: &[u8]) -> Option<Timer> {
    let [TIMER, rest @ ..] = key else { return None };
    let (time, rest) = rest.split_first_chunk::<8>()?;
    let (kind, key) = rest.split_first()?;
    let at_ms = i64::try_from(u64::from_be_bytes(*time)).ok()?;
    Some(Timer { at_ms, kind: TimerKind::from_byte(*kind)?, key: key.to_vec() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_timer() -> impl Strategy<Value = Timer> {
        let key = proptest::collection::vec(any::<u8>(), 0..5);
        (0i64..5_000_000_000_000, key).prop_map(|(at_ms, key)| Timer {
            at_ms,
            kind: TimerKind::Tombstone,
            key,
        })
    }

    proptest! {
        #[test]
        fn the_order_on_disk_is_the_order_of_time(one in any_timer(), other in any_timer()) {
            prop_assert_eq!(timer(&one).cmp(&timer(&other)), one.cmp(&other));
            prop_assert_eq!(parse_timer(&timer(&one)), Some(one));
        }
    }

    #[test]
    fn what_is_no_timer_is_recognised() {
        assert_eq!(parse_timer(&[TIMER, 0, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(parse_timer(&[TIMER, 0, 0, 0, 0, 0, 0, 0, 0, 99]), None);
        assert_eq!(parse_timer(&customer(b"u1")), None);
        assert_eq!(timers_from(-5), timers_from(0));
    }
}
