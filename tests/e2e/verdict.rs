//! What must hold once everything is worked off.

use std::collections::BTreeMap;

use aftersend_tests::broker::topic;
use aftersend_tests::deployment::Deployment;
use aftersend_tests::oracle::{Oracle, profile_key};
use aftersend_tests::proof::{assert_none, differences, differences_each_once, outcome};
use aftersend_tests::vendor::Vendor;
use aftersend_tests::wait::{PATIENCE, await_until};
use aftersend_tests::warehouse::Warehouse;
use devkit::customerio::webhook::Schedule;
use schemas::topic::Topic;
use serde_json::Value;

/// The processor's consumer group, before the prefix.
const PROCESSOR: &str = "aftersend.processor";

/// The oracle for all outcomes of the schedules.
pub(crate) fn oracle(schedules: &[&Schedule]) -> Oracle {
    let outcomes = schedules.iter().flat_map(|schedule| schedule.outcomes());
    Oracle::of(outcomes.map(|outcome| &outcome.body[..]))
}

/// Waits until the processor has committed everything that is in raw.
pub(crate) fn await_processed(deployment: &Deployment) {
    deployment.topic(Topic::Raw).await_worked_off(&deployment.group(PROCESSOR));
}

/// The outcome topics say what the oracle says; nothing was set aside.
pub(crate) fn topics_hold(deployment: &Deployment, oracle: &Oracle) {
    outcome::assert_held(deployment, oracle);
    assert_eq!(deployment.topic(Topic::DeadLetter).records().len(), 0, "dead letters");
}

/// Waits until the warehouse has all of the warehouse topic, and compares its rows.
pub(crate) fn warehouse_holds(deployment: &Deployment, oracle: &Oracle) {
    let warehouse = Warehouse::open(&deployment.warehouse());
    let expected = oracle.rows().len() as u64;
    await_until("every outcome to be stored", PATIENCE, || (warehouse.stored() >= expected).then_some(()));
    assert_none("warehouse", &differences_each_once(oracle.rows(), warehouse.rows()));
    assert_eq!(warehouse.conflicts(), 0, "outcomes that came to the warehouse twice");
}

/// Waits until the profiles at Customer.io are what the oracle says, then looks again once the sink has
/// worked everything off.
pub(crate) fn profiles_hold(deployment: &Deployment, vendor: &Vendor, oracle: &Oracle) {
    let group = deployment.group("aftersend-customerio-sink");
    deployment.topic(Topic::Trait).await_worked_off(&group);
    deployment.topic(Topic::Suppression).await_worked_off(&group);
    assert_none("profiles", &profile_faults(vendor, oracle));
}

/// Each profile that isn't as the oracle says. Customers without a profile (deleted, known by address alone)
/// have none to judge.
pub(crate) fn profile_faults(vendor: &Vendor, oracle: &Oracle) -> Vec<String> {
    let mut expected = oracle.profiles();
    let profiles = vendor.track().profiles();
    assert!(!profiles.is_empty());
    let mut faults = Vec::new();
    for profile in profiles {
        let attributes = profile
            .attributes
            .keys()
            .filter_map(|name| profile.attribute(name).map(|value| (name.clone(), value.clone())));
        let found: BTreeMap<String, Value> = attributes.collect();
        let key = profile_key(&profile);
        let wanted = expected.remove(&key).unwrap_or_default();
        faults.extend(differences(&wanted, &found).into_iter().map(|fault| format!("{key}: {fault}")));
    }
    faults
}

/// The events in raw, by their ids, copies included.
pub(crate) fn raw_event_ids(deployment: &Deployment) -> Vec<String> {
    let records = deployment.topic(Topic::Raw).records();
    records.iter().map(|record| topic::decoded::<schemas::record::RawRecord>(record).event_id).collect()
}
