//! A customer's records on the trait topic have consecutive revisions, and each names what it changed. A
//! transaction that took effect twice, or was lost after others built on it, breaks that.

use std::collections::{BTreeMap, BTreeSet};

use schemas::record::CustomerTraits;
use serde_json::{Map, Value};

/// Fields of the record that are no traits.
const ABOUT: [&str; 4] = ["customer_id", "revision", "as_of", "changed"];

/// What is wrong with `records`, all of a topic's in each partition's order.
///
/// # Panics
/// If a record isn't an object, which none is.
#[must_use]
pub fn faults(records: &[CustomerTraits]) -> Vec<String> {
    let mut last: BTreeMap<&str, &CustomerTraits> = BTreeMap::new();
    let mut faults = Vec::new();
    for record in records {
        let blank = CustomerTraits::default();
        let before = last.insert(&record.customer_id, record).unwrap_or(&blank);
        let told: BTreeSet<String> = record.changed.iter().cloned().collect();
        let steps = [
            (record.revision == before.revision + 1, "revision"),
            (record.as_of >= before.as_of, "as_of"),
            (told == changed(before, record), "changed"),
        ];
        let broken = steps.into_iter().filter(|(holds, _)| !holds);
        faults.extend(
            broken.map(|(_, field)| format!("{field} doesn't follow: {record:?} comes after {before:?}")),
        );
    }
    faults
}

fn changed(before: &CustomerTraits, after: &CustomerTraits) -> BTreeSet<String> {
    let (before, after) = (fields(before), fields(after));
    after.into_iter().filter(|(name, value)| before.get(name) != Some(value)).map(|(name, _)| name).collect()
}

fn fields(record: &CustomerTraits) -> Map<String, Value> {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(record) else { return Map::new() };
    ABOUT.iter().for_each(|name| drop(fields.remove(*name)));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(revision: i64, as_of: i64, count: i64, changed: &[&str]) -> CustomerTraits {
        CustomerTraits {
            customer_id: "u-1".to_owned(),
            revision,
            as_of,
            complaint_count: Some(count),
            changed: changed.iter().map(|name| (*name).to_owned()).collect(),
            ..CustomerTraits::default()
        }
    }

    #[test]
    fn a_step_that_is_missing_or_comes_twice_breaks_the_story() {
        let count = &["complaint_count"];
        let (first, second, third) = (record(1, 5, 1, count), record(2, 5, 2, count), record(3, 6, 3, count));
        assert!(faults(&[first.clone(), second.clone(), third.clone()]).is_empty());
        assert_eq!(faults(&[first.clone(), third.clone()]).len(), 1, "a revision is missing");
        assert_eq!(faults(&[first.clone(), first.clone()]).len(), 2, "nothing new, and the same number");
        assert_eq!(faults(&[first.clone(), record(2, 4, 2, count)]).len(), 1, "back in time");
        assert_eq!(faults(&[first, record(2, 5, 2, &[])]).len(), 1, "a change that isn't told");
        assert_eq!(faults(&[second]).len(), 1, "a beginning that is missing");
    }
}
