//! Positions that can't be right: each is refused, or recorded where the settings say so. Nothing is lost
//! silently.

use std::path::Path;

use delivery::intake::OnGap;
use kafka::Cluster;
use schemas::topic::Topic;

use bigquery_sink::Settings;

use crate::bench::{Bench, Running, number, rows, settings, until};

/// A file that is filled with 30 events, 10 of each partition.
fn filled(bench: &Bench, file: &Path) {
    bench.publish_events(0..30);
    let sink = bench.sink(file);
    assert!(until(|| rows(file) == 30));
    sink.stopped();
}

fn cause(sink: &Running) -> String {
    sink.health.ready().components.first().and_then(|sink| sink.cause.clone()).unwrap_or_default()
}

fn recording(file: &Path) -> Settings {
    Settings { on_gap: OnGap::Record, ..settings(file) }
}

#[test]
fn s1_records_deleted_before_they_were_read_are_refused_and_then_recorded() {
    let bench = Bench::new("cut.");
    let file = bench.file("w");
    filled(&bench, &file);
    bench.publish_events(30..60);
    let cluster = Cluster::connect(&bench.connection).expect("connects");
    let topic = bench.topics.name(Topic::Warehouse);
    cluster.delete_records_before(topic, 1, kafka::NextOffset(15)).expect("deletes");

    let sink = bench.sink(&file);
    // The other partitions go on.
    assert!(
        until(|| rows(&file) == 50 && !cause(&sink).is_empty()),
        "{} rows, {}",
        rows(&file),
        cause(&sink)
    );
    let said = cause(&sink);
    assert!(said.contains("[1]: records 10 to 14 were deleted") && said.contains("on_gap"), "{said}");
    assert!(!sink.health.ready().ready);
    sink.stopped();
    assert_eq!(number(&file, "SELECT next_offset FROM sink_offsets WHERE \"partition\" = 1"), Some(10));

    let sink = bench.sink_with(recording(&file));
    assert!(until(|| rows(&file) == 55 && sink.health.ready().ready), "{}", cause(&sink));
    assert_eq!(sink.stopped().conflicts, 0);
    let recorded = "SELECT count(*) FROM sink_gaps WHERE kind = 'begins_later' AND \"partition\" = 1
        AND from_offset = 10 AND to_offset = 15";
    assert_eq!(number(&file, recorded), Some(1));
    assert_eq!(number(&file, "SELECT count(*) FROM sink_gaps"), Some(1));
}

#[test]
fn s1_a_topic_made_anew_and_longer_than_the_position_is_refused_and_then_read_whole() {
    let bench = Bench::new("anew.");
    let file = bench.file("w");
    filled(&bench, &file);
    bench.make_anew(Topic::Warehouse);
    bench.publish_events(100..160);

    let sink = bench.sink(&file);
    assert!(until(|| cause(&sink).contains("an earlier topic of this name")), "{}", cause(&sink));
    assert!(!sink.health.ready().ready);
    assert_eq!(sink.stopped().stored, 0);

    let sink = bench.sink_with(recording(&file));
    assert!(until(|| rows(&file) == 90 && sink.health.ready().ready), "{}", cause(&sink));
    assert_eq!(sink.stopped().conflicts, 0);
    assert_eq!(number(&file, "SELECT count(*) FROM sink_gaps WHERE kind = 'topic_made_anew'"), Some(3));
}
