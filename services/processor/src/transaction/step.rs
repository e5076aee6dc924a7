//! One partition's share of a transaction: records in, changes and outputs out. Nothing here is written anywhere yet.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bumpalo::Bump;
use kafka::{Incoming, NextOffset, RecordOffset};
use schemas::codec::{DecodeError, EncodeError};
use schemas::token::TokenKey;
use schemas::topic::Topic;
use thiserror::Error;

use self::customers::Customers;
use self::input::{Input, Unfit};
use self::letter::Letter;
use self::tell::{Meaning, Told};
use crate::domain::outcome;
use crate::domain::window::{Sighting, Window};
use crate::state::meta::Meta;
use crate::state::overlay::Overlay;
use crate::state::store::{PartitionStore, StoreError};
use crate::state::timer::Timer;
use crate::state::value;

mod customers;
mod input;
mod letter;
mod tell;
mod timing;

/// Records that are read before the disk is asked about all of them at once. More would save little, and leave the
/// processor's cache.
const READ_AT_ONCE: usize = 128;

/// Longest text that is taken over into a header or a dead letter from a record that may hold anything, in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// What holds for every partition.
#[derive(Debug)]
pub struct Rules {
    /// The dedupe window.
    pub window: Window,
    /// The key of tokens.
    pub tokens: TokenKey,
    /// The input's partition count.
    pub partitions: u32,
}

/// A record to be written in the transaction, to the partition that its input came from.
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

/// What became of the records (E1): every one of them is in exactly one of these.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Took effect.
    pub unique: u64,
    /// Had taken effect before.
    pub duplicate: u64,
    /// Set aside, by reason.
    pub dead_lettered: BTreeMap<&'static str, u64>,
    /// Timers that fired: no records, so not part of the balance.
    pub timers: u64,
}

/// A partition's share of a transaction.
#[derive(Debug)]
pub struct Step {
    /// Changes to the state.
    pub overlay: Overlay,
    /// Records to write.
    pub outputs: Vec<Output>,
    /// What became of the input.
    pub counts: Counts,
    /// The record before which the partition has to stop, and why.
    pub stopped: Option<(RecordOffset, DecodeError)>,
}

/// A step could not be made. Nothing of it happened.
#[derive(Debug, Error)]
pub enum StepError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A customer's state does not read.
    #[error(transparent)]
    Value(#[from] value::Unreadable),
    /// A record does not fit its schema.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Timers that have come up.
#[derive(Debug, Clone, Default)]
pub struct Due {
    /// The partition's time, Unix milliseconds.
    pub now_ms: i64,
    /// Entries of the index up to that time.
    pub timers: Vec<Timer>,
}

/// What a step builds on: a partition as its last transaction left it.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    /// What holds for every partition.
    pub rules: &'a Rules,
    /// Which one.
    pub partition: i32,
    /// Its disk.
    pub store: &'a PartitionStore,
    /// Where it stands.
    pub meta: &'a Meta,
}

/// Works `records` off, in their order, and then `due`.
///
/// # Errors
/// See [`StepError`]; a record that can't be understood is none, but a dead letter, and so is one on which the code fails.
pub fn step(before: Before<'_>, due: &Due, records: &[Incoming]) -> Result<Step, StepError> {
    step_by(outcome::of, before, due, records)
}

/// As [`step`], with what an event means as a value.
fn step_by(meaning: Meaning, before: Before<'_>, due: &Due, records: &[Incoming]) -> Result<Step, StepError> {
    let Before { rules, partition, store, meta } = before;
    let arena = Bump::new();
    let mut work = Work {
        meaning,
        rules,
        partition,
        store,
        overlay: Overlay::new(*meta),
        outputs: Vec::with_capacity(records.len()),
        counts: Counts::default(),
        customers: Customers::new(&arena),
        buffer: Vec::new(),
    };
    let mut end = End { next: meta.src_next(), clock_ms: meta.clock_ms, stopped: None };
    let pending: Vec<&Incoming> =
        records.iter().filter(|record| !meta.src_next().is_past(record.offset)).collect();
    for records in pending.chunks(READ_AT_ONCE) {
        let readings = work.read(records, &mut end);
        work.take_all(&readings)?;
        if end.stopped.is_some() {
            break;
        }
    }
    // Where the partition stops, what lies beyond might put off what seems due.
    if end.stopped.is_none() {
        work.take_timers(due)?;
    }
    let Work { mut overlay, mut outputs, mut counts, customers, .. } = work;
    counts.timers = customers.publish(due.now_ms, &mut overlay, &mut outputs)?;
    overlay.finish(meta.followed_by(end.next, end.clock_ms));
    Ok(Step { overlay, outputs, counts, stopped: end.stopped })
}

impl Step {
    /// Whether there is anything to commit: records worked off, or timers.
    #[must_use]
    pub fn has_effect(&self, before: &Meta) -> bool {
        self.overlay.meta().src_next() > before.src_next() || self.overlay.timers().next().is_some()
    }
}

/// How far a step came.
struct End {
    next: NextOffset,
    clock_ms: i64,
    stopped: Option<(RecordOffset, DecodeError)>,
}

/// A record as it was read, at the partition's clock.
struct Reading<'a> {
    record: &'a Incoming,
    clock_ms: i64,
    input: Result<Input<'a>, Letter>,
}

struct Work<'a> {
    meaning: Meaning,
    rules: &'a Rules,
    partition: i32,
    store: &'a PartitionStore,
    overlay: Overlay,
    outputs: Vec<Output>,
    counts: Counts,
    customers: Customers<'a>,
    /// Where records are encoded.
    buffer: Vec<u8>,
}

impl<'a> Work<'a> {
    /// Reads `records` up to one that stops the partition.
    fn read(&self, records: &[&'a Incoming], end: &mut End) -> Vec<Reading<'a>> {
        let mut readings = Vec::with_capacity(records.len());
        for &record in records {
            let clock_ms = end.clock_ms.max(record.timestamp_ms);
            let read = || Input::read(record, self.rules, self.partition, clock_ms);
            let input = match surviving(read, || Err(Unfit::DeadLetter(Letter::poison(None)))) {
                Ok(input) => Ok(input),
                Err(Unfit::DeadLetter(letter)) => Err(letter),
                Err(Unfit::Stop(error)) => {
                    end.stopped = Some((record.offset, error));
                    break;
                }
            };
            (end.next, end.clock_ms) = (record.offset.next(), clock_ms);
            readings.push(Reading { record, clock_ms, input });
        }
        readings
    }

    fn take_all(&mut self, readings: &[Reading<'a>]) -> Result<(), StepError> {
        let inputs = || readings.iter().filter_map(|reading| reading.input.as_ref().ok());
        let sightings: Vec<Sighting> = inputs().map(|input| input.sighting).collect();
        let on_disk = self.store.remembers(self.rules.window, &sightings)?;
        let new = inputs().zip(&on_disk).filter(|(input, is_known)| input.is_person && !**is_known);
        self.customers.fetch(self.store, new.map(|(input, _)| input.key))?;
        let mut on_disk = on_disk.into_iter();
        for Reading { record, clock_ms, input } in readings {
            let is_on_disk = input.is_ok() && on_disk.next() == Some(true);
            match input {
                Ok(input) if is_on_disk || self.overlay.knows(self.rules.window, &input.sighting) => {
                    self.counts.duplicate += 1;
                }
                Ok(input) => self.take(record, *clock_ms, input)?,
                Err(letter) => self.set_aside(record, *clock_ms, letter)?,
            }
        }
        Ok(())
    }

    /// Lets a new event take effect. First all that can fail is worked out, then it is noted.
    fn take(&mut self, record: &'a Incoming, clock_ms: i64, input: &Input<'a>) -> Result<(), StepError> {
        let Self { meaning, rules, customers, buffer, .. } = self;
        let told = || tell::told(*meaning, record, input, &rules.tokens, customers, buffer);
        let poison = || Ok(Err(Letter::poison(Some(&input.raw))));
        match surviving(told, poison)? {
            Ok(Told { outcome, customer }) => {
                self.overlay.remember(self.rules.window, &input.sighting);
                self.counts.unique += 1;
                self.outputs.push(outcome);
                if let Some(customer) = customer {
                    self.customers.set(input.key, customer, clock_ms);
                }
                Ok(())
            }
            Err(letter) => self.set_aside(record, clock_ms, &letter),
        }
    }

    fn set_aside(&mut self, record: &Incoming, clock_ms: i64, letter: &Letter) -> Result<(), StepError> {
        *self.counts.dead_lettered.entry(letter.reason).or_default() += 1;
        self.outputs.push(letter.output(record, clock_ms)?);
        Ok(())
    }
}

/// What `work` gives, or, where it panics, what `instead` does: a record on which the code fails must not end the process
/// again and again. `work` changes nothing that is looked at afterwards.
fn surviving<T>(work: impl FnOnce() -> T, instead: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| instead())
}

fn output(topic: Topic, key: &[u8], value: Vec<u8>) -> Output {
    Output { topic, key: Some(key.to_vec()), value: Some(value), headers: Vec::new() }
}

#[cfg(test)]
mod tests;
