//! Which records are in hand: the ledger, shared by the polling thread, its rebalance callbacks and the
//! delivery.

mod ledger;
pub(crate) mod position;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kafka::consumer::{Assignment, LogId, Revocation};
use kafka::{Incoming, NextOffset};

pub use ledger::{Declined, Ledger, Partition, Ticket};
pub use position::{Gap, GapKind, OnGap, StoredPosition};

/// Takes records in hand, and remembers which partitions are assigned, awaited or stopped.
///
/// Every method holds its lock for its own few steps only: a rebalance callback runs inside a poll of the
/// thread that calls the others.
#[derive(Debug, Default)]
pub struct Intake {
    state: Mutex<IntakeState>,
}

#[derive(Debug, Default)]
struct IntakeState {
    ledger: Ledger,
    /// Assigned partitions whose start is not known yet, with the number of their assignment.
    awaited: BTreeMap<Partition, u64>,
    /// Of these, the partitions whose position can't be right, and why.
    refused: BTreeMap<Partition, String>,
    /// The logs of started partitions.
    logs: BTreeMap<Partition, LogId>,
    assignments: u64,
    /// Partitions stopped at a record of an unknown schema, with the schema's fingerprint.
    stopped: BTreeMap<Partition, u64>,
}

/// An assigned partition that waits for its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Awaited {
    pub(crate) partition: Partition,
    assignment: u64,
}

/// A partition stopped at a record of an unknown schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The partition.
    pub partition: Partition,
    /// The schema's fingerprint.
    pub fingerprint: u64,
}

impl Intake {
    /// Whether the record is still this member's to deliver: its partition has not gone since the record was
    /// taken in hand.
    #[must_use]
    pub fn holds(&self, ticket: &Ticket) -> bool {
        self.state().ledger.holds(ticket)
    }

    /// The partitions that are stopped at a record of an unknown schema, in order.
    #[must_use]
    pub fn stopped(&self) -> Vec<Stopped> {
        let state = self.state();
        let stopped = |(partition, fingerprint): (&Partition, &u64)| Stopped {
            partition: partition.clone(),
            fingerprint: *fingerprint,
        };
        state.stopped.iter().map(stopped).collect()
    }

    /// Takes a record in hand.
    pub(crate) fn begin(&self, record: &Incoming) -> Result<Ticket, Declined> {
        self.state().ledger.begin(&(record.topic.clone(), record.partition), record.offset)
    }

    /// Takes no more of the record's partition until it is assigned again. Nothing happens where it has gone
    /// since.
    pub(crate) fn stop(&self, ticket: &Ticket, fingerprint: u64) {
        let mut state = self.state();
        if state.ledger.holds(ticket) {
            state.ledger.stop(ticket.partition());
            state.stopped.insert(ticket.partition().clone(), fingerprint);
        }
    }

    /// The record is done.
    pub(crate) fn complete(&self, ticket: &Ticket) {
        self.state().ledger.complete(ticket);
    }

    /// The partitions whose records are read, in order: those that wait for their start are left out.
    pub(crate) fn owned(&self) -> Vec<Partition> {
        self.state().ledger.assigned()
    }

    /// The session in the group has ended, and with it every assignment.
    pub(crate) fn forget_all(&self) {
        let mut state = self.state();
        // The number of assignments stays, so that an answer for an earlier one is never taken for a later
        // one's.
        let assignments = state.assignments;
        // The ledger keeps its number of epochs for the same reason.
        for partition in state.ledger.assigned() {
            state.ledger.revoke(&partition);
        }
        let ledger = std::mem::take(&mut state.ledger);
        *state = IntakeState { ledger, assignments, ..IntakeState::default() };
    }

    /// Where committed offsets may move to.
    pub(crate) fn committable(&self) -> Vec<(Arc<str>, i32, NextOffset)> {
        self.state().ledger.committable()
    }

    /// These offsets were committed.
    pub(crate) fn committed(&self, offsets: &[(Arc<str>, i32, NextOffset)]) {
        self.state().ledger.committed(offsets);
    }

    /// The partitions that wait for their start, in order.
    pub(crate) fn awaited(&self) -> Vec<Awaited> {
        let state = self.state();
        let awaited = |(partition, assignment): (&Partition, &u64)| Awaited {
            partition: partition.clone(),
            assignment: *assignment,
        };
        state.awaited.iter().map(awaited).collect()
    }

    /// Whether the partition still waits, in the same assignment. After another one the position may be
    /// another owner's.
    pub(crate) fn awaits(&self, awaited: &Awaited) -> bool {
        self.state().awaited.get(&awaited.partition) == Some(&awaited.assignment)
    }

    /// The partition starts in `log`: its records may be taken in hand from here on.
    pub(crate) fn started(&self, partition: &Partition, log: LogId) {
        let mut state = self.state();
        state.awaited.remove(partition);
        state.refused.remove(partition);
        state.logs.insert(partition.clone(), log);
        state.ledger.assign(partition.clone());
    }

    /// The partition is not started, because its position can't be right. Nothing happens where it is no
    /// longer awaited.
    pub(crate) fn refuse(&self, awaited: &Awaited, cause: String) {
        let mut state = self.state();
        if state.awaited.get(&awaited.partition) == Some(&awaited.assignment) {
            state.refused.insert(awaited.partition.clone(), cause);
        }
    }

    /// Why partitions are not started whose position can't be right, in their order.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        self.state().refused.values().cloned().collect()
    }

    /// The log that the partition was started in. Unknown where it isn't started.
    pub(crate) fn log(&self, partition: &Partition) -> LogId {
        self.state().logs.get(partition).cloned().unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, IntakeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Assignment for Intake {
    fn assigned(&self, partitions: &[(String, i32)]) -> Vec<Option<NextOffset>> {
        let mut state = self.state();
        for (topic, number) in partitions {
            let partition: Partition = (Arc::from(topic.as_str()), *number);
            state.forget(&partition);
            state.assignments += 1;
            let assignment = state.assignments;
            state.awaited.insert(partition, assignment);
        }
        vec![None; partitions.len()]
    }

    fn starts_later(&self) -> bool {
        true
    }

    /// What is being delivered is left to its end, uncommitted. The next owner reads the records again, so a
    /// target must bear a repetition.
    fn revoked(&self, partitions: &[(String, i32)], _how: Revocation) {
        let mut state = self.state();
        for (topic, number) in partitions {
            state.forget(&(Arc::from(topic.as_str()), *number));
        }
    }
}

impl IntakeState {
    fn forget(&mut self, partition: &Partition) {
        self.ledger.revoke(partition);
        self.awaited.remove(partition);
        self.refused.remove(partition);
        self.logs.remove(partition);
        self.stopped.remove(partition);
    }
}

#[cfg(test)]
mod tests {
    use kafka::RecordOffset;

    use super::*;

    fn partition(number: i32) -> (String, i32) {
        ("outcomes.warehouse.v1".to_owned(), number)
    }

    fn record(partition: i32, offset: i64) -> Incoming {
        Incoming {
            topic: "outcomes.warehouse.v1".into(),
            partition,
            offset: RecordOffset(offset),
            timestamp_ms: 0,
            key: None,
            value: None,
            headers: Vec::new(),
        }
    }

    /// Assigns the partitions, and starts them.
    fn start(intake: &Intake, partitions: &[(String, i32)]) {
        intake.assigned(partitions);
        for awaited in intake.awaited() {
            intake.started(&awaited.partition, LogId::default());
        }
    }

    #[test]
    fn nothing_is_taken_in_hand_before_the_target_has_told_the_start() {
        let intake = Intake::default();
        intake.assigned(&[partition(0)]);
        assert_eq!(intake.begin(&record(0, 7)), Err(Declined::NotAssigned));
        let awaited = intake.awaited();
        assert!(intake.awaits(&awaited[0]));
        intake.started(&awaited[0].partition, LogId::default());
        assert!(intake.begin(&record(0, 7)).is_ok() && intake.awaited().is_empty());
    }

    /// Between the two assignments another owner may have moved the target's position.
    #[test]
    fn a_position_asked_for_an_earlier_assignment_is_not_used() {
        let intake = Intake::default();
        intake.assigned(&[partition(0)]);
        let earlier = intake.awaited();
        intake.revoked(&[partition(0)], Revocation::Revoked);
        assert!(!intake.awaits(&earlier[0]));
        intake.assigned(&[partition(0)]);
        assert!(!intake.awaits(&earlier[0]) && intake.awaits(&intake.awaited()[0]));
    }

    #[test]
    fn a_stopped_partition_is_tried_again_after_it_went_and_came() {
        let intake = Intake::default();
        start(&intake, &[partition(0), partition(1)]);
        for number in [0, 1] {
            let ticket = intake.begin(&record(number, 7)).expect("assigned");
            intake.stop(&ticket, 0xab);
        }
        intake.revoked(&[partition(0)], Revocation::Revoked);
        let stopped: Vec<i32> = intake.stopped().into_iter().map(|stopped| stopped.partition.1).collect();
        assert_eq!(stopped, [1]);
        assert_eq!(intake.begin(&record(1, 8)), Err(Declined::Stopped));
        start(&intake, &[partition(1)]);
        assert!(intake.stopped().is_empty() && intake.begin(&record(1, 8)).is_ok());
    }

    /// What is found out about a record of an ended assignment says nothing of the next one.
    #[test]
    fn a_record_of_an_ended_assignment_stops_nothing() {
        let intake = Intake::default();
        start(&intake, &[partition(0)]);
        let ticket = intake.begin(&record(0, 7)).expect("assigned");
        start(&intake, &[partition(0)]);
        intake.stop(&ticket, 0xab);
        assert!(!intake.holds(&ticket) && intake.stopped().is_empty());
    }
}
