//! The processor as a process of its own, so that a kill is a real one: this test binary, run again.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use kafka::Connection;
use lifecycle::{Health, Stop};
use processor::transaction::drill::Order;
use processor::{Settings, run};
use schemas::token::TokenKey;
use schemas::topic::Topics;
use settings::Value;

use crate::bench::{Bench, until};

const STATE: &str = "PROCESSOR_CHILD_STATE";
const BOOTSTRAP: &str = "PROCESSOR_CHILD_BOOTSTRAP";
const PREFIX: &str = "PROCESSOR_CHILD_PREFIX";
const DRILL: &str = "PROCESSOR_CHILD_DRILL";

impl Bench {
    /// Runs a processor on `disk` until it has reached `point` for the nth time, and kills it right there.
    pub(crate) fn kill_at(&self, disk: &str, point: &str, nth: u32) {
        let marker = self.disk(&format!("marker-{point}-{nth}"));
        let drill = format!("{point}:{nth}:{}", marker.display());
        let mut child = self.spawn(&self.disk(disk), &drill);
        until("the drill's point is reached", || {
            marker.exists() || child.try_wait().expect("asks").is_some()
        });
        assert!(marker.exists(), "the processor ended before {point}");
        kill(child);
    }

    /// Runs a processor on `disk` and kills it when `holds` has come to hold, wherever it is then.
    pub(crate) fn kill_when(&self, disk: &str, holds: impl FnMut() -> bool) {
        let child = self.spawn(&self.disk(disk), "begun:1000000:never");
        until("it is time to kill", holds);
        kill(child);
    }

    fn spawn(&self, state: &Path, drill: &str) -> Child {
        Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", "bench::child::the_processor_of_a_parent_test", "--nocapture"])
            .env(STATE, state)
            .env(BOOTSTRAP, self.connection.bootstrap())
            .env(PREFIX, self.prefix)
            .env(DRILL, drill)
            .stdout(Stdio::null())
            .spawn()
            .expect("starts")
    }
}

fn kill(mut child: Child) {
    child.kill().expect("kills");
    child.wait().expect("ends");
}

/// Nothing by itself: what [`Bench::spawn`] runs.
#[test]
fn the_processor_of_a_parent_test() {
    let Ok(bootstrap) = std::env::var(BOOTSTRAP) else { return };
    let [state, prefix, drill] = [STATE, PREFIX, DRILL].map(|name| std::env::var(name).expect("set too"));
    let drill = Order::parse(&drill).expect("a drill");
    // Small transactions, and so many of them.
    let (state, drill) = (PathBuf::from(state), Some(drill));
    let settings = Settings { state, drill, batch_records: 20, ..crate::bench::settings() };
    let topics = Topics::new(&prefix);
    let connection = Connection::plain(&bootstrap);
    let (health, stop) = (Health::new(), Stop::new());
    run(&settings, &connection, &topics, &prefix, TokenKey::development(), &health, &stop).expect("no error");
}
