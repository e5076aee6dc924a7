use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerGroupMetadata};

use super::Quiet;
use crate::{Connection, Error};

/// A member of a consumer group. It joins while it is polled.
pub struct TrialMember {
    consumer: BaseConsumer<Quiet>,
}

/// A member's place in its group at one moment: group, generation, member id and instance id. It can be shown
/// to the broker later, when it is no longer valid.
pub struct Membership(pub(super) ConsumerGroupMetadata);

impl TrialMember {
    /// A member of `group` on `topic`; a static one if it has an `instance` id. The broker forgets a member
    /// that was not polled for `session`.
    ///
    /// # Errors
    /// If the client refuses its settings.
    pub fn new(
        connection: &Connection,
        group: &str,
        topic: &str,
        instance: Option<&str>,
        session: Duration,
    ) -> Result<Self, Error> {
        let mut config = connection.client_config("aftersend-probe");
        config
            .set("group.id", group)
            .set("group.protocol", "classic")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", session.as_millis().to_string())
            .set("heartbeat.interval.ms", "500")
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "latest");
        if let Some(instance) = instance {
            config.set("group.instance.id", instance);
        }
        let consumer: BaseConsumer<Quiet> = config.create_with_context(Quiet).map_err(Error::Settings)?;
        consumer.subscribe(&[topic]).map_err(|source| Error::of("subscribe", source))?;
        Ok(Self { consumer })
    }

    /// Polls for at most `wait` and discards what comes, records and errors alike. Returns whether the member
    /// has a partition.
    #[must_use]
    pub fn poll_for_partition(&self, wait: Duration) -> bool {
        let _ = self.consumer.poll(wait);
        self.consumer.assignment().is_ok_and(|assigned| assigned.count() > 0)
    }

    /// The member's place in its group; `None` before it has joined.
    #[must_use]
    pub fn membership(&self) -> Option<Membership> {
        self.consumer.group_metadata().map(Membership)
    }
}

impl std::fmt::Debug for TrialMember {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrialMember").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Membership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Membership").finish_non_exhaustive()
    }
}
