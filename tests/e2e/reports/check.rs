//! What a case expects, compared with what came.

use schemas::token::{Kind, TokenKey};
use serde_json::Value;

use super::Outcome;

/// What of a case's `then` doesn't hold.
pub(super) fn faults(case: &Value, outcome: &Outcome) -> Vec<String> {
    let then = resolved(&case["then"]);
    let mut faults = Vec::new();
    for row in items(&then["rows"]) {
        if !outcome.rows.iter().any(|found| includes(found, row)) {
            faults.push(format!("no row {row}; there is {}", nearest(outcome, row)));
        }
    }
    for row in items(&then["none"]) {
        if let Some(found) = outcome.rows.iter().find(|found| includes(found, row)) {
            faults.push(format!("a row {found}"));
        }
    }
    for letter in items(&then["dead"]) {
        if !outcome.dead_letters.iter().any(|found| includes(found, letter)) {
            faults.push(format!("no dead letter {letter}"));
        }
    }
    for count in items(&then["count"]) {
        let found = outcome.rows.iter().filter(|row| includes(row, &count["where"])).count();
        if Some(found as u64) != count["rows"].as_u64() {
            faults.push(format!("{found} rows of {count}"));
        }
    }
    for text in items(&then["absent"]).filter_map(Value::as_str) {
        if let Some(at) = outcome.public.find(text) {
            let near: String = outcome.public[..at].chars().rev().take(80).collect();
            let near: String = near.chars().rev().collect();
            faults.push(format!("{text:?} is public, after {near:?}"));
        }
    }
    for oddity in items(&then["oddities"]).filter_map(Value::as_str) {
        if outcome.metrics.sum("aftersend_gateway_event_oddities_total", Some(("oddity", oddity))) == 0 {
            faults.push(format!("the oddity {oddity} was not counted"));
        }
    }
    faults.extend(of_customers(&then, outcome));
    faults.extend(told_apart(&then["told_apart"], outcome));
    faults.extend(ending(&then["ends"], outcome));
    faults
}

fn of_customers(then: &Value, outcome: &Outcome) -> Vec<String> {
    let none = Value::Null;
    let mut faults = Vec::new();
    for (customer, traits) in members(&then["traits"]) {
        let found = outcome.traits.get(customer).unwrap_or(&none);
        if !includes(found, traits) {
            faults.push(format!("traits of {customer} are not {traits} but {found}"));
        }
    }
    for (customer, traits) in members(&then["never"]) {
        if outcome.traits.get(customer).is_some_and(|found| includes(found, traits)) {
            faults.push(format!("traits of {customer} are {traits}"));
        }
    }
    for customer in items(&then["no_traits"]).filter_map(Value::as_str) {
        if outcome.traits.contains_key(customer) {
            faults.push(format!("{customer} has traits"));
        }
    }
    for (customer, entries) in members(&then["entries"]) {
        let found = outcome.suppressions.get(customer).map_or(&none, |found| &found["entries"]);
        let active: Vec<&Value> = items(found).filter(|entry| entry["state"] == "active").collect();
        let expected: Vec<&Value> = items(entries).collect();
        let all = expected.iter().all(|entry| active.iter().any(|found| includes(found, entry)));
        if !all || active.len() != expected.len() {
            faults.push(format!("active entries of {customer} are not {entries} but {found}"));
        }
    }
    faults
}

/// Each of several events with one id has a row, or a dead letter that names it.
fn told_apart(expected: &Value, outcome: &Outcome) -> Option<String> {
    let customer = expected["customer_id"].as_str()?;
    let rows = outcome.rows.iter().filter(|row| row["customer_id"] == customer).count();
    let letters = outcome.dead_letters.iter().filter(|letter| letter["key"] == customer).count();
    let told = (rows + letters) as u64;
    (Some(told) != expected["of"].as_u64())
        .then(|| format!("{rows} rows and {letters} dead letters of {expected}"))
}

/// A long text is kept whole.
fn ending(expected: &Value, outcome: &Outcome) -> Option<String> {
    let end = expected["failure_message"].as_str()?;
    let row = outcome.rows.iter().find(|row| row["event_id"] == expected["event_id"]);
    let text = row.and_then(|row| row["failure_message"].as_str()).unwrap_or_default();
    let is_whole = text.ends_with(end) && Some(text.len() as u64) == expected["length"].as_u64();
    (!is_whole).then(|| format!("the failure message has {} bytes, expected {expected}", text.len()))
}

/// Whether `found` has all of `wanted`: of objects the members, of anything else the same.
fn includes(found: &Value, wanted: &Value) -> bool {
    match wanted {
        Value::Object(wanted) => wanted.iter().all(|(name, wanted)| includes(&found[name], wanted)),
        _ => found == wanted,
    }
}

fn nearest(outcome: &Outcome, wanted: &Value) -> String {
    let row = outcome
        .rows
        .iter()
        .find(|row| row["event_id"] == wanted["event_id"] && !wanted["event_id"].is_null());
    row.map_or_else(|| "none of this event".to_owned(), ToString::to_string)
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn members(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().into_iter().flatten()
}

/// `value` with `{email:…}`, `{phone:…}` and `{link:…}` replaced by their tokens.
fn resolved(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(with_tokens(text)),
        Value::Array(items) => items.iter().map(resolved).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), resolved(value))).collect()
        }
        _ => value.clone(),
    }
}

fn with_tokens(text: &str) -> String {
    let tokens = TokenKey::development();
    let mut text = text.to_owned();
    for (mark, kind) in [("{email:", Kind::Email), ("{phone:", Kind::Phone), ("{link:", Kind::Link)] {
        while let Some((before, rest)) = text.split_once(mark) {
            let (address, after) = rest.split_once('}').expect("a mark ends");
            text = format!("{before}{}{after}", tokens.token(kind, address));
        }
    }
    text
}
