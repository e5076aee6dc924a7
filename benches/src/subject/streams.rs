//! The same job in Kafka Streams: built once by Maven, outside the checkout, and run with its users'
//! settings.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use kafka::{Cluster, TopicRequest};
use schemas::topic::Topics;
use sha2::{Digest, Sha256};

use super::Child;
use crate::workload::Raw;

/// The peer's sources, and the schemas that both sides write.
const POM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peer/pom.xml");
const SOURCES: [&str; 2] =
    [concat!(env!("CARGO_MANIFEST_DIR"), "/peer"), concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/avro")];
/// Maven's goals, each of a plugin that the pom pins.
const GOALS: [&str; 4] = [
    "org.apache.avro:avro-maven-plugin:schema@records",
    "org.apache.avro:avro-maven-plugin:schema@state",
    "org.apache.maven.plugins:maven-compiler-plugin:compile",
    "org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies",
];
/// The heap: what a careful operator gives a service of this size. Its stores lie outside of it.
const HEAP: &str = "-Xmx1g";
const DAY_MS: u64 = 86_400_000;
const WINDOW: Duration = Duration::from_hours(30 * 24);

/// Builds the peer into `cache` unless it is there; answers the folder. It is named after what it was built
/// from.
pub(crate) fn build(cache: &Path) -> anyhow::Result<PathBuf> {
    let mut hash = Sha256::new();
    SOURCES.iter().try_for_each(|folder| take_in(Path::new(folder), &mut hash))?;
    let name: String = hex::encode(hash.finalize()).chars().take(12).collect();
    let (ready, partial) = (cache.join(name), cache.join("partial"));
    if ready.is_dir() {
        return Ok(ready);
    }
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    fs::create_dir_all(&partial).with_context(|| format!("{} can't be made", partial.display()))?;
    let output = Command::new("mvn")
        .args(["--batch-mode", "--quiet", "--file", POM])
        .arg(format!("-Dinto={}", partial.display()))
        .arg(format!("-DoutputDirectory={}", partial.join("lib").display()))
        .arg("-DincludeScope=runtime")
        .args(GOALS)
        .output()
        .context("mvn can't be run: install Maven (`make setup`)")?;
    if !output.status.success() {
        bail!("Maven could not build the peer: {}", String::from_utf8_lossy(&output.stdout));
    }
    fs::rename(&partial, &ready)?;
    Ok(ready)
}

/// Takes every file below `folder` into `hash`, in the order of their names.
fn take_in(folder: &Path, hash: &mut Sha256) -> anyhow::Result<()> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    entries.sort();
    for entry in entries {
        hash.update(entry.file_name().unwrap_or_default().as_encoded_bytes());
        if entry.is_dir() {
            take_in(&entry, hash)?;
        } else {
            hash.update(fs::read(&entry)?);
        }
    }
    Ok(())
}

/// The peer, with topics and a folder of its own; it reads somebody else's raw topic.
pub(crate) struct Streams {
    built: PathBuf,
    raw: Raw,
    prefix: String,
    /// Its output topics.
    pub(crate) topics: Topics,
    /// Its application id, which is its consumer group too.
    pub(crate) application: String,
    folder: PathBuf,
}

impl Streams {
    /// Makes the changelog of its window store. The topics that it writes to under `prefix` are there
    /// already.
    pub(crate) fn prepare(built: &Path, raw: &Raw, prefix: &str, folder: &Path) -> anyhow::Result<Self> {
        let (topics, application) = (Topics::new(prefix), format!("{prefix}streams"));
        let cluster = Cluster::connect(&raw.connection)?;
        let streams = Self {
            built: built.to_owned(),
            raw: raw.clone(),
            prefix: prefix.to_owned(),
            topics,
            application,
            folder: folder.to_owned(),
        };
        let retention = WINDOW.as_millis() + u128::from(DAY_MS);
        let settings =
            [("cleanup.policy", "compact,delete".to_owned()), ("retention.ms", retention.to_string())];
        let (name, partitions) = (&streams.changelog(), raw.partitions);
        cluster.create(&TopicRequest { name, partitions, replication: 1, settings: &settings })?;
        Ok(streams)
    }

    /// The changelog of its window store, by Kafka Streams' own rule.
    pub(crate) fn changelog(&self) -> String {
        format!("{}-seen-changelog", self.application)
    }

    /// Starts it.
    pub(crate) fn start(&self) -> anyhow::Result<Child> {
        let path = format!("{}:{}/*", self.built.join("classes").display(), self.built.join("lib").display());
        let mut command = Command::new("java");
        command
            .args([HEAP, "-XX:-UsePerfData", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", &path])
            .args(["dev.aftersend.peer.Peer", self.raw.connection.bootstrap(), &self.application])
            .arg(self.folder.join("streams"))
            .args([&self.raw.topic, &self.prefix]);
        Child::start(&command, "Kafka Streams", &self.folder.join("streams.log"))
    }
}
