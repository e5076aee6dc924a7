//! A role as its user runs it: the production binary as a process.

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

/// A running `aftersend`. Dropping it kills the process. If the test fails, the end of its log is shown.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    folder: PathBuf,
    /// Its admin port.
    pub admin: SocketAddr,
    /// Where it takes webhooks, if it is a gateway.
    pub listen: SocketAddr,
}

/// How a process ended.
#[derive(Debug)]
pub struct Exit {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it logged.
    pub stderr: String,
}

impl Process {
    /// Starts `aftersend` with `arguments`. Its environment is `env` and the few variables with which
    /// programs are found. Its output goes to files in `folder`.
    ///
    /// # Panics
    /// If the binary isn't built, or doesn't start.
    #[must_use]
    pub fn start(arguments: &[&str], env: &[(String, String)], folder: &Path) -> Process {
        Process::start_under(&[], arguments, env, folder)
    }

    /// Starts `aftersend-demo`, otherwise as [`Process::start`].
    ///
    /// # Panics
    /// As [`Process::start`].
    #[must_use]
    pub fn start_demo(arguments: &[&str], env: &[(String, String)], folder: &Path) -> Process {
        Process::spawn("demo", &[binary("aftersend-demo").as_os_str()], arguments, env, folder)
    }

    /// Starts `aftersend` through `launcher`, the name and first arguments of a program that executes its
    /// further arguments.
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
        let subcommand: Vec<&str> =
            arguments.iter().take_while(|word| !word.starts_with('-')).copied().collect();
        let binary = binary("aftersend");
        let program: Vec<&OsStr> = launcher.iter().map(OsStr::new).chain([binary.as_os_str()]).collect();
        Process::spawn(&subcommand.join("-"), &program, arguments, env, folder)
    }

    /// Starts `program`, a name or path and its first arguments, with `arguments` after them.
    fn spawn(
        name: &str,
        program: &[&OsStr],
        arguments: &[&str],
        env: &[(String, String)],
        folder: &Path,
    ) -> Process {
        static STARTED: AtomicU32 = AtomicU32::new(1);
        let name = format!("{name}-{}", STARTED.fetch_add(1, Ordering::Relaxed));
        let (admin, listen) = (free(), free());
        let file =
            |kind: &str| File::create(folder.join(format!("{name}.{kind}"))).expect("a log file can be made");
        let kept = ["PATH", "HOME", "TMPDIR"].map(|name| (name, std::env::var_os(name)));
        let (program, first_arguments) = program.split_first().expect("the program has a name");
        let child = Command::new(program)
            .args(first_arguments)
            .args(arguments)
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

    /// Waits until it reports that it is ready.
    ///
    /// # Panics
    /// If it ends instead, or does not get ready.
    pub fn await_ready(&mut self) {
        let what = format!("{} to be ready", self.name);
        await_until(&what, PATIENCE, || {
            self.assert_alive();
            (self.readiness()?.status == 200).then_some(())
        });
    }

    /// The answer of `/readyz`; `None` if there is none.
    #[must_use]
    pub fn readiness(&self) -> Option<http::Answer> {
        http::get(self.admin, "/readyz").ok()
    }

    /// Its metrics.
    ///
    /// # Panics
    /// If `/metrics` doesn't answer.
    #[must_use]
    pub fn metrics(&self) -> Exposition {
        let answer = http::get(self.admin, "/metrics").expect("the admin port answers");
        Exposition::new(answer.body)
    }

    /// Whether it has ended.
    ///
    /// # Panics
    /// If the system cannot be asked.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked for").is_some()
    }

    /// Fails if the process has ended by itself.
    ///
    /// # Panics
    /// If it has.
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
    /// If something else ended it.
    pub fn kill(mut self) {
        self.assert_alive();
        self.child.kill().expect("a child can be killed");
        let exit = self.wait();
        assert_eq!((exit.code, exit.signal), (None, Some(9)), "a signal ends it, and nothing else");
    }

    /// SIGTERM, without waiting for the end.
    ///
    /// # Panics
    /// If it has ended already.
    pub fn terminate(&mut self) {
        self.signal("-TERM");
    }

    /// SIGSTOP: the process stops, keeps what it holds, and does not notice the pause.
    ///
    /// # Panics
    /// If it has ended already.
    pub fn pause(&mut self) {
        self.signal("-STOP");
    }

    /// SIGCONT, after [`Process::pause`].
    ///
    /// # Panics
    /// If it has ended already.
    pub fn resume(&mut self) {
        self.signal("-CONT");
    }

    fn signal(&mut self, signal: &str) {
        self.assert_alive();
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill can be run").success());
    }

    /// SIGTERM. Waits for the end.
    ///
    /// # Panics
    /// If it doesn't end.
    #[must_use]
    pub fn stop(mut self) -> Exit {
        self.terminate();
        self.wait()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it does not end in time.
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
        // If the process has ended, neither call does anything.
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

/// A binary that was built into the same profile folder as this test.
fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let profile = test.parent().and_then(Path::parent).expect("a test lies in its profile's deps folder");
    let binary = profile.join(name);
    assert!(binary.is_file(), "{} is missing: run `make test`, which builds it first", binary.display());
    binary
}
