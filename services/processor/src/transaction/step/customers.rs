//! The customers whom a step meets: each read once, published once.

use bumpalo::Bump;
use hashbrown::HashMap;
use schemas::codec;
use schemas::record::Suppression;
use schemas::topic::Topic;

use super::{Output, StepError, output};
use crate::domain::customer::{Customer, Fact};
use crate::domain::timer::Kind;
use crate::domain::{suppression, traits};
use crate::state::overlay::Overlay;
use crate::state::store::PartitionStore;
use crate::state::value;

/// The customers met, in the order of their first event. Their texts lie in the arena until the step is done.
pub(super) struct Customers<'a> {
    arena: &'a Bump,
    places: HashMap<&'a [u8], usize>,
    met: Vec<Met<'a>>,
}

/// A customer, before the step and as far as it has come.
pub(super) struct Met<'a> {
    pub(super) key: &'a [u8],
    pub(super) before: Customer<'a>,
    pub(super) now: Customer<'a>,
    as_of: i64,
    /// Kinds of the timers that the step took out of the index.
    pub(super) came_up: Vec<Kind>,
}

impl<'a> Customers<'a> {
    pub(super) fn new(arena: &'a Bump) -> Self {
        Self { arena, places: HashMap::new(), met: Vec::new() }
    }

    /// Reads those among `keys` who are not met yet.
    pub(super) fn fetch(
        &mut self,
        store: &PartitionStore,
        keys: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), StepError> {
        let first = self.met.len();
        for key in keys {
            let Self { places, met, .. } = self;
            places.entry(key).or_insert_with(|| {
                let (before, now, as_of, came_up) = Default::default();
                met.push(Met { key, before, now, as_of, came_up });
                met.len() - 1
            });
        }
        let Self { arena, places, met } = self;
        let new: Vec<&'a [u8]> = met[first..].iter().map(|met| met.key).collect();
        let mut unreadable = None;
        store.customers(new, |key, stored| {
            let Some(stored) = stored else { return };
            match (places.get(key), value::decode(arena.alloc_slice_copy(stored))) {
                (Some(place), Ok(customer)) => (met[*place].before, met[*place].now) = (customer, customer),
                (_, Err(error)) => unreadable = Some(error),
                (None, Ok(_)) => {}
            }
        })?;
        unreadable.map_or(Ok(()), |error| Err(error.into()))
    }

    /// The customer of `key`, as far as the step has come.
    pub(super) fn get(&self, key: &[u8]) -> Customer<'a> {
        self.places.get(key).map(|place| self.met[*place].now).unwrap_or_default()
    }

    /// The customer of `key` with `fact` taken in.
    pub(super) fn with(&self, key: &[u8], fact: &Fact<'_>) -> Customer<'a> {
        let mut customer = self.get(key);
        customer.learn(&self.kept(fact));
        customer
    }

    /// Sets the customer of `key`, as an event at `clock_ms` of the partition left them.
    pub(super) fn set(&mut self, key: &[u8], customer: Customer<'a>, clock_ms: i64) {
        if let Some(place) = self.places.get(key) {
            (self.met[*place].now, self.met[*place].as_of) = (customer, clock_ms);
        }
    }

    /// Notes that a timer of the customer of `key` has come up.
    pub(super) fn came_up(&mut self, key: &[u8], kind: Kind) {
        if let Some(place) = self.places.get(key) {
            self.met[*place].came_up.push(kind);
        }
    }

    /// Publishes each customer once, as the transaction leaves them at `now_ms`; answers how many timers fired.
    pub(super) fn publish(
        self,
        now_ms: i64,
        overlay: &mut Overlay,
        outputs: &mut Vec<Output>,
    ) -> Result<u64, StepError> {
        let mut fired = 0;
        for mut met in self.met {
            if met.now == met.before && met.came_up.is_empty() {
                continue;
            }
            met.tell(outputs)?;
            fired += met.fire(now_ms, overlay, outputs);
            if met.now != met.before {
                overlay.put_customer(met.key, &met.now);
            }
        }
        Ok(fired)
    }

    fn kept(&self, fact: &Fact<'_>) -> Fact<'a> {
        let arena = self.arena;
        let keep = |text: &str| -> &'a str { arena.alloc_str(text) };
        Fact {
            channel: keep(fact.channel),
            metric: keep(fact.metric),
            at_ms: fact.at_ms,
            event_id: keep(fact.event_id),
            delivery_id: fact.delivery_id.map(keep),
            token: fact.token.map(keep),
            machine: fact.machine,
        }
    }
}

impl Met<'_> {
    /// Writes what has changed for others.
    fn tell(&mut self, outputs: &mut Vec<Output>) -> Result<(), StepError> {
        let Self { key, before, now, as_of, .. } = self;
        let customer_id = String::from_utf8_lossy(key).into_owned();
        let mut new = traits::of(&customer_id, now);
        let changed = traits::changed(&traits::of("", before), &new);
        if !changed.is_empty() {
            now.revision += 1;
            (new.revision, new.as_of, new.changed) = (now.revision, *as_of, changed);
            outputs.push(output(Topic::Trait, key, codec::encode(&new)?));
        }
        if let Some(entries) = suppression::changed(before, now) {
            // They are on the topic again, whatever has been taken off it.
            now.tombstoned_ms = None;
            let suppression = Suppression { customer_id, as_of: *as_of, entries };
            outputs.push(output(Topic::Suppression, key, codec::encode(&suppression)?));
        }
        Ok(())
    }
}
