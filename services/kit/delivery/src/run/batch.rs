//! The records of one poll, and what becomes of each.

use std::collections::BTreeMap;

use kafka::{Incoming, NextOffset};

use crate::intake::{Declined, Intake, Partition, StoredPosition, Ticket};
use crate::outcome::Outcome;
use crate::sink::{Ended, Ending, Pending, Reading, Rejection, Work};

/// Records of one poll. What doesn't end otherwise is put back.
pub(super) struct Batch {
    entries: Vec<Entry>,
    /// How records ended that were not taken in hand.
    declined: Vec<Outcome>,
}

struct Entry {
    record: Incoming,
    ticket: Ticket,
    state: RecordState,
}

enum RecordState {
    /// Waits for its dead letter.
    Rejected(Rejection),
    Ended(Outcome),
}

/// A record that waits for its dead letter.
pub(super) struct Rejected<'a> {
    pub(super) record: &'a Incoming,
    pub(super) ticket: &'a Ticket,
    pub(super) rejection: &'a Rejection,
}

/// What is to be delivered of a batch that was just read.
pub(super) struct Opened<I> {
    pub(super) batch: Batch,
    pub(super) items: Vec<Pending<I>>,
}

impl Batch {
    /// Takes `records` in hand and reads each.
    pub(super) fn open<I>(
        records: Vec<Incoming>,
        intake: &Intake,
        read: impl Fn(&Incoming) -> Reading<I>,
    ) -> Opened<I> {
        let mut batch = Self { entries: Vec::with_capacity(records.len()), declined: Vec::new() };
        let mut items = Vec::new();
        for record in records {
            match intake.begin(&record) {
                Ok(ticket) => {
                    let reading = read(&record);
                    if let Some(item) = batch.add(record, ticket.clone(), reading, intake) {
                        items.push(Pending { place: batch.entries.len() - 1, ticket, item });
                    }
                }
                Err(Declined::Stopped) => batch.declined.push(Outcome::Stopped),
                Err(Declined::NotAssigned | Declined::Repeated) => batch.declined.push(Outcome::PutBack),
            }
        }
        Opened { batch, items }
    }

    fn add<I>(
        &mut self,
        record: Incoming,
        ticket: Ticket,
        reading: Reading<I>,
        intake: &Intake,
    ) -> Option<I> {
        let mut to_deliver = None;
        let state = match reading {
            Reading::Deliver(item) => {
                to_deliver = Some(item);
                RecordState::Ended(Outcome::PutBack)
            }
            Reading::Done(outcome) => RecordState::Ended(Outcome::Done(outcome)),
            Reading::Rejected(rejection) => RecordState::Rejected(rejection),
            Reading::UnknownSchema(fingerprint) => {
                intake.stop(&ticket, fingerprint);
                tracing::error!(
                    record = ?record,
                    fingerprint = format!("{fingerprint:016x}"),
                    "partition stopped: this version does not know the schema of its next record, upgrade this sink"
                );
                RecordState::Ended(Outcome::Stopped)
            }
        };
        self.entries.push(Entry { record, ticket, state });
        to_deliver
    }

    /// The items that are still this member's to deliver, and where their partitions go on after them.
    pub(super) fn work<I>(&self, items: Vec<Pending<I>>, intake: &Intake) -> Work<I> {
        let mut next = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| intake.holds(&entry.ticket)) {
            if !matches!(entry.state, RecordState::Ended(Outcome::Stopped)) {
                let partition: Partition = entry.ticket.partition().clone();
                next.insert(partition, entry.ticket.offset().next());
            }
        }
        let stored = |(partition, next): (Partition, NextOffset)| {
            let log = intake.log(&partition);
            (partition, StoredPosition { next, log })
        };
        let next = next.into_iter().map(stored).collect();
        let items = items.into_iter().filter(|item| intake.holds(&item.ticket)).collect();
        Work { items, next }
    }

    /// Writes down how items ended.
    pub(super) fn settle(&mut self, ended: Vec<Ended>) {
        for Ended { place, ending } in ended {
            self.entries[place].state = match ending {
                Ending::Done(outcome) => RecordState::Ended(Outcome::Done(outcome)),
                Ending::Rejected(rejection) => RecordState::Rejected(rejection),
                Ending::PutBack => RecordState::Ended(Outcome::PutBack),
            };
        }
    }

    /// The places of the records that wait for their dead letters.
    pub(super) fn rejected_places(&self) -> Vec<usize> {
        let waits = |place: &usize| matches!(self.entries[*place].state, RecordState::Rejected(_));
        (0..self.entries.len()).filter(waits).collect()
    }

    /// The record at `place`, where it waits for its dead letter.
    pub(super) fn rejected(&self, place: usize) -> Option<Rejected<'_>> {
        let Entry { record, ticket, state } = &self.entries[place];
        match state {
            RecordState::Rejected(rejection) => Some(Rejected { record, ticket, rejection }),
            RecordState::Ended(_) => None,
        }
    }

    /// The dead letter of the record at `place` is acknowledged.
    pub(super) fn dead_lettered(&mut self, place: usize) {
        self.entries[place].state = RecordState::Ended(Outcome::DeadLettered);
    }

    /// Completes what is done. The ledger holds the offsets of the rest (S3).
    pub(super) fn close(&self, intake: &Intake) {
        let done = self.entries.iter().filter(|entry| entry.outcome().is_done());
        done.for_each(|entry| intake.complete(&entry.ticket));
    }

    /// How each record ended: one outcome per record that was polled (E1).
    pub(super) fn outcomes(&self) -> impl Iterator<Item = Outcome> {
        self.entries.iter().map(Entry::outcome).chain(self.declined.iter().copied())
    }
}

impl Entry {
    /// A rejected record whose dead letter was not written, because its partition went or the sink is
    /// stopping, will be read again.
    fn outcome(&self) -> Outcome {
        match &self.state {
            RecordState::Ended(outcome) => *outcome,
            RecordState::Rejected(_) => Outcome::PutBack,
        }
    }
}

#[cfg(test)]
mod tests {
    use kafka::RecordOffset;
    use kafka::consumer::{Assignment, LogId, Revocation};

    use super::*;

    const TOPIC: &str = "outcomes.trait.v1";

    fn record(partition: i32, offset: i64, value: &str) -> Incoming {
        Incoming {
            topic: TOPIC.into(),
            partition,
            offset: RecordOffset(offset),
            timestamp_ms: 0,
            key: None,
            value: Some(value.as_bytes().to_vec()),
            headers: Vec::new(),
        }
    }

    fn intake() -> Intake {
        let intake = Intake::default();
        intake.assigned(&[(TOPIC.to_owned(), 0), (TOPIC.to_owned(), 1)]);
        for number in [0, 1] {
            intake.started(&(TOPIC.into(), number), LogId::default());
        }
        intake
    }

    /// The value says what becomes of the record.
    fn read(record: &Incoming) -> Reading<()> {
        match record.value.as_deref() {
            Some(b"newer") => Reading::UnknownSchema(0xab),
            Some(b"bad") => Reading::Rejected(Rejection::plain("malformed")),
            Some(b"nothing") => Reading::Done("unchanged"),
            _ => Reading::Deliver(()),
        }
    }

    fn labels(batch: &Batch) -> Vec<&'static str> {
        batch.outcomes().map(Outcome::label).collect()
    }

    fn next<const N: usize>(of: [(i32, i64); N]) -> BTreeMap<Partition, StoredPosition> {
        let stored = |next| StoredPosition { next: NextOffset(next), log: LogId::default() };
        of.map(|(partition, next)| ((TOPIC.into(), partition), stored(next))).into()
    }

    #[test]
    fn an_unknown_schema_stops_its_partition_for_the_rest_of_the_batch() {
        let intake = intake();
        let records =
            vec![record(0, 0, "good"), record(0, 1, "newer"), record(1, 7, "good"), record(0, 2, "good")];
        let Opened { mut batch, items } = Batch::open(records, &intake, read);
        let work = batch.work(items, &intake);
        assert_eq!(work.items.iter().map(|pending| pending.place).collect::<Vec<_>>(), [0, 2]);
        assert_eq!(work.next, next([(0, 1), (1, 8)]));
        batch.settle([0, 2].map(|place| Ended { place, ending: Ending::Done("delivered") }).to_vec());
        assert_eq!(labels(&batch), ["delivered", "stopped", "delivered", "stopped"]);
        batch.close(&intake);
        let mut committable = intake.committable();
        committable.sort();
        assert_eq!(committable, [(TOPIC.into(), 0, NextOffset(1)), (TOPIC.into(), 1, NextOffset(8))]);
    }

    /// S4: the offset moves past a rejected record only when its dead letter is acknowledged.
    #[test]
    fn s4_a_rejected_record_holds_its_offset_until_its_dead_letter_is_acknowledged() {
        let intake = intake();
        let records = vec![record(0, 0, "bad"), record(0, 1, "nothing")];
        let Opened { mut batch, .. } = Batch::open(records, &intake, read);
        batch.close(&intake);
        assert_eq!((labels(&batch), intake.committable()), (vec!["put_back", "unchanged"], Vec::new()));
        assert_eq!(batch.rejected_places(), [0]);
        assert_eq!(batch.rejected(0).map(|rejected| rejected.rejection.reason), Some("malformed"));
        batch.dead_lettered(0);
        batch.close(&intake);
        assert_eq!(labels(&batch), ["dead_lettered", "unchanged"]);
        assert_eq!(intake.committable(), [(TOPIC.into(), 0, NextOffset(2))]);
    }

    #[test]
    fn a_revoked_partition_delivers_and_commits_nothing_more() {
        let intake = intake();
        let Opened { mut batch, items } =
            Batch::open(vec![record(0, 0, "good"), record(1, 0, "good")], &intake, read);
        intake.revoked(&[(TOPIC.to_owned(), 0)], Revocation::Revoked);
        let work = batch.work(items, &intake);
        assert_eq!((work.items.len(), work.next), (1, next([(1, 1)])));
        batch.settle([0, 1].map(|place| Ended { place, ending: Ending::Done("delivered") }).to_vec());
        batch.close(&intake);
        assert_eq!(intake.committable(), [(TOPIC.into(), 1, NextOffset(1))]);
    }

    /// A partition that goes and comes back within one poll leaves its records twice in the batch.
    #[test]
    fn a_record_that_is_twice_in_a_batch_is_delivered_once() {
        let intake = intake();
        let records = vec![record(0, 0, "good"), record(0, 1, "good"), record(0, 0, "good")];
        let Opened { batch, items } = Batch::open(records, &intake, read);
        assert_eq!((items.len(), batch.work(items, &intake).next), (2, next([(0, 2)])));
        assert_eq!(labels(&batch).len(), 3);
    }
}
