//! Which requests a batch of writes becomes, and in which order. Pure.
//!
//! A customer's next write must leave only after the previous one is acknowledged (S2). So the writes of a
//! customer about one subject become one operation, in which later attributes replace earlier ones. The
//! operations of a customer are spread over *waves*, one operation each. All requests of a wave may be in
//! flight at once. The next wave waits for all of them.

use std::collections::HashMap;

use customerio::operation::ENVELOPE_BYTES;
use customerio::{Encoded, Identify, limit};

use crate::reading::{Subject, Write};

/// Bounds of one request (E3).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) operations_max: usize,
    pub(crate) bytes_max: usize,
}

/// Below the vendor's limit by more than any envelope.
pub(crate) const REQUEST_BYTES_MAX: usize = 450_000;
const _: () = assert!(REQUEST_BYTES_MAX + ENVELOPE_BYTES < limit::BATCH_BYTES);
const _: () = assert!(limit::ITEM_BYTES_MAX < REQUEST_BYTES_MAX);

/// A write and the place of its record in the batch.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) record: usize,
    pub(crate) write: Write,
}

/// One operation of a request.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) encoded: Encoded,
    /// The places of its records, ascending. All are of one customer and one topic, and so of one partition.
    pub(crate) records: Vec<usize>,
}

/// Operations of different customers.
pub(crate) type Request = Vec<Operation>;
/// Requests that may be in flight together.
pub(crate) type Wave = Vec<Request>;

/// What to send, and the records that break a limit.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) waves: Vec<Wave>,
    pub(crate) refused: Vec<(Vec<usize>, limit::Breach)>,
}

/// Plans a batch. `writes` are in the order in which their records were read. For a customer and a subject
/// that is the order of `as_of`.
pub(crate) fn plan(writes: Vec<Planned>, bounds: &Bounds) -> Plan {
    let mut plan = Plan::default();
    let mut waves: [Vec<Operation>; 2] = Default::default();
    for lane in lanes(writes) {
        for (wave, merged) in lane.into_ordered().enumerate() {
            match merged.identify.encode() {
                Ok(encoded) => waves[wave].push(Operation { encoded, records: merged.records }),
                Err(breach) => plan.refused.push((merged.records, breach)),
            }
        }
    }
    plan.waves = waves.into_iter().filter(|wave| !wave.is_empty()).map(|wave| pack(wave, bounds)).collect();
    plan
}

/// What one customer's profile is to be told.
#[derive(Default)]
struct Lane {
    suppression: Option<Merged>,
    traits: Option<Merged>,
}

struct Merged {
    identify: Identify,
    records: Vec<usize>,
}

impl Lane {
    fn add(&mut self, Planned { record, write }: Planned) {
        let slot = match write.subject {
            Subject::Suppression => &mut self.suppression,
            Subject::Traits => &mut self.traits,
        };
        match slot {
            None => *slot = Some(Merged { identify: write.identify, records: vec![record] }),
            Some(merged) => merged.add(record, write.identify),
        }
    }

    /// The suppression goes first, because it stops messages.
    fn into_ordered(self) -> impl Iterator<Item = Merged> {
        self.suppression.into_iter().chain(self.traits)
    }
}

impl Merged {
    /// Stamping an earlier attribute with the later time is right: the later record says that it is
    /// unchanged.
    fn add(&mut self, record: usize, later: Identify) {
        self.records.push(record);
        self.identify.timestamp_s = self.identify.timestamp_s.max(later.timestamp_s);
        self.identify.attributes.extend(later.attributes);
    }
}

/// One lane per customer, in the order of their first writes.
fn lanes(writes: Vec<Planned>) -> Vec<Lane> {
    let mut places = HashMap::with_capacity(writes.len());
    let mut lanes: Vec<Lane> = Vec::with_capacity(writes.len());
    for planned in writes {
        let customer = planned.write.identify.identifiers.clone();
        let place = *places.entry(customer).or_insert(lanes.len());
        if place == lanes.len() {
            lanes.push(Lane::default());
        }
        lanes[place].add(planned);
    }
    lanes
}

fn pack(operations: Vec<Operation>, bounds: &Bounds) -> Wave {
    let mut wave: Wave = Vec::new();
    let mut bytes = 0;
    for operation in operations {
        let more = operation.encoded.batched_bytes();
        match wave.last_mut() {
            Some(request) if request.len() < bounds.operations_max && bytes + more <= bounds.bytes_max => {
                bytes += more;
                request.push(operation);
            }
            _ => {
                bytes = more;
                wave.push(vec![operation]);
            }
        }
    }
    wave
}

#[cfg(test)]
mod tests;
