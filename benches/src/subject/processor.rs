//! The processor as its operator runs it: the real binary, settings by environment.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use aftersend_tests::process::{free, http};
use anyhow::{Context, bail};
use schemas::topic::{Topic, Topics};

use super::Child;
use crate::plan::Scenario;
use crate::workload::Raw;

/// The processor's consumer group, after the prefix.
const GROUP: &str = "aftersend.processor";
/// How long a restore may take.
const READY_MAX: Duration = Duration::from_secs(3_600);

/// A processor with topics and a folder of its own.
pub(crate) struct Processor {
    pub(crate) raw: Raw,
    pub(crate) topics: Topics,
    /// Its consumer group.
    pub(crate) group: String,
    state: PathBuf,
    log: PathBuf,
    admin: SocketAddr,
    environment: Vec<(&'static str, String)>,
}

impl Processor {
    /// Makes the topics under `prefix`.
    pub(crate) fn prepare(
        bootstrap: &str,
        prefix: &str,
        scenario: Scenario,
        memory_mib: u64,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let state = folder.join("state");
        let admin = free();
        let environment = vec![
            ("AFTERSEND_KAFKA", bootstrap.to_owned()),
            ("AFTERSEND_TOPIC_PREFIX", prefix.to_owned()),
            ("AFTERSEND_PARTITIONS", scenario.partitions.to_string()),
            ("AFTERSEND_ADMIN", admin.to_string()),
            ("AFTERSEND_STATE", state.display().to_string()),
            ("AFTERSEND_PROCESSOR_MEMORY", format!("{memory_mib}MiB")),
        ];
        let topics = Topics::new(prefix);
        let raw = Raw {
            connection: kafka::Connection::plain(bootstrap),
            topic: topics.name(Topic::Raw).to_owned(),
            partitions: scenario.partitions,
        };
        let (group, log) = (format!("{prefix}{GROUP}"), folder.join("processor.log"));
        let processor = Self { raw, topics, group, state, log, admin, environment };
        let made = processor.command("bootstrap")?.output().context("aftersend can't be run")?;
        if !made.status.success() {
            bail!("aftersend bootstrap failed: {}", String::from_utf8_lossy(&made.stderr));
        }
        Ok(processor)
    }

    /// Starts it.
    pub(crate) fn start(&self) -> anyhow::Result<Child> {
        Child::start(&self.command("processor")?, "the processor", &self.log)
    }

    /// Waits until it says that it is ready: everything restored. Meanwhile `at` hears of the bytes in its
    /// table files.
    pub(crate) fn await_ready(&self, child: &mut Child, at: impl Fn(u64)) -> anyhow::Result<()> {
        let ready = || {
            at(self.table_bytes());
            Ok(http::get(self.admin, "/readyz").is_ok_and(|answer| answer.status == 200))
        };
        child.await_until("readiness", READY_MAX, ready)
    }

    /// What it exposes of itself.
    pub(crate) fn metrics(&self) -> anyhow::Result<String> {
        Ok(http::get(self.admin, "/metrics").context("the processor's admin port doesn't answer")?.body)
    }

    /// Bytes of its table files: what is left once everything is flushed, the write-ahead logs aside.
    pub(crate) fn table_bytes(&self) -> u64 {
        bytes_of(&self.state, "sst")
    }

    fn command(&self, role: &str) -> anyhow::Result<Command> {
        let own = std::env::current_exe().context("this program can't be found")?;
        let binary = own.with_file_name("aftersend");
        if !binary.is_file() {
            bail!("{} is missing: run `make bench`, which builds it", binary.display());
        }
        let mut command = Command::new(binary);
        let foreign =
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AFTERSEND_"));
        foreign.for_each(|(name, _)| {
            command.env_remove(name);
        });
        command.arg(role).envs(self.environment.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }
}

/// Bytes of the files below `folder` with this ending. What goes away meanwhile counts as gone.
fn bytes_of(folder: &Path, ending: &str) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => bytes_of(&entry.path(), ending),
            Ok(found) if entry.path().extension().is_some_and(|is| is == ending) => found.len(),
            _ => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_table_files_count_wherever_they_lie() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("a/b")).expect("folders");
        for (file, bytes) in [("1.sst", 3), ("a/b/2.sst", 4), ("a/3.log", 100)] {
            std::fs::write(folder.path().join(file), vec![0; bytes]).expect("a file");
        }
        assert_eq!(bytes_of(folder.path(), "sst"), 7);
        assert_eq!(bytes_of(&folder.path().join("none"), "sst"), 0);
    }
}
