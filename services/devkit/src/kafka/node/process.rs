use crate::kafka::Error;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// The child's leash. A shell forks a keeper, which reads the pipe that we hold, and then becomes the program itself
/// (so that our child's pid is the program's). The keeper sends the signal that a word stands for; told `released`, it goes
/// away. And when the pipe closes without a word, as it does however we die, it kills. `PR_SET_PDEATHSIG` would fire when
/// the *thread* that started the child ends, and needs `unsafe`.
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

/// A program that never outlives us. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    leash: ChildStdin,
}

impl Process {
    /// Starts `program` with its output appended to `log`, in a process group of its own: Ctrl-C in the terminal
    /// is for us, who then stop it when it is no longer needed.
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

    /// SIGSTOP; when this returns, it stands still. It may have ended instead.
    pub(super) fn pause(&mut self) {
        let _ = self.leash.write_all(b"pause\n");
        while !self.stands_still() && !self.ended() {
            std::thread::sleep(POLL);
        }
    }

    /// SIGCONT; when this returns, it runs.
    pub(super) fn resume(&mut self) {
        let _ = self.leash.write_all(b"resume\n");
        while self.stands_still() {
            std::thread::sleep(POLL);
        }
    }

    /// Whether the system has stopped it: the field behind its name, which is in parentheses.
    fn stands_still(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
    }

    /// SIGTERM, then up to `patience` for it to end, then SIGKILL.
    pub(super) fn stop(mut self, patience: Duration) {
        let asked = Instant::now();
        // One that stands still would not hear it.
        let _ = self.leash.write_all(b"resume\nterm\n");
        while !self.ended() && asked.elapsed() < patience {
            std::thread::sleep(POLL);
        }
    }

    /// SIGKILL; when this returns, its ports are free.
    pub(super) fn kill(self) {}
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Only now, and only in words: a keeper that finds the pipe closed would kill whoever has the pid by then.
        let _ = self.leash.write_all(b"released\n");
    }
}
