//! E1: what went in equals what came out, counted in different places.

use std::collections::BTreeSet;

use kafka::Incoming;
use schemas::record::RawRecord;

use crate::broker::topic;
use crate::process::exposition::Exposition;

/// The numbers of one run, each counted independently of the others.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Balance {
    /// Distinct outcomes that the vendor has, all of them accepted in the end.
    pub sent: u64,
    /// Requests that the gateway received.
    pub received: u64,
    /// Requests that it answered 200.
    pub accepted: u64,
    /// Requests that it refused.
    pub refused: u64,
    /// Events of accepted requests that it says are in raw.
    pub accepted_to_raw: u64,
    /// Records in raw.
    pub raw: u64,
    /// Records that took effect.
    pub unique: u64,
    /// Records that had taken effect before.
    pub duplicate: u64,
    /// Records that the processor dead-lettered.
    pub dead_lettered: u64,
    /// Rows in the warehouse.
    pub stored: u64,
    /// Outcomes that the warehouse had already.
    pub conflicts: u64,
}

impl Balance {
    /// The gateway's numbers, from its own metrics.
    #[must_use]
    pub fn with_gateway(self, metrics: &Exposition) -> Balance {
        Balance {
            received: metrics.sum("aftersend_gateway_requests_received_total", None),
            accepted: metrics.sum("aftersend_gateway_requests_accepted_total", None),
            refused: metrics.sum("aftersend_gateway_requests_refused_total", None),
            accepted_to_raw: metrics.sum("aftersend_gateway_events_total", Some(("outcome", "raw"))),
            ..self
        }
    }

    /// The processor's numbers, from its own metrics. A killed processor's metrics are lost.
    #[must_use]
    pub fn with_processor(self, metrics: &Exposition) -> Balance {
        let records = |outcome| metrics.sum("aftersend_processor_records_total", Some(("outcome", outcome)));
        Balance {
            unique: records("unique"),
            duplicate: records("duplicate"),
            dead_lettered: records("dead_lettered"),
            ..self
        }
    }

    /// The processor's numbers, from its topics. They survive a kill.
    ///
    /// # Panics
    /// If a raw record does not decode.
    #[must_use]
    pub fn with_topics(self, raw: &[Incoming], warehouse: &[Incoming], dead_letters: &[Incoming]) -> Balance {
        let identity = |record: &Incoming| (record.key.clone(), topic::decoded::<RawRecord>(record).id);
        let distinct: BTreeSet<_> = raw.iter().map(identity).collect();
        Balance {
            raw: raw.len() as u64,
            unique: warehouse.len() as u64,
            duplicate: (raw.len() - distinct.len()) as u64,
            dead_lettered: dead_letters.len() as u64,
            ..self
        }
    }

    /// Each equation that doesn't hold, with its numbers.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let processed = self.unique + self.duplicate + self.dead_lettered;
        let equations = [
            (self.received == self.accepted + self.refused, "requests received = accepted + refused"),
            (self.accepted_to_raw <= self.raw, "accepted to raw <= records in raw"),
            (self.raw == processed, "records in raw = unique + duplicate + dead-lettered"),
            (self.sent == self.unique, "sent = unique"),
            (self.unique == self.stored, "unique = stored"),
            (self.conflicts == 0, "no conflicts"),
        ];
        let broken = equations.into_iter().filter(|(holds, _)| !holds);
        broken.map(|(_, equation)| format!("{equation} doesn't hold: {self:?}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Balance {
        Balance {
            sent: 100,
            received: 125,
            accepted: 120,
            refused: 5,
            accepted_to_raw: 120,
            raw: 121,
            unique: 100,
            duplicate: 21,
            dead_lettered: 0,
            stored: 100,
            conflicts: 0,
        }
    }

    /// E1: a loss planted at any place, or an event too many, trips it.
    #[test]
    fn a_planted_loss_trips_the_balance() {
        assert_eq!(sound().faults(), Vec::<String>::new());
        let planted = [
            Balance { accepted: 119, ..sound() },
            Balance { raw: 119, duplicate: 19, ..sound() },
            Balance { raw: 120, ..sound() },
            Balance { duplicate: 20, ..sound() },
            Balance { unique: 99, duplicate: 22, stored: 99, ..sound() },
            Balance { unique: 99, dead_lettered: 1, stored: 99, ..sound() },
            Balance { stored: 99, ..sound() },
            Balance { stored: 101, ..sound() },
            Balance { conflicts: 1, ..sound() },
        ];
        for balance in planted {
            assert!(!balance.faults().is_empty(), "{balance:?}");
        }
    }
}
