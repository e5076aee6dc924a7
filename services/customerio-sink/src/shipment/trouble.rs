use std::sync::{Mutex, MutexGuard, PoisonError};

use customerio::Status;

/// Failures of one request in a row before readiness names them: a single hiccup is none of its business.
const NAMED_AFTER: u32 = 3;

/// What keeps the vendor from being reached, if anything: written by the requests, read into readiness.
#[derive(Debug, Default)]
pub(crate) struct Trouble(Mutex<Option<String>>);

impl Trouble {
    /// A request has to be sent again, and has failed so many times in a row.
    pub(crate) fn failed(&self, status: &Status, failures: u32) {
        if failures >= NAMED_AFTER {
            *self.cause_now() = Some(format!("track api: {status}; {failures} failures in a row, retrying"));
        }
    }

    /// Every request is refused, for a reason that only an operator can mend (S4).
    pub(crate) fn refused(&self, status: &Status) {
        let mend = "check CUSTOMERIO_SITE_ID, CUSTOMERIO_API_KEY and CUSTOMERIO_REGION";
        *self.cause_now() = Some(format!("track api: {status}; stopped, nothing is drained: {mend}"));
    }

    /// The vendor answered. Returns whether a cause had been named.
    pub(crate) fn clear(&self) -> bool {
        self.cause_now().take().is_some()
    }

    /// What readiness should name.
    pub(crate) fn cause(&self) -> Option<String> {
        self.cause_now().clone()
    }

    fn cause_now(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
