//! What time alone makes true of a customer (P5).
//!
//! A timer is derived from the customer's state. The index of timers only says at which customer to look, and
//! when. A deadline that moves later leaves its old entry in the index: when that entry comes up, the state
//! gives the new time, and the entry is made again. So a customer who is active every day costs one entry a
//! month, not one per event.

use super::window::DAY_MS;
use crate::domain::customer::Customer;
use crate::domain::decide::suppression;

/// How long a customer's suppressions stay on their topic after the last one was lifted.
const TOMBSTONE_AFTER_MS: i64 = 30 * DAY_MS;

/// What is to happen. The number is stored in keys on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TimerKind {
    /// Every suppression has been lifted for 30 days, and a tombstone takes the record off the topic.
    Tombstone = 1,
}

impl TimerKind {
    /// Every kind.
    pub const ALL: [Self; 1] = [Self::Tombstone];

    /// The kind of a number in a key on disk.
    #[must_use]
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// When `kind` is due for `customer`, Unix milliseconds; `None` where nothing is to happen.
#[must_use]
pub(crate) fn due_ms(kind: TimerKind, customer: &Customer<'_>) -> Option<i64> {
    match kind {
        TimerKind::Tombstone => {
            let due = suppression::all_lifted_at(customer)?.saturating_add(TOMBSTONE_AFTER_MS);
            customer.tombstoned_ms.is_none_or(|done| due > done).then_some(due)
        }
    }
}

/// Notes that what was due at `due_ms` has happened. It is due again only where something later makes it due.
pub(crate) fn done(kind: TimerKind, customer: &mut Customer<'_>, due_ms: i64) {
    match kind {
        TimerKind::Tombstone => customer.tombstoned_ms = customer.tombstoned_ms.max(Some(due_ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::customer::{Customer, Fact};

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
        due_ms(TimerKind::Tombstone, customer).map(|due| due / DAY_MS)
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
        let due = due_ms(TimerKind::Tombstone, &customer).expect("due");
        done(TimerKind::Tombstone, &mut customer, due);
        assert_eq!(due_ms(TimerKind::Tombstone, &customer), None);
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
        assert_eq!(TimerKind::from_byte(1), Some(TimerKind::Tombstone));
        assert_eq!((TimerKind::from_byte(0), TimerKind::from_byte(2)), (None, None));
    }
}
