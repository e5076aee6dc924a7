//! The index of timers: when to look at which customer, and for what.
//!
//! The index is not in the changelogs, because it follows from the customers. A restore builds it again.

use crate::domain::customer::Customer;
use crate::domain::time::timer::{TimerKind, due_ms};

/// An entry of the index. Its time is a hint: what is really due is decided from the customer's state.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timer {
    /// When to look, Unix milliseconds.
    pub at_ms: i64,
    /// For what.
    pub kind: TimerKind,
    /// At which customer.
    pub key: Vec<u8>,
}

impl Timer {
    /// The timers that a customer's state asks for.
    pub(crate) fn all_of<'a>(key: &'a [u8], customer: &'a Customer<'a>) -> impl Iterator<Item = Self> + 'a {
        let timer = |kind| Some(Self { at_ms: due_ms(kind, customer)?, kind, key: key.to_vec() });
        TimerKind::ALL.into_iter().filter_map(timer)
    }
}
