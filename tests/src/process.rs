//! A role as its user runs it: the real binary, in a process of its own.

pub mod exposition;
pub mod http;
mod port;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use exposition::Exposition;
pub use port::free;

use crate::wait::{PATIENCE, await_until};

/// How much of a process's log a failed test shows.
const TAIL_LINES: usize = 40;

/// A running `aftersend`. Dropping it kills it, and shows the end of its log where the test fails.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    folder: PathBuf,
    /// Its admin port.
    pub admin: SocketAddr,
    /// Where it takes webhooks, should it be a gateway.
    pub listen: SocketAddr,
}

/// How a process ended.
#[derive(Debug)]
pub struct Exit {
    /// Its exit code, none where a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it logged.
    pub stderr: String,
}

impl Process {
    /// Starts `aftersend` with `arguments` and nothing in its environment but `env` and what finding programs needs. Its output
    /// goes to files in `folder`.
    ///
    /// # Panics
    /// Where the binary isn't built, or doesn't start.
    #[must_use]
    pub fn start(arguments: &[&str], env: &[(String, String)], folder: &Path) -> Process {
        Process::start_under(&[], arguments, env, folder)
    }

    /// The same, by a program that ends in becoming what it is told: `launcher` is its name and first arguments.
    ///
    /// # Panics
    /// As [`Process::start`].
    #[must_use]
    pub fn start_under(
        launcher: &[&str],
        arguments: &[&str],
        env: &[(String, String)],
        folder: &Path,
    ) -> Process {
        static STARTED: AtomicU32 = AtomicU32::new(1);
        let command: Vec<&str> =
            arguments.iter().take_while(|word| !word.starts_with('-')).copied().collect();
        let name = format!("{}-{}", command.join("-"), STARTED.fetch_add(1, Ordering::Relaxed));
        let (admin, listen) = (free(), free());
        let file =
            |kind: &str| File::create(folder.join(format!("{name}.{kind}"))).expect("a log file can be made");
        let kept = ["PATH", "HOME", "TMPDIR"].map(|name| (name, std::env::var_os(name)));
        let binary = binary();
        let words = launcher.iter().map(OsStr::new).chain([binary.as_os_str()]);
        let mut words = words.chain(arguments.iter().map(OsStr::new));
        let child = Command::new(words.next().expect("the binary at least"))
            .args(words)
            .env_clear()
            .envs(kept.into_iter().filter_map(|(name, value)| Some((name, value?))))
            .env("AFTERSEND_ADMIN", admin.to_string())
            .env("AFTERSEND_LISTEN", listen.to_string())
            .envs(env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("log"))
            .spawn()
            .expect("the binary starts");
        Process { name, child, folder: folder.to_owned(), admin, listen }
    }

    /// Waits until it says that it is ready.
    ///
    /// # Panics
    /// Where it ends instead, or doesn't get ready.
    pub fn await_ready(&mut self) {
        let what = format!("{} to be ready", self.name);
        await_until(&what, PATIENCE, || {
            self.assert_alive();
            (self.readiness()?.status == 200).then_some(())
        });
    }

    /// What `/readyz` answers, where it answers.
    #[must_use]
    pub fn readiness(&self) -> Option<http::Answer> {
        http::get(self.admin, "/readyz").ok()
    }

    /// What it has counted.
    ///
    /// # Panics
    /// Where `/metrics` doesn't answer.
    #[must_use]
    pub fn metrics(&self) -> Exposition {
        let answer = http::get(self.admin, "/metrics").expect("the admin port answers");
        Exposition::new(answer.body)
    }

    /// Whether it has ended.
    ///
    /// # Panics
    /// Where the system doesn't tell.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked for").is_some()
    }

    /// Fails where the process has ended by itself.
    ///
    /// # Panics
    /// Where it has.
    pub fn assert_alive(&mut self) {
        let ended = self.child.try_wait().expect("a child can be asked for");
        let ended = ended.map(|status| status.to_string());
        assert_eq!(ended, None, "{} ended by itself", self.name);
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL.
    ///
    /// # Panics
    /// Where something else ended it.
    pub fn kill(mut self) {
        self.assert_alive();
        self.child.kill().expect("a child can be killed");
        let exit = self.wait();
        assert_eq!((exit.code, exit.signal), (None, Some(9)), "a signal ends it, and nothing else");
    }

    /// SIGTERM; it isn't waited for.
    ///
    /// # Panics
    /// Where it has ended already.
    pub fn terminate(&mut self) {
        self.signal("-TERM");
    }

    /// SIGSTOP: it stands still, keeps what it holds, and knows nothing of it.
    ///
    /// # Panics
    /// Where it has ended already.
    pub fn pause(&mut self) {
        self.signal("-STOP");
    }

    /// SIGCONT, after [`Process::pause`].
    ///
    /// # Panics
    /// Where it has ended already.
    pub fn resume(&mut self) {
        self.signal("-CONT");
    }

    fn signal(&mut self, signal: &str) {
        self.assert_alive();
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill can be run").success());
    }

    /// SIGTERM, and the end that follows.
    ///
    /// # Panics
    /// Where it doesn't end.
    #[must_use]
    pub fn stop(mut self) -> Exit {
        self.terminate();
        self.wait()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// Where it doesn't come.
    #[must_use]
    pub fn wait(&mut self) -> Exit {
        let what = format!("{} to end", self.name);
        let status: ExitStatus =
            await_until(&what, PATIENCE, || self.child.try_wait().expect("a child can be asked for"));
        let (stdout, stderr) = (self.said("out"), self.said("log"));
        Exit { code: status.code(), signal: status.signal(), stdout, stderr }
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.said("log")
    }

    fn said(&self, kind: &str) -> String {
        let bytes = fs::read(self.folder.join(format!("{}.{kind}", self.name))).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "the test that fails shows what its processes said")]
    fn drop(&mut self) {
        // Of one that has ended already, neither does anything.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
            eprintln!("--- end of the log of {} ---\n{}\n", self.name, tail.join("\n"));
        }
    }
}

/// The binary that was built beside this test.
fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let profile = test.parent().and_then(Path::parent).expect("a test lies in its profile's deps folder");
    let binary = profile.join("aftersend");
    assert!(binary.is_file(), "{} is missing: run `make test`, which builds it first", binary.display());
    binary
}
