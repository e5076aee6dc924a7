//! The topics: the one place where their names and settings are spelled.

use std::time::Duration;

pub mod meta;

const DAY: Duration = Duration::from_secs(86_400);

/// Largest record of the topics that carry whole webhooks, in bytes. Far above anything but a message body; a larger
/// event is kept without its content (G7).
pub const RECORD_BYTES_MAX: u32 = 4 << 20;

/// Every topic that Aftersend reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Every verified input, keyed by customer: the one log everything is derived from.
    Raw,
    /// Other teams' commands.
    Command,
    /// Every outcome once.
    Warehouse,
    /// Each customer's traits.
    Trait,
    /// Each customer's suppression entries.
    Suppression,
    /// Each customer's current addresses. Restricted.
    Identity,
    /// What could not be understood or delivered. Restricted.
    DeadLetter,
    /// What every role must agree on.
    Meta,
    /// Unverified inputs of sources set to hold. Restricted.
    Held,
    /// The processor's changelog of customer state. Internal.
    State,
    /// The processor's changelog of dedupe ids. Internal.
    Dedupe,
    /// Other teams' identifies.
    CustomerioIdentify,
    /// Other teams' events, and ours.
    CustomerioTrack,
    /// Other teams' transactional messages.
    CustomerioTransactional,
    /// What became of other teams' writes.
    CustomerioProcessed,
    /// Other teams' writes that could not be delivered.
    CustomerioDeadLetter,
}

/// How many partitions a topic has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partitioning {
    /// As many as raw, so that one customer is on one partition number everywhere.
    LikeRaw,
    /// One.
    Single,
}

/// What happens to old records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleanup {
    /// They go after this long.
    Delete(Duration),
    /// The latest per key stays.
    Compact {
        /// How long a record is certain to be seen by a subscriber that keeps up.
        lag_min: Duration,
        /// How long an overwritten value may linger: what an erasure promises.
        lag_max: Option<Duration>,
    },
}

impl Topic {
    /// Every topic, in the order in which they are created and listed.
    pub const ALL: [Self; 16] = [
        Self::Raw,
        Self::Command,
        Self::Warehouse,
        Self::Trait,
        Self::Suppression,
        Self::Identity,
        Self::DeadLetter,
        Self::Meta,
        Self::Held,
        Self::State,
        Self::Dedupe,
        Self::CustomerioIdentify,
        Self::CustomerioTrack,
        Self::CustomerioTransactional,
        Self::CustomerioProcessed,
        Self::CustomerioDeadLetter,
    ];

    /// The name without prefix.
    #[must_use]
    pub fn base_name(self) -> &'static str {
        match self {
            Self::Raw => "outcomes.raw.v1",
            Self::Command => "outcomes.command.v1",
            Self::Warehouse => "outcomes.warehouse.v1",
            Self::Trait => "outcomes.trait.v1",
            Self::Suppression => "outcomes.suppression.v1",
            Self::Identity => "outcomes.identity.v1",
            Self::DeadLetter => "outcomes.dlq.v1",
            Self::Meta => "outcomes.meta.v1",
            Self::Held => "outcomes.held.v1",
            Self::State => "outcomes.processor.state.v1",
            Self::Dedupe => "outcomes.processor.dedupe.v1",
            Self::CustomerioIdentify => "customerio.identify",
            Self::CustomerioTrack => "customerio.track",
            Self::CustomerioTransactional => "customerio.transactional",
            Self::CustomerioProcessed => "customerio.processed",
            Self::CustomerioDeadLetter => "customerio.dlq",
        }
    }

    /// What it is for, in a line.
    #[must_use]
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Raw => {
                "every verified input, exactly as it arrived: the one log everything is derived from"
            }
            Self::Command => "other teams' commands",
            Self::Warehouse => "every outcome, normalised, once",
            Self::Trait => "each customer's whole set of traits",
            Self::Suppression => "each customer's whole set of suppression entries",
            Self::Identity => "each customer's current addresses (restricted)",
            Self::DeadLetter => {
                "what could not be understood or delivered, with reason and origin (restricted)"
            }
            Self::Meta => "what every role must agree on before it starts",
            Self::Held => "unverified inputs of sources set to hold (restricted)",
            Self::State => "the processor's changelog of customer state (internal)",
            Self::Dedupe => "the processor's changelog of dedupe ids (internal)",
            Self::CustomerioIdentify => "other teams' identifies for Customer.io",
            Self::CustomerioTrack => "events for Customer.io",
            Self::CustomerioTransactional => "other teams' transactional messages",
            Self::CustomerioProcessed => "what became of other teams' writes",
            Self::CustomerioDeadLetter => "other teams' writes that could not be delivered",
        }
    }

    /// How many partitions it has.
    #[must_use]
    pub fn partitioning(self) -> Partitioning {
        if self == Self::Meta { Partitioning::Single } else { Partitioning::LikeRaw }
    }

    /// What happens to its old records, with the dedupe window of the processor.
    #[must_use]
    pub fn cleanup(self, window: Duration) -> Cleanup {
        let public = Cleanup::Compact { lag_min: DAY, lag_max: Some(7 * DAY) };
        match self {
            Self::Raw => Cleanup::Delete(21 * DAY),
            Self::Trait | Self::Suppression | Self::Identity => public,
            Self::Meta => Cleanup::Compact { lag_min: Duration::ZERO, lag_max: None },
            Self::State => Cleanup::Compact { lag_min: Duration::from_secs(600), lag_max: None },
            Self::Dedupe => Cleanup::Delete(window + 10 * DAY),
            Self::DeadLetter => Cleanup::Delete(30 * DAY),
            Self::Command
            | Self::Warehouse
            | Self::Held
            | Self::CustomerioIdentify
            | Self::CustomerioTrack
            | Self::CustomerioTransactional
            | Self::CustomerioProcessed
            | Self::CustomerioDeadLetter => Cleanup::Delete(7 * DAY),
        }
    }

    /// The topic's settings, by Kafka's own names. All topics are `LogAppendTime`: retention must not follow a sender's
    /// clock, and the broker refuses far timestamps.
    #[must_use]
    pub fn settings(self, window: Duration) -> Vec<(&'static str, String)> {
        let millis = |duration: Duration| duration.as_millis().to_string();
        let mut settings = vec![
            ("message.timestamp.type", "LogAppendTime".to_owned()),
            ("max.message.bytes", (RECORD_BYTES_MAX + (64 << 10)).to_string()),
            ("segment.ms", millis(DAY)),
        ];
        match self.cleanup(window) {
            Cleanup::Delete(retention) => settings.extend([
                ("cleanup.policy", "delete".to_owned()),
                ("retention.ms", millis(retention)),
                ("retention.bytes", "-1".to_owned()),
            ]),
            Cleanup::Compact { lag_min, lag_max } => {
                settings.extend([
                    ("cleanup.policy", "compact".to_owned()),
                    ("min.compaction.lag.ms", millis(lag_min)),
                    ("delete.retention.ms", millis(7 * DAY)),
                ]);
                settings.extend(lag_max.map(|lag| ("max.compaction.lag.ms", millis(lag))));
            }
        }
        settings
    }
}

/// The topics' names under one prefix: one workspace per prefix.
#[derive(Debug, Clone)]
pub struct Topics {
    names: [String; Topic::ALL.len()],
}

impl Topics {
    /// The names under `prefix`, which may be empty.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        Self { names: Topic::ALL.map(|topic| format!("{prefix}{}", topic.base_name())) }
    }

    /// The name of `topic`.
    #[must_use]
    pub fn name(&self, topic: Topic) -> &str {
        &self.names[topic as usize]
    }
}

impl Default for Topics {
    fn default() -> Self {
        Self::new("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_finds_its_own_name() {
        let topics = Topics::new("acme.");
        for topic in Topic::ALL {
            assert_eq!(topics.name(topic), format!("acme.{}", topic.base_name()));
        }
    }

    #[test]
    fn a_dedupe_id_outlives_its_window() {
        let window = 30 * DAY;
        let settings = Topic::Dedupe.settings(window);
        assert!(settings.contains(&("retention.ms", (40 * DAY).as_millis().to_string())), "{settings:?}");
    }
}
