//! One role as a process of its own: the binary that production runs, so that its SIGKILL is real.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// How long a role may take to drain before it is killed.
const DRAIN_MAX: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Lines of a log that an error shows.
const LOG_LINES: usize = 8;

/// A subcommand of `aftersend`, with the settings and the log that each of its processes gets.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    /// The subcommand, such as `["sink", "bigquery"]`.
    pub(crate) arguments: &'static [&'static str],
    /// Its settings, as environment variables.
    pub(crate) environment: Vec<(String, String)>,
    /// The file to which standard output and standard error are appended.
    pub(crate) log: PathBuf,
}

impl Role {
    /// Runs the subcommand to its end.
    ///
    /// # Errors
    /// If it cannot be started, or ends with anything but exit code 0.
    pub(crate) fn run_to_end(&self) -> anyhow::Result<()> {
        let status = self.spawn()?.wait()?;
        if status.success() { Ok(()) } else { bail!(self.ended_early(status)) }
    }

    /// Starts the subcommand.
    ///
    /// # Errors
    /// If the binary is missing or the log cannot be opened.
    pub(crate) fn start(self) -> anyhow::Result<Running> {
        let child = self.spawn()?;
        Ok(Running { role: self, child, restarts: 0 })
    }

    fn spawn(&self) -> anyhow::Result<Child> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .with_context(|| format!("{} can't be opened", self.log.display()))?;
        let mut command = Command::new(binary()?);
        // Settings in this shell are meant for another topology.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AFTERSEND_") {
                command.env_remove(name);
            }
        }
        command
            .args(self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::from(log.try_clone()?))
            .stderr(Stdio::from(log))
            .spawn()
            .with_context(|| format!("{} can't be started", self.name()))
    }

    fn name(&self) -> String {
        format!("aftersend {}", self.arguments.join(" "))
    }

    /// The error text for a process that ended by itself, with the end of its log.
    fn ended_early(&self, status: ExitStatus) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = &lines[lines.len().saturating_sub(LOG_LINES)..];
        let (name, path) = (self.name(), self.log.display());
        format!("{name} ended by itself ({status}); the end of {path}:\n{}", tail.join("\n"))
    }
}

/// A role that runs. Dropping it kills the process.
pub(crate) struct Running {
    role: Role,
    child: Child,
    restarts: u64,
}

impl Running {
    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How often [`Running::kill_and_restart`] was called.
    pub(crate) fn restarts(&self) -> u64 {
        self.restarts
    }

    /// Fails if the process has ended by itself.
    ///
    /// # Errors
    /// Names the role, its exit status and the end of its log.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!(self.role.ended_early(status)),
        }
    }

    /// Kills the process with SIGKILL and starts it again with the same settings.
    ///
    /// # Errors
    /// If it cannot be killed or started.
    pub(crate) fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        self.child.kill().with_context(|| format!("{} can't be killed", self.role.name()))?;
        self.child.wait()?;
        self.child = self.role.spawn()?;
        self.restarts += 1;
        Ok(())
    }

    /// Asks the process to end, with SIGTERM.
    pub(crate) fn ask_to_stop(&self) {
        // If the signal can't be sent, `await_end` times out and the process is killed.
        let _ = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
    }

    /// Waits until the process has ended. Returns the error text if it failed or took too long; then it is
    /// killed.
    pub(crate) fn await_end(mut self) -> Option<String> {
        let deadline = Instant::now() + DRAIN_MAX;
        while Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(LOOK_EVERY),
                Ok(Some(status)) if status.success() => return None,
                Ok(Some(status)) => return Some(self.role.ended_early(status)),
                Err(error) => return Some(error.to_string()),
            }
        }
        Some(format!("{} did not end within {DRAIN_MAX:?} and was killed", self.role.name()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // If even that fails, nothing more can be done.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The `aftersend` binary in the folder of this program.
fn binary() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("this program's own path is unknown")?;
    let binary = own.with_file_name("aftersend");
    if !binary.is_file() {
        bail!("{} is missing: `make build` puts both binaries into one folder", binary.display());
    }
    Ok(binary)
}
