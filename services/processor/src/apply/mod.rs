//! Applies raw records to one partition: which of them are new, what each one means, and what must be written
//! for it.
//!
//! Nothing is written here. The result is [`Applied`]: changes for the partition's disk and records for
//! Kafka. The `commit` module commits them in one transaction.
//!
//! ```text
//!  raw record ─▶ input ─▶ duplicate? ─▶ event ─▶ customers ─▶ timers ─▶ Applied
//!                  └────────── dead_letter ◀┘
//! ```

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bumpalo::Bump;
use kafka::{Incoming, NextOffset, RecordOffset};
use schemas::codec::{DecodeError, EncodeError};
use schemas::id::DedupeId;
use schemas::topic::Topic;
use schemas::vocabulary::dead_letter_reason;
use thiserror::Error;

use self::customers::Customers;
use self::dead_letter::DeadLetterDraft;
use self::event::Interpreted;
use self::input::{Input, Rejection};
use crate::domain::redact::Privacy;
use crate::domain::time::window::{Seen, Sighting, Window};
use crate::state::format;
use crate::state::meta::Meta;
use crate::state::overlay::Overlay;
use crate::state::store::{PartitionStore, StoreError};
use crate::state::timer::Timer;

mod customers;
mod dead_letter;
mod event;
mod input;
mod timers;

/// How many records are read before the disk is asked about all of them at once. A larger number saves little
/// time, and the records would leave the CPU's cache.
const RECORDS_PER_LOOKUP: usize = 128;

/// Longest text that is copied from a record into a header or a dead letter, in bytes. A raw record may hold
/// any text.
const TEXT_BYTES_MAX: usize = 256;

/// What holds for every partition.
#[derive(Debug)]
pub struct Rules {
    /// The dedupe window.
    pub window: Window,
    /// What the outcomes may say of persons.
    pub privacy: Privacy,
    /// The input topic's partition count.
    pub partitions: u32,
}

/// A record to be written in the transaction, to the partition number that its input came from.
#[derive(Debug, PartialEq, Eq)]
pub struct Output {
    /// Topic.
    pub topic: Topic,
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers.
    pub headers: Vec<(&'static str, Vec<u8>)>,
}

/// What became of the input records (E1). Each record is counted in exactly one of the first three fields.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records that took effect.
    pub unique: u64,
    /// Records whose event had taken effect before.
    pub duplicate: u64,
    /// Records that became dead letters, by reason.
    pub dead_lettered: BTreeMap<&'static str, u64>,
    /// Timers that fired. A timer is not a record, so it is not part of the balance.
    pub timers: u64,
}

/// What applying records and timers to one partition came to.
#[derive(Debug)]
pub struct Applied {
    /// Changes to the partition's state.
    pub overlay: Overlay,
    /// Records to write.
    pub outputs: Vec<Output>,
    /// What became of the input.
    pub counts: Counts,
    /// Ids that came again with other content. Their records became dead letters.
    pub reused_ids: Vec<DedupeId>,
    /// The record before which the partition must stop because its schema is unknown, and the error.
    pub stopped: Option<(RecordOffset, DecodeError)>,
}

/// Records could not be applied. Nothing has changed.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A customer's stored state can't be read.
    #[error(transparent)]
    Value(#[from] format::Unreadable),
    /// A record to be written does not fit its schema.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Timers that have come up.
#[derive(Debug, Clone, Default)]
pub struct DueTimers {
    /// The partition's time, Unix milliseconds.
    pub now_ms: i64,
    /// Entries of the timer index up to that time.
    pub timers: Vec<Timer>,
}

/// A partition as its last transaction left it.
#[derive(Debug, Clone, Copy)]
pub struct ApplyContext<'a> {
    /// What holds for every partition.
    pub rules: &'a Rules,
    /// The partition's number.
    pub partition: i32,
    /// The partition's disk.
    pub store: &'a PartitionStore,
    /// Where the partition stands.
    pub meta: &'a Meta,
}

/// Applies `records` in their order, and then the timers of `due`.
///
/// A record that cannot be parsed is not an error: it becomes a dead letter. So does a record on which our
/// own code panics.
///
/// # Errors
/// See [`ApplyError`].
pub fn apply(
    context: ApplyContext<'_>,
    due: &DueTimers,
    records: &[Incoming],
) -> Result<Applied, ApplyError> {
    let ApplyContext { rules, partition, store, meta } = context;
    let arena = Bump::new();
    let mut applier = Applier {
        rules,
        partition,
        store,
        overlay: Overlay::new(*meta),
        outputs: Vec::with_capacity(records.len()),
        counts: Counts::default(),
        reused_ids: Vec::new(),
        customers: Customers::new(&arena),
        buffer: Vec::new(),
    };
    let mut cursor = Cursor { next: meta.src_next(), clock_ms: meta.clock_ms, stopped: None };
    // A position below `src_next` was applied by an earlier transaction. After a seek, the client may still
    // return it.
    let pending: Vec<&Incoming> =
        records.iter().filter(|record| !meta.src_next().is_past(record.offset)).collect();
    for chunk in pending.chunks(RECORDS_PER_LOOKUP) {
        let readings = applier.read(chunk, &mut cursor);
        applier.apply_all(&readings)?;
        if cursor.stopped.is_some() {
            break;
        }
    }
    // Where the partition stops, the records behind the stop might postpone a timer that seems due.
    if cursor.stopped.is_none() {
        applier.take_timers(due)?;
    }
    let Applier { mut overlay, mut outputs, mut counts, reused_ids, customers, .. } = applier;
    counts.timers = customers.publish(due.now_ms, &mut overlay, &mut outputs)?;
    overlay.finish(meta.followed_by(cursor.next, cursor.clock_ms));
    Ok(Applied { overlay, outputs, counts, reused_ids, stopped: cursor.stopped })
}

impl Applied {
    /// Whether there is anything to commit: records were read, or timers changed. `before` is the partition's
    /// meta before.
    #[must_use]
    pub fn has_effect(&self, before: &Meta) -> bool {
        self.overlay.meta().src_next() > before.src_next() || self.overlay.timers().next().is_some()
    }
}

/// How far the records are read.
struct Cursor {
    next: NextOffset,
    clock_ms: i64,
    stopped: Option<(RecordOffset, DecodeError)>,
}

/// A record as it was read, with the partition's clock at that moment.
struct Reading<'a> {
    record: &'a Incoming,
    clock_ms: i64,
    input: Result<Input<'a>, DeadLetterDraft>,
}

struct Applier<'a> {
    rules: &'a Rules,
    partition: i32,
    store: &'a PartitionStore,
    overlay: Overlay,
    outputs: Vec<Output>,
    counts: Counts,
    reused_ids: Vec<DedupeId>,
    customers: Customers<'a>,
    /// Reused for encoding each outcome.
    buffer: Vec<u8>,
}

impl<'a> Applier<'a> {
    /// Reads `records` up to the first one whose schema is unknown.
    fn read(&self, records: &[&'a Incoming], cursor: &mut Cursor) -> Vec<Reading<'a>> {
        let mut readings = Vec::with_capacity(records.len());
        for &record in records {
            let clock_ms = cursor.clock_ms.max(record.timestamp_ms);
            let read = || Input::read(record, self.rules, self.partition, clock_ms);
            let on_panic = || Err(Rejection::DeadLetter(DeadLetterDraft::poison(None)));
            let input = match catch_panic(read, on_panic) {
                Ok(input) => Ok(input),
                Err(Rejection::DeadLetter(draft)) => Err(draft),
                Err(Rejection::UnknownSchema(error)) => {
                    cursor.stopped = Some((record.offset, error));
                    break;
                }
            };
            cursor.next = record.offset.next();
            cursor.clock_ms = clock_ms;
            readings.push(Reading { record, clock_ms, input });
        }
        readings
    }

    fn apply_all(&mut self, readings: &[Reading<'a>]) -> Result<(), ApplyError> {
        let inputs = || readings.iter().filter_map(|reading| reading.input.as_ref().ok());
        let sightings: Vec<Sighting> = inputs().map(|input| input.sighting).collect();
        let on_disk = self.store.seen(self.rules.window, &sightings)?;
        let new = inputs().zip(&on_disk).filter(|(input, seen)| input.is_person && **seen == Seen::Never);
        self.customers.fetch(self.store, new.map(|(input, _)| input.key))?;
        // `on_disk` has one answer for each readable record, in the same order.
        let mut on_disk = on_disk.into_iter();
        for Reading { record, clock_ms, input } in readings {
            let input = match input {
                Ok(input) => input,
                Err(draft) => {
                    self.dead_letter(record, *clock_ms, draft)?;
                    continue;
                }
            };
            let seen = match on_disk.next().unwrap_or(Seen::Never) {
                Seen::Never => self.overlay.seen(self.rules.window, &input.sighting),
                seen => seen,
            };
            match seen {
                Seen::Never => self.apply_new(record, *clock_ms, input)?,
                Seen::AsCopy => self.counts.duplicate += 1,
                Seen::AsAnother => {
                    self.reused_ids.push(input.sighting.id);
                    let draft = DeadLetterDraft::of_raw(dead_letter_reason::ID_REUSED, &input.raw);
                    self.dead_letter(record, *clock_ms, &draft)?;
                }
            }
        }
        Ok(())
    }

    /// Lets a new event take effect. Everything that can fail happens before the first change.
    fn apply_new(
        &mut self,
        record: &'a Incoming,
        clock_ms: i64,
        input: &Input<'a>,
    ) -> Result<(), ApplyError> {
        let Self { rules, customers, buffer, .. } = self;
        let interpret = || event::interpret(record, input, &rules.privacy, customers, buffer);
        let on_panic = || Ok(Interpreted::DeadLetter(DeadLetterDraft::poison(Some(&input.raw))));
        match catch_panic(interpret, on_panic)? {
            Interpreted::Effect { outcome, customer } => {
                self.overlay.remember(self.rules.window, &input.sighting);
                self.counts.unique += 1;
                self.outputs.push(outcome);
                if let Some(customer) = customer {
                    self.customers.set(input.key, customer, clock_ms);
                }
                Ok(())
            }
            Interpreted::DeadLetter(draft) => self.dead_letter(record, clock_ms, &draft),
        }
    }

    fn dead_letter(
        &mut self,
        record: &Incoming,
        clock_ms: i64,
        draft: &DeadLetterDraft,
    ) -> Result<(), ApplyError> {
        *self.counts.dead_lettered.entry(draft.reason).or_default() += 1;
        self.outputs.push(draft.output(record, clock_ms)?);
        Ok(())
    }
}

/// The result of `work`, or that of `on_panic` where `work` panics. A record on which our code panics would
/// otherwise end the process again after each restart. `work` must not leave half a change in anything that
/// is read afterwards.
fn catch_panic<T>(work: impl FnOnce() -> T, on_panic: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| on_panic())
}

fn output(topic: Topic, key: &[u8], value: Vec<u8>) -> Output {
    Output { topic, key: Some(key.to_vec()), value: Some(value), headers: Vec::new() }
}

#[cfg(test)]
mod tests;
