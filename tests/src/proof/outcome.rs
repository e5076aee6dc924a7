//! What lies on the outcome topics, read with `read_committed`, is what the oracle says.

use schemas::record::{CustomerTraits, MessageOutcome, Suppression};
use schemas::topic::Topic;

use super::{assert_none, differences, differences_each_once, history};
use crate::oracle::{Oracle, Row};
use crate::world::World;

/// Fails where an event is missing, there twice or another one, where a customer's final traits or suppressions are not the
/// oracle's, or where the way to them makes no sense.
///
/// # Panics
/// Where that is so, or Kafka fails.
pub fn assert_held(world: &World, oracle: &Oracle) {
    let outcomes = world.topic(Topic::Warehouse).decoded::<MessageOutcome>();
    let outcomes = outcomes.into_iter().map(|outcome| (outcome.event_id.clone(), row_of(outcome)));
    assert_none("warehouse topic", &differences_each_once(oracle.rows(), outcomes.collect()));

    let traits = world.topic(Topic::Trait).latest::<CustomerTraits>();
    let traits = traits.into_iter().map(|(key, traits)| (key, without_way(traits))).collect();
    assert_none("traits", &differences(&oracle.traits(), &traits));

    let suppressions = world.topic(Topic::Suppression).latest::<Suppression>();
    assert!(suppressions.iter().all(|(key, record)| *key == record.customer_id), "a record is its key's own");
    let suppressions = suppressions.into_iter().map(|(key, record)| (key, record.entries)).collect();
    assert_none("suppressions", &differences(&oracle.suppressions(), &suppressions));

    assert_none("history of the traits", &history::faults(&world.topic(Topic::Trait).decoded()));
}

/// Latest records, without what tells of the way to them.
fn without_way(traits: CustomerTraits) -> CustomerTraits {
    CustomerTraits { revision: 0, as_of: 0, changed: Vec::new(), ..traits }
}

fn row_of(outcome: MessageOutcome) -> Row {
    Row {
        customer_id: outcome.customer_id,
        channel: outcome.channel,
        metric: outcome.metric,
        occurred_at_ms: outcome.occurred_at,
        delivery_id: outcome.delivery_id,
    }
}
