//! A process that is measured.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child as Process, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// The child's leash, as the devkit has one: a shell forks a keeper, which waits at a pipe that we hold, and
/// then becomes the program itself, so that the child's pid is the program's. When the pipe closes without a
/// word, as it does however we die, the keeper kills it: what outlived its measurement would spoil the next
/// one.
const KEEPER: &str = r#"
exec 3<&0
( read -r released <&3 || kill -KILL $$ ) >/dev/null 2>&1 &
exec "$@" 3<&- </dev/null
"#;

/// How long a process may take to drain before it is killed.
const DRAIN_MAX: Duration = Duration::from_secs(60);
/// How much of its log an error shows.
const TAIL_LINES: usize = 12;

/// A running process. Dropping it kills it.
pub(crate) struct Child {
    process: Process,
    leash: Option<ChildStdin>,
    name: &'static str,
    log: PathBuf,
}

impl Child {
    /// Starts `command`, its output appended to `log`.
    pub(crate) fn start(command: &Command, name: &'static str, log: &Path) -> anyhow::Result<Self> {
        let file: File = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("{} can't be made", log.display()))?;
        let mut kept = Command::new("sh");
        kept.args(["-c", KEEPER, "keeper"]).arg(command.get_program()).args(command.get_args());
        for (variable, value) in command.get_envs() {
            match value {
                Some(value) => kept.env(variable, value),
                None => kept.env_remove(variable),
            };
        }
        let mut process = kept
            .stdin(Stdio::piped())
            .stdout(Stdio::from(file.try_clone()?))
            .stderr(Stdio::from(file))
            .spawn()
            .with_context(|| format!("{name} can't be started"))?;
        let leash = process.stdin.take();
        Ok(Self { process, leash, name, log: log.to_owned() })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// An error if it has ended by itself.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.process.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended by itself ({status}); {}", self.name, self.tail()),
        }
    }

    /// Waits until `holds`, at most `patience`, and while it lives.
    pub(crate) fn await_until(
        &mut self,
        what: &str,
        patience: Duration,
        mut holds: impl FnMut() -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !holds()? {
            self.check()?;
            if begun.elapsed() > patience {
                bail!("{}: {what} did not come within {patience:?}; {}", self.name, self.tail());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.check()?;
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// SIGTERM, and SIGKILL where that takes too long.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.check()?;
        Command::new("kill")
            .arg("-TERM")
            .arg(self.pid().to_string())
            .status()
            .context("kill can't be run")?;
        let asked = Instant::now();
        while self.process.try_wait()?.is_none() && asked.elapsed() < DRAIN_MAX {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn tail(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&log).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let end = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        format!("the end of {}:\n{}", self.log.display(), end.join("\n"))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Of one that has ended already, neither does anything.
        let _ = self.process.kill();
        let _ = self.process.wait();
        // Only now: a keeper that finds the pipe closed kills whoever has the pid by then.
        let _ = self.leash.take().map(|mut leash| leash.write_all(b"released\n"));
    }
}
