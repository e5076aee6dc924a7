//! What is wrong with one partition stops that partition only.

use processor::state::changelog;
use schemas::topic::Topic;

use crate::bench::{Bench, Running, customer, event_id, partition, until, wipe};

impl Bench {
    /// Waits until every event of `numbers` that is not on `stopped` has taken effect.
    fn others_went_on(&self, stopped: i32, numbers: std::ops::Range<u32>) {
        until("the other partitions go on", || {
            let outcomes = self.outcomes();
            let has = |number: u32| outcomes.iter().any(|outcome| outcome.event_id == event_id(number));
            numbers.clone().filter(|number| partition(&customer(*number)) != stopped).all(has)
        });
    }
}

impl Running {
    fn names(&self, partition: i32, what: &str) -> bool {
        let cause = self.cause();
        cause.contains(&format!("partition {partition} stopped")) && cause.contains(what)
    }

    fn is_well(&self) -> bool {
        assert!(!self.is_finished(), "the process goes on");
        self.health.ready().ready
    }
}

/// The group's offset of one partition is set back. The mend needs no restart.
#[test]
fn a_partition_that_is_refused_stops_alone_and_comes_back_once_it_is_mended() {
    let bench = Bench::used("refused-alone.");
    let stood = bench.committed(1).next.expect("a position").0;
    bench.set_group_to(1, stood - 5);
    bench.publish_events(200..300);
    let processor = bench.start("disk");
    bench.others_went_on(1, 0..300);
    until("readiness names it with its mend", || processor.names(1, &format!("--to-offset {stood}")));
    assert_eq!(bench.committed(1).next.expect("a position").0, stood - 5, "it is left alone");
    assert!(!processor.is_well());

    bench.set_live_group_to(1, stood);
    until("it comes back", || processor.is_well());
    bench.worked_off();
    processor.stopped();
    bench.assert_each_once(0..300);
}

/// R5: a newer version has written to the changelog. Only an upgrade mends that.
#[test]
fn a_changelog_of_a_newer_format_stops_its_partition_only() {
    let bench = Bench::used("newer-changelog.");
    bench.append(Topic::State, 2, &changelog::customer_key(b"of-a-newer-version"), &[99, 0, 0]);
    wipe(&bench.disk("disk"));
    bench.publish_events(200..300);
    let processor = bench.start("disk");
    bench.others_went_on(2, 0..300);
    until("readiness names it with its mend", || processor.names(2, "upgrade the processor"));
    assert!(!processor.is_well());
    processor.stopped();
}

/// A value that can't be read is met while records are applied. The changelog has a value that can, so the
/// mend that readiness names is one.
#[test]
fn a_value_that_can_t_be_read_stops_its_partition_only_and_comes_back_without_its_folder() {
    let bench = Bench::used("unreadable-alone.");
    let key = (0..).map(customer).find(|key| partition(key) == 0).expect("a customer");
    let store = bench.store("disk", 0);
    let mut writes = store.batch();
    writes.put_customer(key.as_bytes(), Some(&[1, 0, 1, 0xff]));
    writes.write().expect("writes");
    drop(store);
    bench.publish_events(200..300);
    let processor = bench.start("disk");
    bench.others_went_on(0, 0..300);
    until("readiness names it with its mend", || processor.names(0, "state folder"));
    assert!(!processor.is_well());

    // Between two attempts nobody has the folder open.
    until("the folder can be deleted", || std::fs::remove_dir_all(bench.folder("disk", 0)).is_ok());
    until("it comes back", || processor.is_well());
    bench.worked_off();
    processor.stopped();
    bench.assert_each_once(0..300);
}
