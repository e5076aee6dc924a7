//! What tests make the Track API do wrong.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::identifier::Identifier;

/// How one request to `batch` or `entity` goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// Answered with that status; nothing is applied.
    Status(u16),
    /// Answered 429 with `Retry-After` in seconds; nothing is applied.
    RetryAfter(u64),
    /// Never answered; nothing is applied.
    Hang,
    /// Applied, and never answered: the sender can't know.
    LostAnswer,
}

/// What is to go wrong next.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) queue: VecDeque<Fault>,
    pub(super) rejections: HashMap<Identifier, u32>,
    pub(super) latency: Duration,
    second: Option<(Instant, u32)>,
}

impl Faults {
    /// Whether an item for that person is to be rejected; counts one rejection off.
    pub(super) fn rejects(&mut self, identifier: &Identifier) -> bool {
        match self.rejections.get_mut(identifier) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }

    /// Whether one more request in this second is over the limit.
    pub(super) fn over(&mut self, limit_per_s: Option<u32>, now: Instant) -> bool {
        let Some(limit) = limit_per_s else { return false };
        let (begun, count) = self.second.get_or_insert((now, 0));
        if now.duration_since(*begun) >= Duration::from_secs(1) {
            (*begun, *count) = (now, 0);
        }
        *count += 1;
        *count > limit
    }
}
