//! S1 across kills, and where a sink starts.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::bench::{Bench, number, rows, until};
use crate::child;

const KILLS: i64 = 5;
/// Rows between two kills: some batches' worth.
const BETWEEN: i64 = 350;

/// Killed with SIGKILL five times while records keep coming, resumed on the same file: each event once, no
/// conflict.
#[test]
fn s1_a_killed_sink_stores_each_event_once() {
    let bench = Bench::new("kill.");
    let file = bench.file("warehouse.sqlite");
    let enough = AtomicBool::new(false);
    let published = thread::scope(|scope| {
        let publisher = scope.spawn(|| publish_until(&bench, &enough));
        for kill in 1..=KILLS {
            let mut sink = child::spawn(&bench, &file);
            let reached = until(|| rows(&file) >= kill * BETWEEN);
            sink.kill().expect("kills");
            sink.wait().expect("ends");
            assert!(reached, "{} rows before kill {kill}", rows(&file));
        }
        enough.store(true, Ordering::Relaxed);
        publisher.join().expect("no panic")
    });
    assert!(rows(&file) < published, "the kills hit a working sink");

    let mut sink = child::spawn(&bench, &file);
    assert!(until(|| rows(&file) >= published), "{} of {published} rows", rows(&file));
    let terminate = format!("kill -TERM {}", sink.id());
    assert!(Command::new("sh").args(["-c", &terminate]).status().expect("runs").success());
    assert!(sink.wait().expect("ends").success(), "a stop is no failure");
    assert!(!bench.file("warehouse.sqlite-wal").exists(), "a stopped sink leaves one file");

    let count = |sql| number(&file, sql);
    assert_eq!(count("SELECT count(*) FROM message_outcomes"), Some(published));
    assert_eq!(count("SELECT count(*) FROM message_outcome_conflicts"), Some(0));
    assert_eq!(count("SELECT sum(next_offset) FROM sink_offsets"), Some(published));
}

/// Publishes events without pause; how many there are then.
fn publish_until(bench: &Bench, enough: &AtomicBool) -> i64 {
    let mut next = 0;
    while !enough.load(Ordering::Relaxed) {
        bench.publish_events(next..next + 30);
        next += 30;
    }
    // Some that no killed sink has seen.
    bench.publish_events(next..next + 300);
    i64::from(next) + 300
}

/// The warehouse decides where reading starts, not the group's commits: a new file is filled again, a known
/// one goes on.
#[test]
fn a_fresh_file_is_filled_from_the_beginning_and_a_known_one_goes_on() {
    let bench = Bench::new("fresh.");
    let (first, second) = (bench.file("first"), bench.file("second"));
    bench.publish_events(0..50);
    let sink = bench.sink(&first);
    assert!(until(|| rows(&first) == 50));
    assert_eq!(sink.stopped().stored, 50);

    let sink = bench.sink(&second);
    assert!(until(|| rows(&second) == 50));
    bench.publish_events(50..60);
    assert!(until(|| rows(&second) == 60));
    sink.stopped();

    let sink = bench.sink(&first);
    assert!(until(|| rows(&first) == 60));
    let summary = sink.stopped();
    assert_eq!((summary.stored, summary.replayed, summary.conflicts), (10, 0, 0));
}
