//! The sink as a process of its own, so that a kill is a real one: this test binary, run again.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bigquery_sink::run;
use kafka::Connection;
use lifecycle::{Health, Stop};
use schemas::topic::Topics;

use crate::bench::{Bench, settings};

const FILE: &str = "SINK_CHILD_FILE";
const BOOTSTRAP: &str = "SINK_CHILD_BOOTSTRAP";
const PREFIX: &str = "SINK_CHILD_PREFIX";

pub(crate) fn spawn(bench: &Bench, file: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "child::the_sink_of_a_parent_test", "--nocapture"])
        .env(FILE, file)
        .env(BOOTSTRAP, bench.connection.bootstrap())
        .env(PREFIX, bench.prefix)
        .stdout(Stdio::null())
        .spawn()
        .expect("starts")
}

/// Nothing by itself: what [`spawn`] runs.
#[test]
fn the_sink_of_a_parent_test() {
    let Ok(bootstrap) = std::env::var(BOOTSTRAP) else { return };
    let [file, prefix] = [FILE, PREFIX].map(|name| std::env::var(name).expect("set with the address"));
    let stop = Stop::new();
    stop.on_signals();
    let settings = settings(&PathBuf::from(file));
    run(&settings, &Connection::plain(&bootstrap), &Topics::new(&prefix), &Health::new(), &stop)
        .expect("no error");
}
