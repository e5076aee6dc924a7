//! How much may be in flight: beyond it the answer is 503 at once, never a queue (E3).

use std::sync::atomic::{AtomicUsize, Ordering};

use metrics::Gauge;

use super::answer::{Answer, Unavailable};
use crate::metric;

/// Counts requests and bytes in flight against their bounds.
pub(crate) struct Admission {
    requests: Bound,
    bytes: Bound,
}

struct Bound {
    used: AtomicUsize,
    max: usize,
    gauge: Gauge,
}

/// One admitted request, and the bytes it holds. Dropped, it frees both.
pub(crate) struct Ticket<'a> {
    admission: &'a Admission,
    bytes: usize,
}

impl Admission {
    pub(crate) fn new(requests_max: usize, bytes_max: usize) -> Self {
        Self {
            requests: Bound::new(requests_max, metrics::gauge!(metric::REQUESTS_IN_FLIGHT)),
            bytes: Bound::new(bytes_max, metrics::gauge!(metric::BYTES_IN_FLIGHT)),
        }
    }

    pub(crate) fn enter(&self) -> Result<Ticket<'_>, Answer> {
        if self.requests.take(1) {
            Ok(Ticket { admission: self, bytes: 0 })
        } else {
            Err(Answer::Unavailable(Unavailable::TooManyRequests))
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.requests.used.load(Ordering::Relaxed) == 0
    }
}

impl Ticket<'_> {
    /// Takes `bytes` more.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Answer> {
        if self.admission.bytes.take(bytes) {
            self.bytes += bytes;
            Ok(())
        } else {
            Err(Answer::Unavailable(Unavailable::TooManyBytes))
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.admission.bytes.give(self.bytes);
        self.admission.requests.give(1);
    }
}

impl Bound {
    fn new(max: usize, gauge: Gauge) -> Self {
        Self { used: AtomicUsize::new(0), max, gauge }
    }

    fn take(&self, amount: usize) -> bool {
        let within = |used: usize| used.checked_add(amount).filter(|used| *used <= self.max);
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).is_ok();
        if taken {
            self.show();
        }
        taken
    }

    fn give(&self, amount: usize) {
        self.used.fetch_sub(amount, Ordering::Relaxed);
        self.show();
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and no bound comes near 2⁵³")]
    fn show(&self) {
        self.gauge.set(self.used.load(Ordering::Relaxed) as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_a_bound_the_answer_is_503_and_a_dropped_ticket_frees_its_share() {
        let admission = Admission::new(2, 100);
        let mut first = admission.enter().expect("room");
        let second = admission.enter().expect("room");
        let refused = admission.enter().err();
        assert_eq!(refused, Some(Answer::Unavailable(Unavailable::TooManyRequests)));
        drop(second);
        let mut third = admission.enter().expect("room again");
        assert_eq!(first.grow(60), Ok(()));
        assert_eq!(third.grow(41), Err(Answer::Unavailable(Unavailable::TooManyBytes)));
        assert_eq!(third.grow(usize::MAX), Err(Answer::Unavailable(Unavailable::TooManyBytes)));
        drop(first);
        assert_eq!(third.grow(100), Ok(()));
        drop(third);
        assert!(admission.is_idle());
    }
}
