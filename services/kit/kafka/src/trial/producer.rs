use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use super::member::Membership;
use super::{ANSWER_MAX, Quiet};
use crate::{Connection, Error, NextOffset};

/// A transactional producer. Every call blocks, for at most 45 s.
pub struct TrialProducer {
    producer: ThreadedProducer<Quiet>,
}

impl TrialProducer {
    /// A producer under `transactional_id`. It fences an older producer of that id and aborts its open
    /// transaction.
    ///
    /// # Errors
    /// If no broker answers, or it refuses.
    pub fn new(connection: &Connection, transactional_id: &str) -> Result<Self, Error> {
        let producer: ThreadedProducer<Quiet> = connection
            .client_config("aftersend-probe")
            .set("transactional.id", transactional_id)
            .set("transaction.timeout.ms", "60000")
            .set("message.timeout.ms", "20000")
            .set("request.timeout.ms", "15000")
            .create_with_context(Quiet)
            .map_err(Error::Settings)?;
        let ready = producer.init_transactions(ANSWER_MAX);
        ready.map(|()| Self { producer }).map_err(|source| Error::of("init transactions", source))
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// If the producer was fenced, or has a transaction open.
    pub fn begin(&self) -> Result<(), Error> {
        self.producer.begin_transaction().map_err(|source| Error::of("begin a transaction", source))
    }

    /// Writes `value` to a partition in the open transaction, and waits until the broker has it.
    ///
    /// # Errors
    /// If the record is not written.
    pub fn write(&self, topic: &str, partition: i32, value: &str, created_ms: i64) -> Result<(), Error> {
        let failed = |source| Error::of("write a record", source);
        let record: BaseRecord<'_, (), str> =
            BaseRecord::to(topic).partition(partition).payload(value).timestamp(created_ms);
        self.producer.send(record).map_err(|(error, _)| failed(error))?;
        self.producer.flush(ANSWER_MAX).map_err(failed)
    }

    /// Adds the position `next` of a partition, with `metadata`, to the open transaction in the name of
    /// `member`.
    ///
    /// # Errors
    /// If the broker refuses the member, the producer or the metadata.
    pub fn send_offset(
        &self,
        topic: &str,
        partition: i32,
        next: NextOffset,
        metadata: &str,
        member: &Membership,
    ) -> Result<(), Error> {
        let failed = |source| Error::of("send offsets", source);
        let mut offsets = TopicPartitionList::new();
        let mut element = offsets.add_partition(topic, partition);
        element.set_offset(Offset::Offset(next.0)).map_err(failed)?;
        element.set_metadata(metadata);
        self.producer.send_offsets_to_transaction(&offsets, &member.0, ANSWER_MAX).map_err(failed)
    }

    /// Commits the open transaction.
    ///
    /// # Errors
    /// If the broker refuses; then the transaction was aborted, or must be.
    pub fn commit(&self) -> Result<(), Error> {
        let committed = self.producer.commit_transaction(ANSWER_MAX);
        committed.map_err(|source| Error::of("commit a transaction", source))
    }

    /// Aborts the open transaction.
    ///
    /// # Errors
    /// If the broker refuses.
    pub fn abort(&self) -> Result<(), Error> {
        let aborted = self.producer.abort_transaction(ANSWER_MAX);
        aborted.map_err(|source| Error::of("abort a transaction", source))
    }
}

impl std::fmt::Debug for TrialProducer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrialProducer").finish_non_exhaustive()
    }
}
