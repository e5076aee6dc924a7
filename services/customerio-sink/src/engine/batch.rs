//! The records in hand, and what becomes of each.

use std::collections::BTreeMap;

use delivery::Ticket;
use delivery::ledger::{Declined, Partition};
use kafka::Incoming;

use crate::desk::Desk;
use crate::plan::{Operation, Planned};
use crate::reading::{self, Reading, Subject};
use crate::shipment::Verdict;
use crate::summary::Fate;

/// Why a record becomes a dead letter.
#[derive(Debug, Clone)]
pub(crate) struct Grief {
    pub(crate) reason: &'static str,
    pub(crate) detail: String,
}

/// Records of one poll. What isn't settled otherwise is put back.
pub(crate) struct Batch {
    items: Vec<Item>,
    declined: Vec<Fate>,
    writes: Vec<Planned>,
    halts: BTreeMap<Partition, u64>,
}

struct Item {
    record: Incoming,
    ticket: Ticket,
    state: State,
}

enum State {
    Grieved(Grief),
    Ended(Fate),
}

impl Batch {
    /// Takes `records` in hand and reads each as its topic's subject.
    pub(crate) fn open(
        records: Vec<Incoming>,
        subjects: &[(&str, Subject)],
        desk: &Desk,
        now_ms: i64,
    ) -> Self {
        let mut batch = Self {
            items: Vec::with_capacity(records.len()),
            declined: Vec::new(),
            writes: Vec::new(),
            halts: BTreeMap::new(),
        };
        for record in records {
            let subject =
                subjects.iter().find(|(topic, _)| *topic == &*record.topic).map(|(_, subject)| *subject);
            match (desk.begin(&record), subject) {
                (Ok(ticket), Some(subject)) => batch.add(record, ticket, subject, desk, now_ms),
                (Err(Declined::Stopped), _) => batch.declined.push(Fate::Halted),
                (Err(Declined::NotAssigned | Declined::Repeated), _) | (_, None) => {
                    batch.declined.push(Fate::PutBack);
                }
            }
        }
        batch
    }

    fn add(&mut self, record: Incoming, ticket: Ticket, subject: Subject, desk: &Desk, now_ms: i64) {
        let state = match reading::read(&record, subject, now_ms) {
            Reading::Write(write) => {
                self.writes.push(Planned { record: self.items.len(), write });
                State::Ended(Fate::PutBack)
            }
            Reading::Malformed { reason, detail } => State::Grieved(Grief { reason, detail }),
            Reading::Skipped(kind) => State::Ended(Fate::Skipped(kind)),
            Reading::Tombstone => State::Ended(Fate::Tombstone),
            Reading::Unchanged => State::Ended(Fate::Unchanged),
            Reading::UnknownSchema(fingerprint) => {
                desk.stop(ticket.partition());
                self.halts.insert(ticket.partition().clone(), fingerprint);
                State::Ended(Fate::Halted)
            }
        };
        self.items.push(Item { record, ticket, state });
    }

    /// The writes that the records ask for, to be planned; each record is put back unless its operation ends otherwise.
    pub(crate) fn take_writes(&mut self) -> Vec<Planned> {
        std::mem::take(&mut self.writes)
    }

    /// Partitions that a record of a newer version stopped, with its schema's fingerprint.
    pub(crate) fn halts(&self) -> impl Iterator<Item = (Partition, u64)> {
        self.halts.iter().map(|(partition, fingerprint)| (partition.clone(), *fingerprint))
    }

    pub(crate) fn ticket(&self, record: usize) -> &Ticket {
        &self.items[record].ticket
    }

    /// Writes down how operations ended.
    pub(crate) fn settle(&mut self, ended: Vec<(Operation, Verdict)>) {
        for (operation, verdict) in ended {
            match verdict {
                Verdict::Delivered => self.end(&operation.records, &Fate::Delivered),
                Verdict::PutBack => self.end(&operation.records, &Fate::PutBack),
                Verdict::Refused { reason, detail } => {
                    self.grieve(&operation.records, &Grief { reason, detail });
                }
            }
        }
    }

    /// These records can't be delivered.
    pub(crate) fn grieve(&mut self, records: &[usize], grief: &Grief) {
        for record in records {
            self.items[*record].state = State::Grieved(grief.clone());
        }
    }

    /// The records that wait for their dead letters.
    pub(crate) fn grieved(&self) -> Vec<usize> {
        let waits = |index: &usize| matches!(self.items[*index].state, State::Grieved(_));
        (0..self.items.len()).filter(waits).collect()
    }

    /// A record that waits for its dead letter, and why.
    pub(crate) fn grief(&self, record: usize) -> Option<(&Incoming, &Grief)> {
        match &self.items[record] {
            Item { record, state: State::Grieved(grief), .. } => Some((record, grief)),
            Item { .. } => None,
        }
    }

    /// Its dead letter is acknowledged.
    pub(crate) fn buried(&mut self, record: usize) {
        self.items[record].state = State::Ended(Fate::DeadLettered);
    }

    /// Completes what is done; S3 holds the offsets of the rest.
    pub(crate) fn close(&self, desk: &Desk) {
        self.items.iter().filter(|item| item.fate().is_done()).for_each(|item| desk.complete(&item.ticket));
    }

    /// How each record ended: one fate per record that was polled (E1).
    pub(crate) fn fates(&self) -> impl Iterator<Item = &Fate> {
        self.items.iter().map(Item::fate).chain(&self.declined)
    }

    fn end(&mut self, records: &[usize], fate: &Fate) {
        for record in records {
            self.items[*record].state = State::Ended(fate.clone());
        }
    }
}

impl Item {
    /// Grief that found no grave is put back.
    fn fate(&self) -> &Fate {
        match &self.state {
            State::Ended(fate) => fate,
            State::Grieved(_) => &Fate::PutBack,
        }
    }
}
