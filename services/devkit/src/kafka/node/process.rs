use crate::kafka::Error;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// Ties the child's life to ours. A shell forks a keeper and then becomes the program, so that our child's
/// pid is the program's. The keeper reads a pipe that we hold. A word on the pipe makes it send a signal;
/// `released` ends it. When the pipe closes without a word, as it does however we die, the keeper kills the
/// program.
///
/// `PR_SET_PDEATHSIG` would fire when the *thread* that started the child ends, and needs `unsafe`.
const KEEPER: &str = r#"
exec 3<&0
(
  while read -r word <&3; do
    case $word in
      term) kill -TERM $$ ;;
      pause) kill -STOP $$ ;;
      resume) kill -CONT $$ ;;
      released) exit 0 ;;
    esac
  done
  kill -KILL $$
) >/dev/null 2>&1 &
exec "$@" 3<&- </dev/null
"#;

const POLL: Duration = Duration::from_millis(20);
/// How long the keeper may take to send a signal. On an idle machine it takes a millisecond.
const HEARD_MAX: Duration = Duration::from_secs(10);

/// A program that never outlives us. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    leash: ChildStdin,
}

impl Process {
    /// Starts `program` with its output appended to `log`, in its own process group. So Ctrl-C in the
    /// terminal reaches only us, and we stop the program when it is no longer needed.
    pub(super) fn spawn(program: &mut Command, log: &File) -> Result<Process, Error> {
        let shared = || log.try_clone().map_err(|source| Error::Log { source });
        let mut child = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(program.get_program())
            .args(program.get_args())
            .stdin(Stdio::piped())
            .stdout(shared()?)
            .stderr(shared()?)
            .process_group(0)
            .spawn()
            .map_err(|source| Error::Missing { program: "sh", package: "dash", source })?;
        let leash = child.stdin.take().expect("stdin was asked for as a pipe");
        Ok(Process { child, leash })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    pub(super) fn ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGSTOP. On return the program is stopped, or it has ended.
    pub(super) fn pause(&mut self) {
        let _ = self.leash.write_all(b"pause\n");
        self.await_standing(true);
    }

    /// SIGCONT. On return the program runs.
    pub(super) fn resume(&mut self) {
        let _ = self.leash.write_all(b"resume\n");
        self.await_standing(false);
    }

    fn await_standing(&mut self, still: bool) {
        let asked = Instant::now();
        while self.stands_still() != still && !self.ended() && asked.elapsed() < HEARD_MAX {
            std::thread::sleep(POLL);
        }
    }

    /// Whether the system has stopped it: the state field follows the name, which is in parentheses.
    fn stands_still(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
    }

    /// SIGTERM, then up to `patience` for it to end, then SIGKILL.
    pub(super) fn stop(mut self, patience: Duration) {
        let asked = Instant::now();
        // A stopped program would not receive SIGTERM.
        let _ = self.leash.write_all(b"resume\nterm\n");
        while !self.ended() && asked.elapsed() < patience {
            std::thread::sleep(POLL);
        }
    }

    /// SIGKILL. On return its ports are free.
    pub(super) fn kill(self) {}
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The keeper is released only now, and by a word. If it found the pipe closed, it would kill the
        // process that has the pid by then.
        let _ = self.leash.write_all(b"released\n");
    }
}
