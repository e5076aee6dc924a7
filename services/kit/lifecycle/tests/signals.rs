//! Real signals to a real process: the test starts itself as a child and sends them.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use lifecycle::{Health, Stop};

/// Says what the child does when asked to stop, and marks the process as the child.
const CHILD: &str = "LIFECYCLE_TEST_CHILD";

/// Far longer than any wait here, so that a child which outlives its test ends by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// Does nothing unless this process is the child: a worker thread that drains, or that hangs in its drain.
#[test]
fn child() {
    let Ok(drain) = std::env::var(CHILD) else { return };
    let (health, stop) = (Health::new(), Stop::new());
    stop.on_signals();
    let vital = health.component("worker", PATIENCE);
    println!("\nstarted");
    assert!(stop.wait_timeout(PATIENCE));
    println!("\nstopping");
    if drain == "hangs" {
        std::thread::park_timeout(PATIENCE);
    }
    vital.finished();
    println!("\ndrained");
}

struct Process {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(drain: &str) -> Process {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(CHILD, drain)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut process = Process { child, lines };
        process.says("started");
        process
    }

    fn says(&mut self, wanted: &str) {
        assert!(self.lines.any(|line| line.unwrap() == wanted), "the child never said {wanted:?}");
    }

    fn send(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    fn exit(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

#[test]
fn a_signal_drains_and_exits_0() {
    for signal in ["TERM", "INT"] {
        let mut process = Process::start("ends");
        process.send(signal);
        process.says("stopping");
        process.says("drained");
        assert_eq!(process.exit().code(), Some(0), "SIG{signal}");
    }
}

#[test]
fn a_second_signal_exits_1_at_once() {
    let mut process = Process::start("hangs");
    process.send("TERM");
    process.says("stopping");
    process.send("INT");
    assert_eq!(process.exit().code(), Some(1));
}
