//! What a whole process writes: the test starts itself as a child and reads its stderr and its metrics.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::process::{Command, Output};
use std::thread;

use serde_json::Value;
use telemetry::{Format, Metric, Settings};

/// Names the format, and marks the process as the child.
const CHILD: &str = "TELEMETRY_TEST_CHILD";

/// Stands for an address in a panic.
const ADDRESS: &str = "someone@example.com";

/// Does nothing unless this process is the child.
#[test]
fn child() {
    let Ok(format) = std::env::var(CHILD) else { return };
    let format = if format == "json" { Format::Json } else { Format::Text };
    let metrics = telemetry::init(&Settings { format, level: "info".to_owned() }).unwrap();
    tracing::info!(partition = 3, "assigned");
    tracing::debug!("filtered out");
    let formatted =
        thread::Builder::new().name("worker-3".to_owned()).spawn(|| panic!("no {ADDRESS}")).unwrap();
    formatted.join().unwrap_err();
    thread::spawn(|| panic!("invariant in words")).join().unwrap_err();
    metrics::histogram!("test_wait_seconds").record(0.2);
    metrics::histogram!("test_batch_records").record(100.0);
    metrics.describe(&[Metric::histogram("test_batch_records", &[], "Records per batch.")]);
    println!("{}", metrics.render());
}

fn run(format: &str) -> Output {
    let test = std::env::current_exe().unwrap();
    let output = Command::new(test)
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD, format)
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

fn json_lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn json_logs_are_one_object_per_line_with_their_fields_on_top() {
    let lines = json_lines(&run("json"));
    assert_eq!(lines[0]["message"], "assigned");
    assert_eq!(lines[0]["partition"], 3);
    assert_eq!(lines[0]["level"], "INFO");
    assert_eq!(lines.len(), 3, "{lines:?}");
}

/// E2: a formatted message may hold data; a text of the program can't.
#[test]
fn e2_a_panic_tells_where_and_never_what_it_carried() {
    for format in ["json", "text"] {
        let output = run(format);
        let everything = format!("{output:?}");
        assert!(!everything.contains(ADDRESS), "{everything}");
    }
    let lines = json_lines(&run("json"));
    let (withheld, literal) = (&lines[1], &lines[2]);
    assert_eq!(withheld["thread"], "worker-3");
    assert!(withheld["location"].as_str().unwrap().contains("process.rs:"), "{withheld}");
    assert!(withheld["panic"].as_str().unwrap().starts_with("[withheld"), "{withheld}");
    assert_eq!(literal["panic"], "invariant in words");
}

#[test]
fn the_metrics_count_logs_and_panics_and_choose_buckets_by_name() {
    let text = String::from_utf8(run("text").stdout).unwrap();
    for line in [
        "aftersend_telemetry_log_events_total{level=\"info\"} 1",
        "aftersend_telemetry_log_events_total{level=\"error\"} 2",
        "aftersend_telemetry_log_events_total{level=\"debug\"} 0",
        "aftersend_telemetry_panics_total 2",
        "# HELP test_batch_records Records per batch.",
        "test_wait_seconds_bucket{le=\"0.1\"} 0",
        "test_wait_seconds_bucket{le=\"0.25\"} 1",
        "test_batch_records_bucket{le=\"64\"} 0",
        "test_batch_records_bucket{le=\"128\"} 1",
    ] {
        assert!(text.lines().any(|each| each == line), "{line} is missing in\n{text}");
    }
    assert!(text.contains("aftersend_build_info{version="), "{text}");
}

#[test]
fn a_second_start_in_one_process_returns_the_same_metrics() {
    let first = telemetry::init(&Settings::default()).unwrap();
    let second =
        telemetry::init(&Settings { format: Format::Json, level: "not a ==level".to_owned() }).unwrap();
    metrics::counter!("test_shared_total").increment(1);
    assert!(first.render().contains("test_shared_total 1"));
    assert!(second.render().contains("test_shared_total 1"));
}
