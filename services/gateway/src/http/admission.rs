//! How much may be in flight. Beyond it the answer is 503 at once: there is no queue (E3).

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

/// One admitted request, and the bytes of its body so far. Dropping it frees both.
pub(crate) struct Permit<'a> {
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

    pub(crate) fn admit(&self) -> Result<Permit<'_>, Answer> {
        if self.requests.acquire(1) {
            Ok(Permit { admission: self, bytes: 0 })
        } else {
            Err(Answer::Unavailable(Unavailable::TooManyRequests))
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.requests.used.load(Ordering::Relaxed) == 0
    }
}

impl Permit<'_> {
    /// Adds `bytes` to those in flight.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Answer> {
        if self.admission.bytes.acquire(bytes) {
            self.bytes += bytes;
            Ok(())
        } else {
            Err(Answer::Unavailable(Unavailable::TooManyBytes))
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.admission.bytes.release(self.bytes);
        self.admission.requests.release(1);
    }
}

impl Bound {
    fn new(max: usize, gauge: Gauge) -> Self {
        Self { used: AtomicUsize::new(0), max, gauge }
    }

    fn acquire(&self, amount: usize) -> bool {
        let within = |used: usize| used.checked_add(amount).filter(|used| *used <= self.max);
        let acquired = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).is_ok();
        if acquired {
            self.show();
        }
        acquired
    }

    fn release(&self, amount: usize) {
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
    fn beyond_a_bound_the_answer_is_503_and_a_dropped_permit_frees_its_share() {
        let admission = Admission::new(2, 100);
        let mut first = admission.admit().expect("room");
        let second = admission.admit().expect("room");
        let refused = admission.admit().err();
        assert_eq!(refused, Some(Answer::Unavailable(Unavailable::TooManyRequests)));
        drop(second);
        let mut third = admission.admit().expect("room again");
        assert_eq!(first.grow(60), Ok(()));
        assert_eq!(third.grow(41), Err(Answer::Unavailable(Unavailable::TooManyBytes)));
        assert_eq!(third.grow(usize::MAX), Err(Answer::Unavailable(Unavailable::TooManyBytes)));
        drop(first);
        assert_eq!(third.grow(100), Ok(()));
        drop(third);
        assert!(admission.is_idle());
    }
}
