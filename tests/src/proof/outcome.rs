//! The committed records of the outcome topics are what the oracle says.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use schemas::record::{CustomerTraits, MessageOutcome, Suppression};
use schemas::topic::Topic;

use super::{assert_none, differences, differences_each_once, history};
use crate::deployment::Deployment;
use crate::oracle::{Oracle, Row};
use crate::wait::await_that;

/// Fails if an event is missing, stored twice or different, if a customer's final traits or suppressions are
/// not the oracle's, or if the history of the traits has a gap.
///
/// # Panics
/// If that is so, or Kafka fails.
pub fn assert_held(deployment: &Deployment, oracle: &Oracle) {
    let outcomes = deployment.topic(Topic::Warehouse).decoded::<MessageOutcome<'static>>();
    let outcomes = outcomes.into_iter().map(|outcome| (outcome.outcome_id.to_string(), row_of(outcome)));
    assert_none("warehouse topic", &differences_each_once(oracle.rows(), outcomes.collect()));

    let traits = deployment.topic(Topic::Trait).latest::<CustomerTraits>();
    let traits = traits.into_iter().filter_map(|(key, traits)| Some((key, without_way(traits?)))).collect();
    assert_none("traits", &differences(&oracle.traits(), &traits));

    await_that("what is due to leave the suppression topic", || overdue(deployment, oracle).is_empty());
    let mut published = BTreeMap::new();
    for (key, record) in deployment.topic(Topic::Suppression).latest::<Suppression>() {
        let Some(record) = record else { continue };
        assert_eq!(key, record.customer_id, "a record is its key's own");
        published.insert(key, record.entries);
    }
    let (mut expected, now_ms) = (oracle.suppressions(), now_ms());
    let tombstones = oracle.tombstones();
    expected.retain(|key, _| tombstones.get(key).is_none_or(|due_ms| *due_ms > now_ms));
    assert_none("suppressions", &differences(&expected, &published));

    assert_none("history of the traits", &history::faults(&deployment.topic(Topic::Trait).decoded()));
}

/// Customers whose suppressions should have left the topic, and haven't.
fn overdue(deployment: &Deployment, oracle: &Oracle) -> Vec<String> {
    let (published, now_ms) = (deployment.topic(Topic::Suppression).latest::<Suppression>(), now_ms());
    let due = oracle.tombstones().into_iter().filter(|(_, due_ms)| *due_ms <= now_ms);
    due.map(|(key, _)| key).filter(|key| published.get(key).is_some_and(Option::is_some)).collect()
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).expect("milliseconds fit")
}

/// Latest records, without what tells of the way to them.
fn without_way(traits: CustomerTraits) -> CustomerTraits {
    CustomerTraits { revision: 0, as_of: 0, changed: Vec::new(), ..traits }
}

fn row_of(outcome: MessageOutcome<'_>) -> Row {
    Row {
        customer_id: outcome.customer_id.into_owned(),
        channel: outcome.channel.into_owned(),
        metric: outcome.metric.into_owned(),
        occurred_at_ms: outcome.occurred_at,
        delivery_id: outcome.delivery_id.map(Cow::into_owned),
    }
}
