//! The customers that a transaction touches. Each is read once and published once.

use bumpalo::Bump;
use hashbrown::HashMap;
use schemas::codec;
use schemas::record::Suppression;
use schemas::topic::Topic;

use super::{ApplyError, Output, output};
use crate::domain::customer::{Customer, Fact};
use crate::domain::decide::{suppression, traits};
use crate::domain::time::timer::TimerKind;
use crate::state::format;
use crate::state::overlay::Overlay;
use crate::state::store::PartitionStore;

/// The touched customers, in the order of their first event. Their texts live in the arena until the records
/// are applied.
pub(super) struct Customers<'a> {
    arena: &'a Bump,
    /// Where each customer stands in `touched`, by key.
    index: HashMap<&'a [u8], usize>,
    touched: Vec<TouchedCustomer<'a>>,
}

/// A customer before the transaction, and as the transaction has changed it so far.
pub(super) struct TouchedCustomer<'a> {
    pub(super) key: &'a [u8],
    pub(super) before: Customer<'a>,
    pub(super) now: Customer<'a>,
    as_of: i64,
    /// Kinds of the timers that the transaction took out of the index.
    pub(super) came_up: Vec<TimerKind>,
}

impl<'a> Customers<'a> {
    pub(super) fn new(arena: &'a Bump) -> Self {
        Self { arena, index: HashMap::new(), touched: Vec::new() }
    }

    /// Reads the customers of `keys` that are not touched yet from the disk.
    pub(super) fn fetch(
        &mut self,
        store: &PartitionStore,
        keys: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), ApplyError> {
        let first_new = self.touched.len();
        for key in keys {
            let Self { index, touched, .. } = self;
            index.entry(key).or_insert_with(|| {
                touched.push(TouchedCustomer::new(key));
                touched.len() - 1
            });
        }
        let Self { arena, index, touched } = self;
        let new: Vec<&'a [u8]> = touched[first_new..].iter().map(|customer| customer.key).collect();
        let mut unreadable = None;
        store.customers(new, |key, stored| {
            let Some(stored) = stored else { return };
            match (index.get(key), format::decode(arena.alloc_slice_copy(stored))) {
                (Some(at), Ok(customer)) => touched[*at].begin_with(customer),
                (_, Err(error)) => unreadable = Some(error),
                (None, Ok(_)) => {}
            }
        })?;
        unreadable.map_or(Ok(()), |error| Err(error.into()))
    }

    /// The customer of `key`, as the transaction has changed it so far.
    pub(super) fn get(&self, key: &[u8]) -> Customer<'a> {
        self.index.get(key).map(|at| self.touched[*at].now).unwrap_or_default()
    }

    /// The customer of `key` with `fact` taken in. Nothing is stored.
    pub(super) fn with(&self, key: &[u8], fact: &Fact<'_>) -> Customer<'a> {
        let mut customer = self.get(key);
        customer.learn(&self.in_arena(fact));
        customer
    }

    /// Sets the customer of `key` after an event; `clock_ms` is the partition's clock at that event.
    pub(super) fn set(&mut self, key: &[u8], customer: Customer<'a>, clock_ms: i64) {
        if let Some(at) = self.index.get(key) {
            self.touched[*at].now = customer;
            self.touched[*at].as_of = clock_ms;
        }
    }

    /// Notes that a timer of the customer of `key` has come up.
    pub(super) fn came_up(&mut self, key: &[u8], kind: TimerKind) {
        if let Some(at) = self.index.get(key) {
            self.touched[*at].came_up.push(kind);
        }
    }

    /// Publishes each customer once, as the transaction leaves them at `now_ms`. Returns how many timers
    /// fired.
    pub(super) fn publish(
        self,
        now_ms: i64,
        overlay: &mut Overlay,
        outputs: &mut Vec<Output>,
    ) -> Result<u64, ApplyError> {
        let mut fired = 0;
        for mut customer in self.touched {
            if customer.now == customer.before && customer.came_up.is_empty() {
                continue;
            }
            customer.publish(outputs)?;
            fired += customer.fire(now_ms, overlay, outputs);
            if customer.now != customer.before {
                overlay.put_customer(customer.key, &customer.now);
            }
        }
        Ok(fired)
    }

    fn in_arena(&self, fact: &Fact<'_>) -> Fact<'a> {
        let arena = self.arena;
        let copy = |text: &str| -> &'a str { arena.alloc_str(text) };
        Fact {
            channel: copy(fact.channel),
            metric: copy(fact.metric),
            at_ms: fact.at_ms,
            event_id: copy(fact.event_id),
            delivery_id: fact.delivery_id.map(copy),
            token: fact.token.map(copy),
            machine: fact.machine,
        }
    }
}

impl<'a> TouchedCustomer<'a> {
    /// A customer of whom nothing is known yet.
    fn new(key: &'a [u8]) -> Self {
        let nothing = Customer::default();
        Self { key, before: nothing, now: nothing, as_of: 0, came_up: Vec::new() }
    }

    /// Sets what the disk holds.
    fn begin_with(&mut self, stored: Customer<'a>) {
        self.before = stored;
        self.now = stored;
    }

    /// Writes the traits and suppressions that have changed.
    fn publish(&mut self, outputs: &mut Vec<Output>) -> Result<(), ApplyError> {
        let Self { key, before, now, as_of, .. } = self;
        let customer_id = String::from_utf8_lossy(key).into_owned();
        let mut new = traits::derive(&customer_id, now);
        let changed = traits::changed(&traits::derive("", before), &new);
        if !changed.is_empty() {
            now.revision += 1;
            new.revision = now.revision;
            new.as_of = *as_of;
            new.changed = changed;
            outputs.push(output(Topic::Trait, key, codec::encode(&new)?));
        }
        if let Some(entries) = suppression::changed(before, now) {
            // The record is on the topic again, so a tombstone that took an older one off no longer counts.
            now.tombstoned_ms = None;
            let suppression = Suppression { customer_id, as_of: *as_of, entries };
            outputs.push(output(Topic::Suppression, key, codec::encode(&suppression)?));
        }
        Ok(())
    }
}
