//! A deployment of Aftersend for one test: topics with their own prefix, a folder, and the roles that the
//! test starts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use schemas::topic::{Partitioning, Topic, Topics};
use tempfile::TempDir;

use crate::broker::{Shared, topic};
use crate::process::{Exit, Process};
use crate::vendor::SIGNING_KEY;

/// A role of the binary.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// `aftersend gateway`
    Gateway,
    /// `aftersend processor`
    Processor,
    /// `aftersend sink customerio`
    CustomerioSink,
    /// `aftersend sink bigquery`
    WarehouseSink,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 4] = [Role::Gateway, Role::Processor, Role::CustomerioSink, Role::WarehouseSink];

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Role::Gateway => &["gateway"],
            Role::Processor => &["processor"],
            Role::CustomerioSink => &["sink", "customerio"],
            Role::WarehouseSink => &["sink", "bigquery"],
        }
    }
}

/// A deployment. It shares only the broker with others.
#[derive(Debug)]
pub struct Deployment {
    broker: Arc<Shared>,
    topics: Topics,
    prefix: String,
    partitions: u32,
    folder: TempDir,
}

impl Deployment {
    /// A deployment with topics, made by `aftersend bootstrap`.
    ///
    /// # Panics
    /// If `aftersend bootstrap` fails.
    #[must_use]
    pub fn new(name: &str, partitions: u32) -> Deployment {
        Deployment::on(Shared::obtain(), name, partitions)
    }

    /// A deployment with topics on the caller's broker.
    ///
    /// # Panics
    /// If `aftersend bootstrap` fails.
    #[must_use]
    pub fn on(broker: Arc<Shared>, name: &str, partitions: u32) -> Deployment {
        let deployment = Deployment::empty(broker, name, partitions);
        let exit = deployment.run(&["bootstrap"], &[]);
        assert_eq!(exit.code, Some(0), "bootstrap makes the topics: {}", exit.stderr);
        deployment
    }

    /// A deployment without topics.
    ///
    /// # Panics
    /// If Kafka doesn't start.
    #[must_use]
    pub fn without_topics(name: &str, partitions: u32) -> Deployment {
        Deployment::empty(Shared::obtain(), name, partitions)
    }

    /// A deployment without topics on the caller's broker.
    #[must_use]
    pub fn without_topics_on(broker: Arc<Shared>, name: &str, partitions: u32) -> Deployment {
        Deployment::empty(broker, name, partitions)
    }

    fn empty(broker: Arc<Shared>, name: &str, partitions: u32) -> Deployment {
        static MADE: AtomicU32 = AtomicU32::new(1);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        // An existing cluster keeps the topics of earlier runs.
        let prefix = format!("{name}-{:x}-{number}.", since.as_millis());
        Deployment {
            broker,
            topics: Topics::new(&prefix),
            prefix,
            partitions,
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
        }
    }

    /// Starts a role. `env` overrides the settings that every role of this deployment gets.
    #[must_use]
    pub fn start(&self, role: Role, env: &[(&str, &str)]) -> Process {
        self.start_under(&[], role, env)
    }

    /// Starts a role through `launcher`, a program that executes its arguments.
    #[must_use]
    pub fn start_under(&self, launcher: &[&str], role: Role, env: &[(&str, &str)]) -> Process {
        Process::start_under(launcher, role.arguments(), &self.environment(env), self.folder.path())
    }

    /// Starts a role and waits until it is ready.
    #[must_use]
    pub fn start_ready(&self, role: Role, env: &[(&str, &str)]) -> Process {
        let mut process = self.start(role, env);
        process.await_ready();
        process
    }

    /// Runs a command to its end.
    #[must_use]
    pub fn run(&self, arguments: &[&str], env: &[(&str, &str)]) -> Exit {
        Process::start(arguments, &self.environment(env), self.folder.path()).wait()
    }

    /// Starts a command.
    #[must_use]
    pub fn start_command(&self, arguments: &[&str], env: &[(&str, &str)]) -> Process {
        Process::start(arguments, &self.environment(env), self.folder.path())
    }

    /// Runs the demo to its end.
    #[must_use]
    pub fn run_demo(&self, arguments: &[&str]) -> Exit {
        Process::start_demo(arguments, &self.environment(&[]), self.folder.path()).wait()
    }

    /// Starts a command of the demo.
    #[must_use]
    pub fn start_demo(&self, arguments: &[&str], env: &[(&str, &str)]) -> Process {
        Process::start_demo(arguments, &self.environment(env), self.folder.path())
    }

    /// A topic of this deployment.
    #[must_use]
    pub fn topic(&self, topic: Topic) -> topic::Topic {
        let partitions = match topic.partitioning() {
            Partitioning::LikeRaw => self.partitions,
            Partitioning::Single => 1,
        };
        topic::Topic::new(self.broker.connection(), self.topics.name(topic), partitions)
    }

    /// A topic of the processor's application `id` of this deployment.
    #[must_use]
    pub fn topic_of_application(&self, id: &str, topic: Topic) -> topic::Topic {
        let names = Topics::of_application(&self.prefix, id);
        topic::Topic::new(self.broker.connection(), names.name(topic), self.topic(topic).partitions())
    }

    /// How many partitions its topics have.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        self.partitions
    }

    /// Names of the topics.
    #[must_use]
    pub fn topics(&self) -> &Topics {
        &self.topics
    }

    /// The broker.
    #[must_use]
    pub fn broker(&self) -> &Shared {
        &self.broker
    }

    /// The consumer group `name` of this deployment.
    #[must_use]
    pub fn group(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// A path in this deployment's folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The processor's state folder.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// The warehouse's file.
    #[must_use]
    pub fn warehouse(&self) -> PathBuf {
        self.path("warehouse.sqlite")
    }

    fn environment(&self, own: &[(&str, &str)]) -> Vec<(String, String)> {
        let text = |path: &Path| path.display().to_string();
        let shared = [
            ("AFTERSEND_KAFKA", self.broker.bootstrap().to_owned()),
            ("AFTERSEND_TOPIC_PREFIX", self.prefix.clone()),
            ("AFTERSEND_PARTITIONS", self.partitions.to_string()),
            ("AFTERSEND_STATE", text(&self.state())),
            ("AFTERSEND_WAREHOUSE", format!("sqlite:{}", text(&self.warehouse()))),
            ("AFTERSEND_LOG_LEVEL", "info".to_owned()),
            // The least allowed. After a kill, a member's partitions wait this long for its return.
            ("AFTERSEND_PROCESSOR_SESSION_TIMEOUT", "6s".to_owned()),
            ("AFTERSEND_WAREHOUSE_SESSION_TIMEOUT", "6s".to_owned()),
            ("AFTERSEND_CUSTOMERIO_SINK_SESSION_TIMEOUT", "6s".to_owned()),
            ("AFTERSEND_GATEWAY_DRAIN_DELAY", "300ms".to_owned()),
            ("CUSTOMERIO_WEBHOOK_SIGNING_KEY", SIGNING_KEY.to_owned()),
        ];
        let shared = shared.into_iter().map(|(name, value)| (name.to_owned(), value));
        let own = own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        shared.chain(own).collect()
    }
}
