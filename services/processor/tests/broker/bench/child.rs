//! The processor as a process of its own, so that a kill is a real one: this test binary, run again.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use kafka::Connection;
use lifecycle::{Health, Stop};
use processor::drill::Order;
use processor::{FormatLevel, Settings, run};
use schemas::token::TokenKey;
use settings::Value;

use crate::bench::{Bench, until};

const STATE: &str = "PROCESSOR_CHILD_STATE";
const BOOTSTRAP: &str = "PROCESSOR_CHILD_BOOTSTRAP";
const PREFIX: &str = "PROCESSOR_CHILD_PREFIX";
const DRILL: &str = "PROCESSOR_CHILD_DRILL";

impl Bench {
    /// Runs a processor on `disk` until it has reached `point` for the nth time, and kills it right there.
    pub(crate) fn kill_at(&self, disk: &str, point: &str, nth: u32) {
        static DRILLS: AtomicU32 = AtomicU32::new(0);
        let marker = self.disk(&format!("marker-{}", DRILLS.fetch_add(1, Ordering::Relaxed)));
        assert!(!marker.exists(), "a marker that is there already tells nothing");
        let drill = format!("{point}:{nth}:{}", marker.display());
        let mut child = self.spawn(&self.disk(disk), &drill);
        until("the drill's point is reached", || self.is_alive(&mut child) && marker.exists());
        child.kill();
    }

    /// Runs a processor on `disk` and kills it when `holds` has come to hold, wherever it is then.
    pub(crate) fn kill_when(&self, disk: &str, mut holds: impl FnMut() -> bool) {
        let mut child = self.spawn(&self.disk(disk), "begun:1000000:never");
        until("it is time to kill", || self.is_alive(&mut child) && holds());
        child.kill();
    }

    /// What its processes have logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.disk("log")).unwrap_or_default()
    }

    fn spawn(&self, state: &Path, drill: &str) -> Processor {
        let log = File::options().create(true).append(true).open(self.disk("log")).expect("a log");
        let child = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", "bench::child::the_processor_of_a_parent_test", "--nocapture"])
            .env(STATE, state)
            .env(BOOTSTRAP, self.connection.bootstrap())
            .env(PREFIX, self.prefix)
            .env(DRILL, drill)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("starts");
        Processor(child)
    }

    /// Fails where it isn't.
    fn is_alive(&self, processor: &mut Processor) -> bool {
        assert_eq!(processor.0.try_wait().expect("asks"), None, "the processor ended: {}", self.log());
        true
    }
}

/// A processor that is to be killed, and that a failed test doesn't leave behind.
struct Processor(Child);

impl Processor {
    fn kill(mut self) {
        self.0.kill().expect("kills");
        let status = self.0.wait().expect("ends");
        assert_eq!(status.signal(), Some(9), "a signal ends it, and nothing else");
    }
}

impl Drop for Processor {
    fn drop(&mut self) {
        // Of one that has ended already, neither does anything.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Nothing by itself: what [`Bench::spawn`] runs.
#[test]
fn the_processor_of_a_parent_test() {
    let Ok(bootstrap) = std::env::var(BOOTSTRAP) else { return };
    let [state, prefix, drill] = [STATE, PREFIX, DRILL].map(|name| std::env::var(name).expect("set too"));
    let drill = Order::parse(&drill).expect("a drill");
    let format = telemetry::Format::Text;
    telemetry::init(&telemetry::Settings { format, level: "warn".to_owned() }).expect("logs");
    // Small transactions, and so many of them.
    let (state, drill) = (PathBuf::from(state), Some(drill));
    let settings = Settings { state, drill, batch_records: 20, ..crate::bench::settings() };
    let connection = Connection::plain(&bootstrap);
    let (health, stop) = (Health::new(), Stop::new());
    let tokens = TokenKey::development();
    run(&settings, &connection, &prefix, tokens, FormatLevel::NEWEST, &health, &stop).expect("no error");
}
