//! Which consumer group a warehouse's sinks are in.

use bigquery_sink::Settings;
use settings::Reader;

use crate::bench::{Bench, number, rows, settings, until};

/// Both sinks run at the same time, as those of a test and a production warehouse do. In one group, each file
/// would hold the outcomes of a part of the partitions.
#[test]
fn s1_two_warehouses_with_default_settings_are_both_full() {
    let bench = Bench::new("two.");
    let files = ["first", "second"].map(|name| bench.file(name));
    let sinks = files.each_ref().map(|file| {
        let location = format!("sqlite:{}", file.display());
        let mut reader = Reader::new(Settings::FIELDS, None, [("AFTERSEND_WAREHOUSE".to_owned(), location)]);
        let defaults = Settings::read(&mut reader).expect("nothing needs to be set");
        bench.sink_with(Settings { group: defaults.group, instance: None, ..settings(file) })
    });
    assert!(until(|| sinks.iter().all(|sink| sink.health.ready().ready)));
    bench.publish_events(0..60);
    assert!(
        until(|| files.iter().all(|file| rows(file) == 60)),
        "{:?}",
        files.each_ref().map(|file| rows(file))
    );
    for sink in sinks {
        assert_eq!(sink.stopped().stored, 60);
    }
    assert_eq!(number(&files[0], "SELECT count(*) FROM message_outcome_conflicts"), Some(0));
}

/// Whoever set a group keeps it, and its lag alarms.
#[test]
fn a_group_that_is_set_is_the_group() {
    let bench = Bench::new("named.");
    let file = bench.file("w");
    bench.publish_events(0..30);
    let sink = bench.sink_with(settings(&file));
    assert!(until(|| rows(&file) == 30));
    let cluster = kafka::Cluster::connect(&bench.connection).expect("connects");
    assert_eq!(cluster.group_members("named.sink").expect("answers"), 1);
    sink.stopped();
}
