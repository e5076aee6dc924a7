//! Whether what is found equals what must be. Each proof is a pure function that returns what is wrong, so
//! that a test can plant a fault and see it found.

pub mod balance;
pub mod history;
pub mod outcome;

use std::collections::BTreeMap;
use std::fmt::Debug;

/// How many differences are shown. The rest are only counted.
const TOLD_MAX: usize = 5;

/// Fails with `faults` if there are any.
///
/// # Panics
/// If there are.
pub fn assert_none(what: &str, faults: &[String]) {
    let told = faults.iter().take(TOLD_MAX).map(String::as_str).collect::<Vec<_>>().join("\n  ");
    assert!(faults.is_empty(), "{what}: {} faults, such as\n  {told}", faults.len());
}

/// Every key whose value is missing, unexpected or different.
#[must_use]
pub fn differences<V: PartialEq + Debug>(
    expected: &BTreeMap<String, V>,
    found: &BTreeMap<String, V>,
) -> Vec<String> {
    let wrong = expected.iter().filter_map(|(key, wanted)| match found.get(key) {
        None => Some(format!("{key} is missing, wanted {wanted:?}")),
        Some(value) if value != wanted => Some(format!("{key} is {value:?}, wanted {wanted:?}")),
        Some(_) => None,
    });
    let unexpected = found.iter().filter(|(key, _)| !expected.contains_key(*key));
    wrong.chain(unexpected.map(|(key, value)| format!("{key} is unexpected: {value:?}"))).collect()
}

/// The same for a log, where a key may occur more than once and must not.
#[must_use]
pub fn differences_each_once<V: PartialEq + Debug>(
    expected: &BTreeMap<String, V>,
    found: Vec<(String, V)>,
) -> Vec<String> {
    let mut once = BTreeMap::new();
    let mut faults = Vec::new();
    for (key, value) in found {
        if once.contains_key(&key) {
            faults.push(format!("{key} is there twice"));
        }
        once.insert(key, value);
    }
    faults.extend(differences(expected, &once));
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_unexpected_another_or_there_twice_is_told() {
        let map =
            |pairs: &[(&str, i32)]| pairs.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect();
        let expected: BTreeMap<String, i32> = map(&[("a", 1), ("b", 2)]);
        assert!(differences(&expected, &expected).is_empty());
        assert_eq!(differences(&expected, &map(&[("a", 1)])), ["b is missing, wanted 2"]);
        assert_eq!(differences(&expected, &map(&[("a", 1), ("b", 3)])), ["b is 3, wanted 2"]);
        assert_eq!(differences(&expected, &map(&[("a", 1), ("b", 2), ("c", 4)])), ["c is unexpected: 4"]);
        let twice = ["a", "b", "a"].map(|key| (key.to_owned(), expected[key]));
        assert_eq!(differences_each_once(&expected, twice.to_vec()), ["a is there twice"]);
    }
}
