//! The whole topology under load, its processor killed at chosen points of the commit protocol.

use std::path::Path;
use std::time::Duration;

use aftersend_tests::broker::topic;
use aftersend_tests::deployment::{Deployment, Role};
use aftersend_tests::process::Process;
use aftersend_tests::proof::assert_none;
use aftersend_tests::proof::balance::Balance;
use aftersend_tests::vendor::{Pace, Vendor};
use aftersend_tests::wait::{PATIENCE, await_that, await_until};
use aftersend_tests::warehouse::Warehouse;
use devkit::customerio::webhook::Ended;
use schemas::topic::Topic;

use crate::verdict;

const EVENTS: usize = 10_000;
const DUPLICATES: f64 = 0.2;

/// Records in a transaction at most. The drills use up less than `DRILLS`' numbers times this of the 12,000,
/// so that each is reached however fast or slow this machine is.
const BATCH_RECORDS: &str = "200";

/// Where the processor is killed: the point, at which time of passing it, and what its transaction is then.
const DRILLS: [(&str, u32, Transaction); 6] = [
    ("flushed", 3, Transaction::Open),
    ("offsets_sent", 2, Transaction::Open),
    ("committed", 3, Transaction::NotApplied),
    ("sent", 2, Transaction::Begun),
    ("begun", 2, Transaction::Begun),
    ("applied", 4, Transaction::NotApplied),
];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Transaction {
    /// Begun by the client; how much of it the broker has is chance.
    Begun,
    /// All its records are in the log, undecided: seen from outside.
    Open,
    /// Committed, and not on the processor's disk, or not all of it.
    NotApplied,
}

/// P1, P2, S1, S2, S3, G1, E1: 10,000 events, a fifth of them twice, out of order; the processor killed six
/// times inside a commit and the warehouse's sink once. Every event is stored once and published once, and
/// everybody's state is what a single thread makes of it.
#[test]
fn p1_p2_kills_inside_a_commit_lose_and_double_nothing() {
    let deployment = Deployment::new("crash", 6);
    let vendor = Vendor::start(7, 400);
    let schedule = vendor.schedule(EVENTS, DUPLICATES, 300);
    let gateway = deployment.start_ready(Role::Gateway, &[]);
    let warehouse_sink = deployment.start_ready(Role::WarehouseSink, &[]);
    let mut customerio_sink = deployment.start_ready(Role::CustomerioSink, &vendor.credentials());
    let sending = vendor.send(gateway.listen, &schedule, Pace { lanes: 16, calls_per_s: Some(600.0) });

    let (before, after) = DRILLS.split_at(3);
    before.iter().for_each(|drill| kill_at(&deployment, *drill));
    await_that("some outcomes to be stored", || Warehouse::open(&deployment.warehouse()).stored() > 0);
    warehouse_sink.kill();
    let warehouse_sink = deployment.start(Role::WarehouseSink, &[]);
    after.iter().for_each(|drill| kill_at(&deployment, *drill));
    let mut processor = deployment.start_ready(Role::Processor, &[]);

    let (stats, report) = (sending.stats().clone(), sending.finish());
    assert_eq!((report.ended, report.accepted.len()), (Ended::Complete, EVENTS), "every event was accepted");
    assert_eq!(stats.read().given_up, 0);
    verdict::await_processed(&deployment);
    let oracle = verdict::oracle(&[&schedule]);
    verdict::topics_hold(&deployment, &oracle);
    verdict::warehouse_holds(&deployment, &oracle);
    verdict::profiles_hold(&deployment, &vendor, &oracle);
    assert_eq!(vendor.track().destroyed(), [], "no profile was asked to be destroyed");
    let counts = vendor.track().counts();
    assert_eq!((counts.stale_attributes, counts.created, counts.rejected), (0, 0, 0), "{counts:?}");
    let balance = balance(&deployment, &gateway);
    assert_none("balance", &balance.faults());
    assert!(balance.raw >= schedule.order().len() as u64 && balance.duplicate >= 2_000, "{balance:?}");

    processor.assert_alive();
    customerio_sink.assert_alive();
    for process in [gateway, processor, warehouse_sink, customerio_sink] {
        let exit = process.stop();
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    }
    // Nothing was held back until the end.
    verdict::warehouse_holds(&deployment, &oracle);
    assert_none("profiles after the drain", &verdict::profile_faults(&vendor, &oracle));
}

/// Runs the processor until it stands at that point of a transaction, and kills it there.
fn kill_at(deployment: &Deployment, (point, nth, transaction): (&str, u32, Transaction)) {
    let marker = deployment.path(&format!("drill-{point}"));
    let drill = format!("{point}:{nth}:{}", marker.display());
    let mut processor = deployment.start(
        Role::Processor,
        &[("AFTERSEND_PROCESSOR_DRILL", &drill), ("AFTERSEND_PROCESSOR_BATCH_RECORDS", BATCH_RECORDS)],
    );
    await_marker(&mut processor, &marker, point);
    let state = deployment.topic(Topic::State);
    match transaction {
        Transaction::Begun => {}
        Transaction::Open => {
            assert!(state.has_open_transaction(), "{point}: records are in the log, undecided");
        }
        // The markers follow the coordinator's decision.
        Transaction::NotApplied => {
            await_that("the transaction to be committed", || !state.has_open_transaction());
        }
    }
    // Asserts that it was alive, and that the signal ended it.
    processor.kill();
}

fn await_marker(processor: &mut Process, marker: &Path, point: &str) {
    let what = format!("the processor to reach {point}");
    await_until(&what, PATIENCE + Duration::from_secs(30), || {
        processor.assert_alive();
        marker.exists().then_some(())
    });
}

/// The processor's counts died with it, so its part is counted on the topics.
fn balance(deployment: &Deployment, gateway: &Process) -> Balance {
    let warehouse = Warehouse::open(&deployment.warehouse());
    let records = |topic| -> Vec<kafka::Incoming> { topic::Topic::records(&deployment.topic(topic)) };
    Balance {
        sent: EVENTS as u64,
        stored: warehouse.stored(),
        conflicts: warehouse.conflicts(),
        ..Balance::default()
    }
    .with_gateway(&gateway.metrics())
    .with_topics(&records(Topic::Raw), &records(Topic::Warehouse), &records(Topic::DeadLetter))
}
