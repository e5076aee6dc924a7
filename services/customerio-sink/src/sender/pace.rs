use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Spreads requests evenly over time. The vendor may silently drop what exceeds its rate, so this limit
/// protects the data as well as the vendor.
#[derive(Debug)]
pub(crate) struct Pace {
    interval: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    pub(crate) fn new(requests_per_second: u32) -> Self {
        Self { interval: Duration::from_secs(1) / requests_per_second.max(1), next: Mutex::default() }
    }

    /// Resolves when the next request may start.
    pub(crate) async fn turn(&self) {
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = next.unwrap_or_else(Instant::now).max(Instant::now());
            *next = Some(turn + self.interval);
            turn
        };
        sleep_until(turn).await;
    }
}
