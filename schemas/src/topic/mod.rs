//! The topics. Their names and settings are spelled here and nowhere else.

use std::time::Duration;

pub mod meta;

const DAY: Duration = Duration::from_secs(86_400);

/// The largest record of the topics that carry whole webhooks, in bytes. Only an event with a message body
/// comes near it. A larger event is kept without its content (G7).
pub const RECORD_BYTES_MAX: u32 = 4 << 20;

/// How many partitions a topic has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partitioning {
    /// As many as raw, so that a customer has the same partition number on every topic.
    LikeRaw,
    /// One.
    Single,
}

/// What happens to old records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleanup {
    /// They are deleted after this time.
    Delete(Duration),
    /// The latest record of each key stays.
    Compact {
        /// For how long no record is compacted away. A subscriber that lags less sees every record.
        lag_min: Duration,
        /// How long an overwritten value may stay. An erasure promises this time.
        lag_max: Option<Duration>,
    },
}

/// What happens to old records, before the processor's dedupe window is known.
#[derive(Debug, Clone, Copy)]
enum Retention {
    /// They are deleted after this many days.
    Days(u32),
    /// They are deleted this many days after the dedupe window.
    WindowAndDays(u32),
    /// The latest record of each key stays, for subscribers of other teams.
    Public,
    /// The latest record of each key stays. An overwritten record stays at least this long.
    Compact(Duration),
}

/// Who shares a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The workspace has one, whatever applications there are.
    Workspace,
    /// Each application of the processor has its own, since its processors write it.
    Application,
}

/// One topic.
#[derive(Debug, Clone, Copy)]
struct Row {
    name: &'static str,
    purpose: &'static str,
    scope: Scope,
    partitioning: Partitioning,
    retention: Retention,
}

/// Makes [`Topic`] and its table of the rows.
macro_rules! topics {
    ($(
        $topic:ident {
            name: $name:literal,
            purpose: $purpose:literal,
            scope: $scope:ident,
            partitioning: $partitioning:ident,
            retention: $retention:expr,
        }
    )+) => {
        /// Every topic that Aftersend reads or writes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Topic {
            $(#[doc = $purpose] $topic),+
        }

        const ROWS: &[Row] = &[$(Row {
            name: $name,
            purpose: $purpose,
            scope: Scope::$scope,
            partitioning: Partitioning::$partitioning,
            retention: $retention,
        }),+];

        impl Topic {
            /// Every topic, in the order in which they are created and listed.
            pub const ALL: [Self; ROWS.len()] = [$(Self::$topic),+];
        }
    };
}

topics! {
    Raw {
        name: "outcomes.raw.v1",
        purpose: "every verified input, exactly as it arrived: the one log everything is derived from",
        scope: Workspace,
        partitioning: LikeRaw,
        retention: Retention::Days(21),
    }
    Command {
        name: "outcomes.command.v1",
        purpose: "other teams' commands",
        scope: Workspace,
        partitioning: LikeRaw,
        retention: Retention::Days(7),
    }
    Warehouse {
        name: "outcomes.warehouse.v1",
        purpose: "every outcome, normalised, once",
        scope: Application,
        partitioning: LikeRaw,
        retention: Retention::Days(7),
    }
    Trait {
        name: "outcomes.trait.v1",
        purpose: "each customer's whole set of traits",
        scope: Application,
        partitioning: LikeRaw,
        retention: Retention::Public,
    }
    Suppression {
        name: "outcomes.suppression.v1",
        purpose: "each customer's whole set of suppression entries",
        scope: Application,
        partitioning: LikeRaw,
        retention: Retention::Public,
    }
    Identity {
        name: "outcomes.identity.v1",
        purpose: "each customer's current addresses (restricted)",
        scope: Application,
        partitioning: LikeRaw,
        retention: Retention::Public,
    }
    DeadLetter {
        name: "outcomes.dlq.v1",
        purpose: "what could not be understood or delivered, with reason and origin (restricted)",
        scope: Application,
        partitioning: LikeRaw,
        retention: Retention::Days(30),
    }
    Meta {
        name: "outcomes.meta.v1",
        purpose: "what every role must agree on before it starts",
        scope: Application,
        partitioning: Single,
        retention: Retention::Compact(Duration::ZERO),
    }
    Held {
        name: "outcomes.held.v1",
        purpose: "unverified inputs of sources set to hold (restricted)",
        scope: Workspace,
        partitioning: LikeRaw,
        retention: Retention::Days(7),
    }
    State {
        name: "outcomes.processor.state.v1",
        purpose: "the processor's changelog of customer state (internal)",
        scope: Application,
        partitioning: LikeRaw,
        retention: Retention::Compact(Duration::from_secs(600)),
    }
    Dedupe {
        name: "outcomes.processor.dedupe.v1",
        purpose: "the processor's changelog of dedupe ids (internal)",
        scope: Application,
        partitioning: LikeRaw,
        retention: Retention::WindowAndDays(10),
    }
    CustomerioIdentify {
        name: "customerio.identify",
        purpose: "other teams' identifies for Customer.io",
        scope: Workspace,
        partitioning: LikeRaw,
        retention: Retention::Days(7),
    }
    CustomerioTrack {
        name: "customerio.track",
        purpose: "events for Customer.io",
        scope: Application,
        partitioning: LikeRaw,
        retention: Retention::Days(7),
    }
    CustomerioTransactional {
        name: "customerio.transactional",
        purpose: "other teams' transactional messages",
        scope: Workspace,
        partitioning: LikeRaw,
        retention: Retention::Days(7),
    }
    CustomerioProcessed {
        name: "customerio.processed",
        purpose: "what became of other teams' writes",
        scope: Workspace,
        partitioning: LikeRaw,
        retention: Retention::Days(7),
    }
    CustomerioDeadLetter {
        name: "customerio.dlq",
        purpose: "other teams' writes that could not be delivered",
        scope: Workspace,
        partitioning: LikeRaw,
        retention: Retention::Days(7),
    }
}

impl Topic {
    fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// The name without prefix.
    #[must_use]
    pub fn base_name(self) -> &'static str {
        self.row().name
    }

    /// What it is for, in a line.
    #[must_use]
    pub fn purpose(self) -> &'static str {
        self.row().purpose
    }

    /// Who shares it.
    #[must_use]
    pub fn scope(self) -> Scope {
        self.row().scope
    }

    /// How many partitions it has.
    #[must_use]
    pub fn partitioning(self) -> Partitioning {
        self.row().partitioning
    }

    /// What happens to its old records, with the dedupe window of the processor.
    #[must_use]
    pub fn cleanup(self, window: Duration) -> Cleanup {
        match self.row().retention {
            Retention::Days(days) => Cleanup::Delete(days * DAY),
            Retention::WindowAndDays(days) => Cleanup::Delete(window + days * DAY),
            Retention::Public => Cleanup::Compact { lag_min: DAY, lag_max: Some(7 * DAY) },
            Retention::Compact(lag_min) => Cleanup::Compact { lag_min, lag_max: None },
        }
    }

    /// The topic's settings, by Kafka's own names. All topics are `LogAppendTime`, because retention must not
    /// follow a sender's clock, and the broker refuses timestamps that are far from its own.
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

/// The topics' names under one prefix. A workspace has a prefix of its own.
#[derive(Debug, Clone)]
pub struct Topics {
    names: [String; Topic::ALL.len()],
}

impl Topics {
    /// The names under `prefix`, which may be empty, with those of the processor's default application.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        Self::of_application(prefix, "")
    }

    /// The names under `prefix` for the processor's application `id`: what an application writes ends in its
    /// id. The default application's id is empty.
    #[must_use]
    pub fn of_application(prefix: &str, id: &str) -> Self {
        Self {
            names: Topic::ALL.map(|topic| match topic.scope() {
                Scope::Application if !id.is_empty() => format!("{prefix}{}.{id}", topic.base_name()),
                Scope::Application | Scope::Workspace => format!("{prefix}{}", topic.base_name()),
            }),
        }
    }

    /// What all names begin with; empty where there is no prefix.
    #[must_use]
    pub fn prefix(&self) -> &str {
        let name = self.name(Topic::Raw);
        name.strip_suffix(Topic::Raw.base_name()).unwrap_or(name)
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
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_topic_finds_its_own_name() {
        let topics = Topics::new("acme.");
        for topic in Topic::ALL {
            assert_eq!(topics.name(topic), format!("acme.{}", topic.base_name()));
        }
    }

    #[test]
    fn no_two_topics_share_a_name() {
        let names: BTreeSet<&str> = Topic::ALL.into_iter().map(Topic::base_name).collect();
        assert_eq!(names.len(), Topic::ALL.len());
    }

    #[test]
    fn two_applications_share_what_they_read_and_nothing_that_they_write() {
        let (default, other) = (Topics::new("acme."), Topics::of_application("acme.", "replay"));
        assert_eq!(other.name(Topic::Raw), default.name(Topic::Raw));
        assert_eq!(other.name(Topic::Warehouse), "acme.outcomes.warehouse.v1.replay");
        for topic in Topic::ALL {
            let is_shared = other.name(topic) == default.name(topic);
            assert_eq!(is_shared, topic.scope() == Scope::Workspace, "{topic:?}");
        }
    }

    #[test]
    fn a_dedupe_id_outlives_its_window() {
        let window = 30 * DAY;
        let settings = Topic::Dedupe.settings(window);
        assert!(settings.contains(&("retention.ms", (40 * DAY).as_millis().to_string())), "{settings:?}");
    }
}
