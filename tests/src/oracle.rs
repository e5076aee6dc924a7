//! The expected result of a set of events, computed independently.
//!
//! One thread and no state: each answer is computed from the list of a customer's events, as
//! docs/policies.md and the processor's README define it. Nothing here comes from the processor, the gateway
//! or the webhook crate, nor from the schemas' keys, ids and tokens. The oracle knows only what the simulated
//! vendor sends, and refuses everything else.

mod customer;
mod event;
mod person;
mod profile;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemas::record::{CustomerTraits, SuppressionEntry};
use serde_json::Value;

use event::Event;

/// The part of a warehouse row that is derived, not copied.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    /// The customer key.
    pub customer_id: String,
    /// The channel.
    pub channel: String,
    /// The metric.
    pub metric: String,
    /// When it happened, Unix milliseconds.
    pub occurred_at_ms: i64,
    /// The delivery.
    pub delivery_id: Option<String>,
}

/// The expected result.
#[derive(Debug)]
pub struct Oracle {
    rows: BTreeMap<String, Row>,
    customers: BTreeMap<String, Vec<Event>>,
}

impl Oracle {
    /// Takes the bodies of distinct events, in any order.
    ///
    /// # Panics
    /// If the simulated vendor would not send an event, or an event is given twice.
    #[must_use]
    pub fn of<'a>(bodies: impl IntoIterator<Item = &'a [u8]>) -> Oracle {
        let mut oracle = Oracle { rows: BTreeMap::new(), customers: BTreeMap::new() };
        for event in bodies.into_iter().map(Event::read) {
            let second = oracle.rows.insert(event.outcome_id.clone(), event.row());
            assert!(second.is_none(), "the oracle is given distinct events");
            if event.customer.is_person {
                oracle.customers.entry(event.customer.key.clone()).or_default().push(event);
            }
        }
        oracle
    }

    /// One row per event, by its outcome id.
    #[must_use]
    pub fn rows(&self) -> &BTreeMap<String, Row> {
        &self.rows
    }

    /// The final traits of each customer who has any, by key. Revision, `as_of` and `changed` have their
    /// defaults, because they depend on the order of arrival.
    #[must_use]
    pub fn traits(&self) -> BTreeMap<String, CustomerTraits> {
        let all = self.customers.iter().map(|(key, events)| (key.clone(), customer::traits(key, events)));
        all.filter(|(key, traits)| {
            *traits != CustomerTraits { customer_id: key.clone(), ..CustomerTraits::default() }
        })
        .collect()
    }

    /// The final suppression entries of each customer who has any, by key.
    #[must_use]
    pub fn suppressions(&self) -> BTreeMap<String, Vec<SuppressionEntry>> {
        let all = self.customers.iter().map(|(key, events)| (key.clone(), customer::entries(events)));
        all.filter(|(_, entries)| !entries.is_empty()).collect()
    }

    /// When the suppressions of a customer without an active one leave the topic, by key, Unix milliseconds:
    /// 30 days after the last one was lifted.
    #[must_use]
    pub fn tombstones(&self) -> BTreeMap<String, i64> {
        let due = |entries: &[SuppressionEntry]| {
            let lifted: Option<Vec<i64>> = entries.iter().map(|entry| entry.until).collect();
            lifted.and_then(|lifted| lifted.into_iter().max()).map(|last| last + 30 * 24 * 3_600_000)
        };
        self.suppressions().into_iter().filter_map(|(key, entries)| Some((key, due(&entries)?))).collect()
    }

    /// The attributes that each customer's profile at Customer.io must have in the end, by key. A customer
    /// who is not listed has none.
    #[must_use]
    pub fn profiles(&self) -> BTreeMap<String, BTreeMap<String, Value>> {
        let (traits, suppressions) = (self.traits(), self.suppressions());
        let keys = traits.keys().chain(suppressions.keys());
        keys.map(|key| (key.clone(), profile::attributes(traits.get(key), suppressions.get(key)))).collect()
    }
}

pub use profile::key_of as profile_key;
