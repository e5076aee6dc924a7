use std::collections::{BTreeMap, BTreeSet};

use customerio::operation::{self, Attributes};
use customerio::{Attribute, Identifier};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// A customer's number, a subject, an attribute's number and its value.
type Step = (u8, bool, u8, i64);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec((0_u8..6, any::<bool>(), 0_u8..3, any::<i64>()), 0..60)
}

/// Each subject writes attributes of its own, and times rise with the batch.
fn planned(index: usize, &(customer, suppression, attribute, value): &Step) -> Planned {
    let (subject, prefix) = if suppression { (Subject::Suppression, "s") } else { (Subject::Traits, "t") };
    let attributes = Attributes::from([(format!("{prefix}{attribute}").into(), Attribute::Integer(value))]);
    let identify = Identify {
        identifiers: Identifier::Id(format!("u-{customer}")),
        timestamp_s: i64::try_from(index / 2).expect("small"),
        attributes,
    };
    Planned { record: index, write: Write { subject, identify } }
}

fn planned_all(steps: &[Step]) -> Vec<Planned> {
    steps.iter().enumerate().map(|(index, step)| planned(index, step)).collect()
}

/// What the vendor would hold: attributes by customer, each with the time that wrote it; older times are
/// ignored.
#[derive(Debug, Default, PartialEq)]
struct Vendor(BTreeMap<String, BTreeMap<String, (i64, Value)>>);

impl Vendor {
    fn apply(
        &mut self,
        customer: &str,
        timestamp: i64,
        attributes: impl IntoIterator<Item = (String, Value)>,
    ) {
        let held = self.0.entry(customer.to_owned()).or_default();
        for (name, value) in attributes {
            if held.get(&name).is_none_or(|(at, _)| *at <= timestamp) {
                held.insert(name, (timestamp, value));
            }
        }
    }

    fn values(self) -> BTreeMap<String, BTreeMap<String, Value>> {
        let untimed =
            |held: BTreeMap<String, (i64, Value)>| held.into_iter().map(|(name, (_, value))| (name, value));
        self.0.into_iter().map(|(customer, held)| (customer, untimed(held).collect())).collect()
    }
}

fn wire(request: &[Operation]) -> Vec<Value> {
    let encoded: Vec<&Encoded> = request.iter().map(|operation| &operation.encoded).collect();
    let body: Value = serde_json::from_slice(&operation::body(&encoded)).expect("JSON");
    body["batch"].as_array().expect("an array").clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// S2: sent wave by wave, the vendor ends with what one write after the other would have left.
    #[test]
    fn s2_waves_leave_what_single_writes_in_order_would(steps in steps(), operations_max in 1_usize..5) {
        let mut one_by_one = Vendor::default();
        for (index, (customer, suppression, attribute, value)) in steps.iter().enumerate() {
            let name = format!("{}{attribute}", if *suppression { "s" } else { "t" });
            let at = i64::try_from(index / 2).expect("small");
            one_by_one.apply(&format!("u-{customer}"), at, [(name, Value::from(*value))]);
        }
        let mut in_waves = Vendor::default();
        let plan = plan(planned_all(&steps), &Bounds { operations_max, bytes_max: REQUEST_BYTES_MAX });
        for item in plan.waves.iter().flatten().flat_map(|request| wire(request)) {
            let attributes = item["attributes"].as_object().expect("attributes").clone();
            let attributes = attributes.into_iter().filter(|(name, _)| name != "_update");
            let customer = item["identifiers"]["id"].as_str().expect("an id");
            in_waves.apply(customer, item["timestamp"].as_i64().expect("a time"), attributes);
        }
        prop_assert_eq!(in_waves.values(), one_by_one.values());
    }

    /// S2 and E1: no customer twice in a wave, every record exactly once, every request within its bounds.
    #[test]
    fn every_record_is_carried_once_and_no_customer_twice_at_a_time(
        steps in steps(), operations_max in 1_usize..5, bytes_max in 100_usize..1000
    ) {
        let plan = plan(planned_all(&steps), &Bounds { operations_max, bytes_max });
        let mut records: Vec<usize> = Vec::new();
        for wave in &plan.waves {
            let mut customers = BTreeSet::new();
            for request in wave {
                prop_assert!((1..=operations_max).contains(&request.len()));
                let bytes: usize = request.iter().map(|operation| operation.encoded.batched_bytes()).sum();
                prop_assert!(request.len() == 1 || bytes <= bytes_max);
                for item in wire(request) {
                    prop_assert!(customers.insert(item["identifiers"].to_string()));
                }
                for (item, operation) in wire(request).iter().zip(request) {
                    // Of several revisions the last one's time, or the vendor would ignore the write.
                    let latest = operation.records.iter().map(|index| index / 2).max();
                    prop_assert_eq!(item["timestamp"].as_u64(), latest.map(|at| at as u64));
                }
                records.extend(request.iter().flat_map(|operation| &operation.records));
            }
        }
        prop_assert!(plan.refused.is_empty());
        records.sort_unstable();
        prop_assert_eq!(records, (0..steps.len()).collect::<Vec<_>>());
    }
}

#[test]
fn a_customer_of_both_topics_is_told_of_the_suppression_first() {
    let steps = [(1, false, 0, 7), (1, true, 0, 8), (2, false, 0, 9)];
    let plan = plan(planned_all(&steps), &Bounds { operations_max: 100, bytes_max: REQUEST_BYTES_MAX });
    let carried: Vec<Vec<usize>> = plan
        .waves
        .iter()
        .map(|wave| wave.iter().flatten().flat_map(|operation| operation.records.clone()).collect())
        .collect();
    assert_eq!(carried, [vec![1, 2], vec![0]]);
}
