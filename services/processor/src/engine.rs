//! The loop: read a batch, make a step of each partition, commit, again. One thread does all of it, so that a rebalance
//! never meets an open transaction.

use std::time::Duration;

use kafka::Connection;
use kafka::consumer::Group;
use kafka::transaction::{Member, TransactionLimits, Transactional};
use lifecycle::{Stop, Vital};
use schemas::topic::{Topic, Topics};
use thiserror::Error;

use crate::instance::Instance;
use crate::restore::{Place, RestoreError, Restorer};
use crate::settings::Settings;
use crate::state::memory::Shared;
use crate::state::store::StoreError;
use crate::transaction::commit::CommitError;
use crate::transaction::drill::Drill;
use crate::transaction::step::{Rules, StepError};

mod report;
mod session;

use session::Session;

/// How long a new producer waits for the coordinator, which may still be loading.
const INIT_TIMEOUT: Duration = Duration::from_secs(30);

/// What a session works with.
pub(crate) struct Engine<'a> {
    /// Settings.
    pub settings: &'a Settings,
    /// The cluster.
    pub connection: &'a Connection,
    /// Topic names.
    pub topics: &'a Topics,
    /// The consumer group, prefix included.
    pub group: String,
    /// This process's place.
    pub instance: &'a Instance,
    /// What holds for every partition.
    pub rules: &'a Rules,
    /// Where partitions are restored, and from what.
    pub place: &'a Place,
    /// A crash drill, or none.
    pub drill: &'a Drill,
    /// The end.
    pub stop: &'a Stop,
    /// This engine's health.
    pub vital: &'a Vital,
}

/// A session ended before it was asked to.
#[derive(Debug, Error)]
pub enum SessionError {
    /// Kafka failed.
    #[error(transparent)]
    Kafka(#[from] kafka::Error),
    /// The protocol stopped.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A partition could not be restored.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// A step could not be made.
    #[error(transparent)]
    Step(#[from] StepError),
    /// The disk failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SessionError {
    /// Whether starting over can't help.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Restore(error) => error.is_lasting(),
            Self::Kafka(kafka::Error::Unauthorized { .. } | kafka::Error::Settings(_)) => true,
            Self::Store(StoreError::Foreign { .. }) | Self::Step(StepError::Value(_)) => true,
            _ => false,
        }
    }
}

impl Engine<'_> {
    /// Runs until stopped, or until something fails. `committed` hears of every transaction.
    ///
    /// # Errors
    /// See [`SessionError`]. Nothing is left open that the next session would not end.
    pub(crate) fn session(&self, shared: &Shared, mut committed: impl FnMut()) -> Result<(), SessionError> {
        let producer = self.producer()?;
        let member = Member::join(self.connection, &self.group(), self.topics.name(Topic::Raw))?;
        let mut session = Session::new(self, producer, member, self.restorer(shared)?);
        self.vital.not_ready("joining the consumer group");
        while !self.stop.requested() {
            if session.turn()? {
                committed();
            }
            self.vital.progress();
        }
        Ok(())
    }

    fn group(&self) -> Group {
        Group {
            id: self.group.clone(),
            instance: Some(format!("{}-{}", self.group, self.instance.name())),
            session_timeout: self.settings.session_timeout,
        }
    }

    fn restorer(&self, shared: &Shared) -> Result<Restorer, kafka::Error> {
        Restorer::start(self.connection, &self.group, self.place.clone(), shared, self.stop.clone())
    }

    fn producer(&self) -> Result<Transactional, kafka::Error> {
        let id = format!("{}-{}-0", self.group, self.instance.name());
        let limits = TransactionLimits::within(self.settings.session_timeout);
        Transactional::init(self.connection, &id, &limits, INIT_TIMEOUT)
    }
}

impl std::fmt::Debug for Engine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("group", &self.group).finish_non_exhaustive()
    }
}
