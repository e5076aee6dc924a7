//! Public bug reports, as inputs from outside: signed requests go in, and topics, rows and calls come out.
//!
//! `tests/cases/reports.jsonl` holds them. `right` says in words what `then` says to this test.
//!
//! Reports that need other means than requests are tested where these are: a shared state folder (K12) by
//! [`crate::restore`], fences and commits in doubt (K01 to K03) by the processor's model and the chaos
//! suite, a cluster that is not fit (K15) and a window that is too short (D01) by [`crate::start`].
//!
//! Two reports are not covered yet: B02 and B06, failures that are not the recipient's. Their rows have the
//! right class, but traits and suppressions still take every e-mail bounce for a hard one.

mod check;
mod request;

use std::collections::BTreeMap;

use aftersend_tests::deployment::{Deployment, Role};
use aftersend_tests::process::exposition::Exposition;
use aftersend_tests::vendor::{SIGNING_KEY, Vendor};
use aftersend_tests::wait::{PATIENCE, await_until};
use aftersend_tests::warehouse::Warehouse;
use schemas::record::{CustomerTraits, DeadLetter, MessageOutcome, Record, Suppression};
use schemas::topic::Topic;
use serde_json::{Value, json};

use crate::verdict::await_processed;

const CASES: &str = include_str!("../../cases/reports.jsonl");

/// A second key of the same endpoint.
const OTHER_KEY: &str = "key-b";

/// Everything that came of all cases.
pub(crate) struct Outcome {
    /// Rows of `message_outcomes`, `metadata` read.
    pub(crate) rows: Vec<Value>,
    pub(crate) dead_letters: Vec<Value>,
    pub(crate) traits: BTreeMap<String, Value>,
    pub(crate) suppressions: BTreeMap<String, Value>,
    /// All that is on public topics and in the warehouse, as text.
    pub(crate) public: String,
    /// What the gateway counted.
    pub(crate) metrics: Exposition,
}

fn cases() -> Vec<Value> {
    CASES.lines().map(|line| serde_json::from_str(line).expect("a case is JSON")).collect()
}

/// Each report's right behaviour holds.
#[test]
fn what_went_wrong_elsewhere_goes_right_here() {
    let deployment = Deployment::new("reports", 1);
    let vendor = Vendor::start(17, 20);
    let keys = format!("{SIGNING_KEY}, {OTHER_KEY}");
    let gateway = deployment.start_ready(Role::Gateway, &[("CUSTOMERIO_WEBHOOK_SIGNING_KEY", &keys)]);
    let _processor = deployment.start_ready(Role::Processor, &[]);
    let _warehouse = deployment.start_ready(Role::WarehouseSink, &[]);
    let _customerio = deployment.start_ready(Role::CustomerioSink, &vendor.credentials());
    let cases = cases();
    let mut faults = Vec::new();
    for case in &cases {
        for fault in request::send_all(&gateway, case) {
            faults.push(format!("{}: {fault}", case["id"]));
        }
    }
    await_processed(&deployment);
    await_stored(&deployment);
    faults.extend(refused_calls(&deployment, &vendor));
    let outcome = observe(&deployment, gateway.metrics());
    for case in &cases {
        let found = check::faults(case, &outcome).into_iter().chain(request::unexplained(&deployment, case));
        faults.extend(found.map(|fault| format!("{}: {fault}", case["id"])));
    }
    assert!(faults.is_empty(), "{} faults in {} cases:\n{}", faults.len(), cases.len(), faults.join("\n"));
}

/// What the vendor refused of the sink's calls, once all are made, or let it create.
fn refused_calls(deployment: &Deployment, vendor: &Vendor) -> Option<String> {
    let group = deployment.group("aftersend-customerio-sink");
    deployment.topic(Topic::Trait).await_worked_off(&group);
    deployment.topic(Topic::Suppression).await_worked_off(&group);
    let counts = vendor.track().counts();
    let is_right = counts.rejected == 0 && counts.created == 0 && counts.operations > 0;
    (!is_right).then(|| format!("P07, T04, T07: the vendor refused calls, or made people: {counts:?}"))
}

/// Waits until the warehouse has read all of its topic.
fn await_stored(deployment: &Deployment) {
    let outcomes = deployment.topic(Topic::Warehouse).records().len() as u64;
    let warehouse = Warehouse::open(&deployment.warehouse());
    let held = || warehouse.stored() + warehouse.conflicts();
    await_until("every outcome to be stored", PATIENCE, || (held() >= outcomes).then_some(()));
}

fn observe(deployment: &Deployment, metrics: Exposition) -> Outcome {
    let rows = rows(deployment);
    let traits = latest::<CustomerTraits>(deployment, Topic::Trait);
    let suppressions = latest::<Suppression>(deployment, Topic::Suppression);
    let outcomes: Vec<MessageOutcome<'static>> = deployment.topic(Topic::Warehouse).decoded();
    let outcomes = serde_json::to_value(outcomes).expect("outcomes are JSON");
    let letters: Vec<DeadLetter> = deployment.topic(Topic::DeadLetter).decoded();
    let dead_letters = letters.iter().map(|letter| {
        let key = letter.key.as_deref().map(String::from_utf8_lossy);
        json!({"reason": letter.reason, "event_id": letter.event_id, "stage": letter.stage, "key": key})
    });
    let public = format!("{}{outcomes}{}{}", json!(rows), json!(traits), json!(suppressions));
    Outcome { dead_letters: dead_letters.collect(), rows, traits, suppressions, public, metrics }
}

fn latest<R: Record>(deployment: &Deployment, topic: Topic) -> BTreeMap<String, Value> {
    let records = deployment.topic(topic).latest::<R>().into_iter();
    let values = records.filter_map(|(key, record)| Some((key, serde_json::to_value(record?).ok()?)));
    values.collect()
}

/// Every row of the warehouse by its columns' names.
fn rows(deployment: &Deployment) -> Vec<Value> {
    let connection = rusqlite::Connection::open(deployment.warehouse()).expect("the warehouse can be opened");
    let mut statement = connection.prepare("SELECT * FROM message_outcomes").expect("the table is there");
    let names: Vec<String> = statement.column_names().map(ToOwned::to_owned).collect();
    let rows = statement.query_map([], |row| {
        let column = |(at, name): (usize, &String)| {
            let value = match row.get_ref(at)? {
                rusqlite::types::ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
                rusqlite::types::ValueRef::Integer(number) => json!(number),
                _ => Value::Null,
            };
            let is_json = name == "metadata";
            let read = value.as_str().filter(|_| is_json).and_then(|text| serde_json::from_str(text).ok());
            Ok((name.clone(), read.unwrap_or(value)))
        };
        names.iter().enumerate().map(column).collect::<Result<serde_json::Map<_, _>, _>>()
    });
    rows.expect("rows can be read").map(|row| Value::Object(row.expect("a row has its types"))).collect()
}
