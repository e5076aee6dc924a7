//! The processor as a process of its own, so that its SIGKILL is real.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// How long a processor may take to drain.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// `aftersend processor`, started again and again with the same settings.
pub(super) struct Processor {
    child: Child,
    environment: Vec<(String, String)>,
    log: PathBuf,
    restarts: u64,
}

impl Processor {
    pub(super) fn start(environment: Vec<(String, String)>, log: PathBuf) -> anyhow::Result<Self> {
        let child = spawn(&environment, &log)?;
        Ok(Self { child, environment, log, restarts: 0 })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn restarts(&self) -> u64 {
        self.restarts
    }

    /// An error if it has ended by itself.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().rev().take(8).collect();
            let tail: Vec<&str> = lines.into_iter().rev().collect();
            bail!(
                "the processor ended by itself ({status}); the end of {}:\n{}",
                self.log.display(),
                tail.join("\n")
            );
        }
        Ok(())
    }

    /// SIGKILL, and again from where it was.
    pub(super) fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        self.child.kill().context("the processor can't be killed")?;
        self.child.wait()?;
        self.child = spawn(&self.environment, &self.log)?;
        self.restarts += 1;
        Ok(())
    }

    /// SIGTERM, and SIGKILL where that takes too long.
    pub(super) fn stop(&mut self) {
        let asked = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        let deadline = Instant::now() + DRAIN_MAX;
        while asked.is_ok() && Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                _ => return,
            }
        }
    }
}

impl Drop for Processor {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // Nothing more can be done where even that fails.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn spawn(environment: &[(String, String)], log: &PathBuf) -> anyhow::Result<Child> {
    let log: File = OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .context("the processor's log can't be made")?;
    let binary = std::env::current_exe().context("this program can't be found")?;
    let mut command = Command::new(binary);
    // Settings of this shell are meant for another processor.
    let foreign = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AFTERSEND_"));
    foreign.for_each(|(name, _)| {
        command.env_remove(name);
    });
    command
        .arg("processor")
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::from(log.try_clone()?))
        .stderr(Stdio::from(log))
        .spawn()
        .context("the processor can't be started")
}
