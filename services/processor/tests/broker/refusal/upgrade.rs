//! A rolling upgrade: a newer version's records reach a processor that can't read them yet.

use schemas::codec;
use schemas::record::Command;

use crate::bench::{Bench, customer, event_id, partition, until};

/// The partition waits, says so and says where; the others go on; nothing is dead-lettered.
#[test]
fn an_unknown_schema_stops_its_partition_only() {
    let bench = Bench::new("upgrade.");
    let processor = bench.start("disk").ready();
    bench.publish_events(0..100);
    bench.worked_off();
    let stood = bench.committed(1).next.expect("a position").0;

    let newer = codec::encode(&Command::default()).expect("encodes");
    bench.publish(1, "u1", &newer).wait().expect("acknowledged");
    bench.publish_events(100..200);
    let elsewhere = |number: &u32| partition(&customer(*number)) != 1;
    let expected = 100 + (100..200).filter(elsewhere).count();
    until("the other partitions go on", || bench.outcomes().len() == expected);
    until("the partition says that it stopped", || processor.cause().contains("partition 1 stopped"));
    let cause = processor.cause();
    assert!(cause.contains(&format!("offset {stood}")), "{cause}");
    assert!(!processor.health.ready().ready);

    // It is told from a passing trouble: it stays, whatever else happens.
    bench.publish_events(200..260);
    until("the others still go on", || {
        let ids: Vec<String> =
            bench.outcomes().into_iter().map(|outcome| outcome.event_id.into_owned()).collect();
        (200..260).filter(elsewhere).all(|number| ids.contains(&event_id(number)))
    });
    assert_eq!(bench.committed(1).next.expect("a position").0, stood);
    assert!(processor.cause().contains("partition 1 stopped"));
    assert!(bench.dead_letters().is_empty());
    processor.stopped();
}
