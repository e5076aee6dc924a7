//! The Kafka that all tests of one binary share.

pub mod topic;

use std::sync::{Arc, Mutex, PoisonError, Weak};

use devkit::kafka::Broker;
use kafka::Connection;
use tempfile::TempDir;

/// A broker that ends with the last test that uses it. Each test has its own topic prefix.
#[derive(Debug)]
pub struct Shared {
    broker: Broker,
    _folder: Option<TempDir>,
}

impl Shared {
    /// The broker of this test process. It is started if no test uses it yet. `AFTERSEND_KAFKA` names a
    /// cluster to use instead.
    ///
    /// # Panics
    /// If Kafka doesn't start.
    #[must_use]
    pub fn obtain() -> Arc<Shared> {
        static SHARED: Mutex<Weak<Shared>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let folder = tempfile::tempdir().expect("a temporary folder can be made");
            let existing = std::env::var("AFTERSEND_KAFKA").ok();
            let broker = Broker::obtain(existing.as_deref(), folder.path(), &|_| {}).expect("Kafka starts");
            let fresh = Arc::new(Shared { broker, _folder: Some(folder) });
            *shared = Arc::downgrade(&fresh);
            fresh
        })
    }

    /// A broker that the caller started, and may kill.
    #[must_use]
    pub fn at(bootstrap: &str) -> Arc<Shared> {
        Arc::new(Shared { broker: Broker::Existing(bootstrap.to_owned()), _folder: None })
    }

    /// Bootstrap servers.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        self.broker.bootstrap()
    }

    /// A connection to it.
    #[must_use]
    pub fn connection(&self) -> Connection {
        Connection::plain(self.bootstrap())
    }
}
