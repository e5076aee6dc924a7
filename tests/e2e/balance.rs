//! A run without crashes, in which the processes' own counters must agree with each other and with what lies
//! there.

use aftersend_tests::deployment::{Deployment, Role};
use aftersend_tests::oracle::Oracle;
use aftersend_tests::process::Process;
use aftersend_tests::process::http;
use aftersend_tests::proof::balance::Balance;
use aftersend_tests::proof::{assert_none, differences_each_once};
use aftersend_tests::vendor::{ENDPOINT, Pace, Vendor};
use aftersend_tests::wait::await_that;
use aftersend_tests::warehouse::Warehouse;
use schemas::record::{CustomerTraits, Suppression};
use schemas::topic::Topic;

use crate::verdict;

const EVENTS: usize = 1_500;

/// E1 and S3: every request, record and write ends in exactly one count, in each process, and a loss planted
/// in what is counted trips the proof.
#[test]
fn e1_what_went_in_is_what_came_out() {
    let deployment = Deployment::new("balance", 3);
    let vendor = Vendor::start(3, 150);
    let schedule = vendor.schedule(EVENTS, 0.2, 100);
    let gateway = deployment.start_ready(Role::Gateway, &[]);
    let processor = deployment.start_ready(Role::Processor, &[]);
    let warehouse_sink = deployment.start_ready(Role::WarehouseSink, &[]);
    let customerio_sink = deployment.start_ready(Role::CustomerioSink, &vendor.credentials());
    // Something to refuse, so that the equation of requests has both its terms.
    let refused = http::post(gateway.listen, ENDPOINT, &[], b"{}").expect("an answer");
    assert_eq!(refused.status, 401);
    let report = vendor.send(gateway.listen, &schedule, Pace { lanes: 16, calls_per_s: None }).finish();
    assert_eq!(report.accepted.len(), EVENTS);

    verdict::await_processed(&deployment);
    let oracle = verdict::oracle(&[&schedule]);
    verdict::topics_hold(&deployment, &oracle);
    verdict::warehouse_holds(&deployment, &oracle);
    verdict::profiles_hold(&deployment, &vendor, &oracle);
    assert_eq!((vendor.track().destroyed().len(), vendor.track().counts().stale_attributes), (0, 0));

    let balance = balance(&deployment, &gateway, &processor);
    assert_none("balance", &balance.faults());
    assert_eq!((balance.refused, balance.duplicate > 0), (1, true), "{balance:?}");
    sinks_balance(&deployment, &warehouse_sink, &customerio_sink);
    planted_losses_are_found(&deployment, &balance, &oracle);
    for process in [&gateway, &processor, &warehouse_sink, &customerio_sink] {
        let page = include_str!("../../docs/metrics.md");
        assert_none("metrics that the page does not have", &process.metrics().undocumented(page));
    }
}

/// Unlike in a run with crashes, the processor's part is what it says itself; raw's is what lies there.
fn balance(deployment: &Deployment, gateway: &Process, processor: &Process) -> Balance {
    let warehouse = Warehouse::open(&deployment.warehouse());
    Balance {
        sent: EVENTS as u64,
        raw: deployment.topic(Topic::Raw).length(),
        stored: warehouse.stored(),
        conflicts: warehouse.conflicts(),
        ..Balance::default()
    }
    .with_gateway(&gateway.metrics())
    .with_processor(&processor.metrics())
}

/// Each record that a sink read ended in one of its outcomes.
fn sinks_balance(deployment: &Deployment, warehouse_sink: &Process, customerio_sink: &Process) {
    let records = |topic| deployment.topic(topic).records().len() as u64;
    let stored = |outcome| warehouse_sink.metrics().sum("aftersend_bigquery_sink_records_total", outcome);
    await_that("the warehouse sink's counts", || stored(None) >= records(Topic::Warehouse));
    assert_eq!((stored(Some(("outcome", "stored"))), stored(None)), (EVENTS as u64, EVENTS as u64));

    let written = |outcome| customerio_sink.metrics().sum("aftersend_customerio_sink_records_total", outcome);
    let traits = deployment.topic(Topic::Trait).decoded::<CustomerTraits>();
    let suppressions = deployment.topic(Topic::Suppression).decoded::<Suppression>();
    let read = (traits.len() + suppressions.len()) as u64;
    await_that("the Customer.io sink's counts", || written(None) >= read);
    // Known by an address's token alone, there is nobody to write to; and of `unsubscribed` alone, nothing is
    // written.
    let skipped = |key: &str| key.starts_with("~eml:");
    let is_unchanged =
        |record: &&CustomerTraits| record.changed == ["unsubscribed"] && !skipped(&record.customer_id);
    let unchanged = traits.iter().filter(is_unchanged).count() as u64;
    let keys = traits
        .iter()
        .map(|record| &record.customer_id)
        .chain(suppressions.iter().map(|record| &record.customer_id));
    let skipped = keys.filter(|key| skipped(key)).count() as u64;
    let counts = ["unchanged", "skipped", "delivered"].map(|outcome| written(Some(("outcome", outcome))));
    assert_eq!(counts, [unchanged, skipped, read - unchanged - skipped]);
    assert_eq!(written(None), read, "nothing else befell a record");
}

/// The proof is worth what it finds: one raw record, one row and one outcome less.
fn planted_losses_are_found(deployment: &Deployment, balance: &Balance, oracle: &Oracle) {
    let raw = deployment.topic(Topic::Raw).records();
    let (outcomes, dead) =
        (deployment.topic(Topic::Warehouse).records(), deployment.topic(Topic::DeadLetter).records());
    let counted = |raw: &[kafka::Incoming], outcomes: &[kafka::Incoming]| {
        balance.clone().with_topics(raw, outcomes, &dead)
    };
    assert_none("balance from the topics", &counted(&raw, &outcomes).faults());
    assert!(!counted(&raw[1..], &outcomes).faults().is_empty(), "a raw record less");
    assert!(!counted(&raw, &outcomes[1..]).faults().is_empty(), "an outcome less");

    let mut rows = Warehouse::open(&deployment.warehouse()).rows();
    let lost = rows.pop();
    assert_eq!(differences_each_once(oracle.rows(), rows.clone()).len(), 1, "a row less");
    rows.extend([lost.clone(), lost].into_iter().flatten());
    assert_eq!(differences_each_once(oracle.rows(), rows).len(), 1, "a row twice");
}
