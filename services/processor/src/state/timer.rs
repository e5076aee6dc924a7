//! The index of timers: when to look at which customer, and for what. It is not in the changelogs, since it follows from the
//! customers; a restore makes it anew.

use crate::domain::customer::Customer;
use crate::domain::timer::{Kind, due_ms};

/// An entry of the index. Its time is a hint: what is really due follows from the customer's state.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timer {
    /// When to look, Unix milliseconds.
    pub at_ms: i64,
    /// For what.
    pub kind: Kind,
    /// At which customer.
    pub key: Vec<u8>,
}

impl Timer {
    /// What a customer's state asks for.
    pub fn of<'a>(key: &'a [u8], customer: &'a Customer<'a>) -> impl Iterator<Item = Self> + 'a {
        let timer = |kind| Some(Self { at_ms: due_ms(kind, customer)?, kind, key: key.to_vec() });
        Kind::ALL.into_iter().filter_map(timer)
    }

    /// Its key on disk, behind a prefix: `time (u64, big-endian) ‖ kind ‖ customer key`, so that the order on disk is the order
    /// of time.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = time(self.at_ms).to_vec();
        bytes.push(self.kind as u8);
        bytes.extend_from_slice(&self.key);
        bytes
    }

    /// Reads a key; `None` where it is none of ours.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (time, rest) = bytes.split_first_chunk::<8>()?;
        let (kind, key) = rest.split_first()?;
        let at_ms = i64::try_from(u64::from_be_bytes(*time)).ok()?;
        Some(Self { at_ms, kind: Kind::of(*kind)?, key: key.to_vec() })
    }
}

/// A time as keys begin with it. What was due before 1970 is due at once.
#[must_use]
pub fn time(at_ms: i64) -> [u8; 8] {
    u64::try_from(at_ms).unwrap_or(0).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn timer() -> impl Strategy<Value = Timer> {
        let key = proptest::collection::vec(any::<u8>(), 0..5);
        (0i64..5_000_000_000_000, key).prop_map(|(at_ms, key)| Timer { at_ms, kind: Kind::Tombstone, key })
    }

    proptest! {
        #[test]
        fn the_order_on_disk_is_the_order_of_time(one in timer(), other in timer()) {
            prop_assert_eq!(one.encode().cmp(&other.encode()), one.cmp(&other));
            prop_assert_eq!(Timer::decode(&one.encode()), Some(one));
        }
    }

    #[test]
    fn what_is_no_timer_is_told() {
        assert_eq!(Timer::decode(&[0; 8]), None);
        assert_eq!(Timer::decode(&[0, 0, 0, 0, 0, 0, 0, 0, 99]), None);
        assert_eq!(time(-5), time(0));
    }
}
