use customerio::Status;
use delivery::TargetHealth;

/// Failures of one request in a row before readiness names them: a single failure is no cause for alarm.
const NAMED_AFTER: u32 = 3;

/// What keeps the vendor from being reached, in words for readiness. Written by the requests in flight.
#[derive(Debug, Clone)]
pub(crate) struct VendorHealth(TargetHealth);

impl VendorHealth {
    pub(crate) fn new(target: TargetHealth) -> Self {
        Self(target)
    }

    /// A request has to be sent again, and has failed so many times in a row.
    pub(crate) fn failed(&self, status: &Status, failures: u32) {
        if failures >= NAMED_AFTER {
            self.0.fails(format!("track api: {status}; {failures} failures in a row, retrying"));
        }
    }

    /// Every request is refused, for a reason that only an operator can mend (S4).
    pub(crate) fn refused(&self, status: &Status) {
        let mend = "check CUSTOMERIO_SITE_ID, CUSTOMERIO_API_KEY and CUSTOMERIO_REGION";
        self.0.fails(format!("track api: {status}; stopped, nothing is drained: {mend}"));
    }

    /// The vendor answered. Returns whether a cause had been named.
    pub(crate) fn answered(&self) -> bool {
        self.0.works()
    }
}
