//! What time alone makes true of a customer (P5).
//!
//! A timer is derived from the customer's state, which alone is true; the index of timers only says where to look. So a deadline
//! that moves later leaves its old entry where it is: when that one comes up, the state tells the new time, and the entry is
//! made anew. A customer who is active every day costs one entry a month, not one per event.

use super::customer::Customer;
use super::suppression;
use super::window::DAY_MS;

/// How long a customer's suppressions stay published after the last one was lifted.
const TOMBSTONE_AFTER_MS: i64 = 30 * DAY_MS;

/// What is to happen. The number stands in keys on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Every suppression has been lifted for 30 days: a tombstone takes them off the topic.
    Tombstone = 1,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 1] = [Self::Tombstone];

    /// The kind that a key on disk names.
    #[must_use]
    pub fn of(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// When `kind` is due for `customer`, Unix milliseconds; `None` where nothing is to happen.
#[must_use]
pub fn due_ms(kind: Kind, customer: &Customer<'_>) -> Option<i64> {
    match kind {
        Kind::Tombstone => {
            let due = suppression::all_lifted_at(customer)?.saturating_add(TOMBSTONE_AFTER_MS);
            customer.tombstoned_ms.is_none_or(|done| due > done).then_some(due)
        }
    }
}

/// Notes that what was due at `due_ms` has happened: it is not due again until something later makes it so.
pub fn done(kind: Kind, customer: &mut Customer<'_>, due_ms: i64) {
    match kind {
        Kind::Tombstone => customer.tombstoned_ms = customer.tombstoned_ms.max(Some(due_ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::customer::{Customer, Fact};
    use super::*;

    fn learnt(facts: &[(&'static str, i64)]) -> Customer<'static> {
        let mut customer = Customer::default();
        for (metric, day) in facts {
            customer.learn(&Fact {
                channel: "email",
                metric,
                at_ms: day * DAY_MS,
                event_id: metric,
                delivery_id: None,
                token: None,
                machine: false,
            });
        }
        customer
    }

    fn due_day(customer: &Customer<'_>) -> Option<i64> {
        due_ms(Kind::Tombstone, customer).map(|due| due / DAY_MS)
    }

    /// P5: thirty days after the last lift, and only where everything is lifted.
    #[test]
    fn p5_suppressions_go_thirty_days_after_the_last_was_lifted() {
        assert_eq!(due_day(&learnt(&[("delivered", 1)])), None, "never suppressed");
        assert_eq!(due_day(&learnt(&[("bounced", 1)])), None, "still suppressed");
        assert_eq!(due_day(&learnt(&[("bounced", 1), ("delivered", 3)])), Some(33));
        assert_eq!(due_day(&learnt(&[("bounced", 1), ("delivered", 3), ("unsubscribed", 4)])), None);
        assert_eq!(
            due_day(&learnt(&[("bounced", 1), ("delivered", 3), ("unsubscribed", 4), ("subscribed", 9)])),
            Some(39)
        );
        assert_eq!(
            due_day(&learnt(&[("spammed", 1), ("bounced", 1), ("delivered", 3)])),
            None,
            "a complaint stays"
        );
    }

    #[test]
    fn what_has_happened_is_due_again_only_for_something_later() {
        let mut customer = learnt(&[("bounced", 1), ("delivered", 3)]);
        let due = due_ms(Kind::Tombstone, &customer).expect("due");
        done(Kind::Tombstone, &mut customer, due);
        assert_eq!(due_ms(Kind::Tombstone, &customer), None);
        customer.learn(&Fact {
            channel: "email",
            metric: "delivered",
            at_ms: 5 * DAY_MS,
            event_id: "later",
            delivery_id: None,
            token: None,
            machine: false,
        });
        assert_eq!(due_day(&customer), Some(35));
    }

    #[test]
    fn kinds_keep_their_numbers() {
        assert_eq!(Kind::of(1), Some(Kind::Tombstone));
        assert_eq!((Kind::of(0), Kind::of(2)), (None, None));
    }
}
