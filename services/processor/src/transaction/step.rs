//! One partition's share of a transaction: records in, changes and outputs out. Nothing here is written anywhere yet.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use hashbrown::hash_map::EntryRef;
use kafka::{Incoming, RecordOffset};
use schemas::codec::{self, DecodeError, EncodeError};
use schemas::header::{EVENT_ID, TRACEPARENT};
use schemas::id::{DedupeId, EVENT_ID_BYTES_MAX};
use schemas::key::Holder;
use schemas::record::{DeadLetter, MessageOutcome, RawRecord, Suppression};
use schemas::token::TokenKey;
use schemas::topic::{RECORD_BYTES_MAX, Topic};
use thiserror::Error;
use webhook::event::Event;

use crate::domain::customer::Customer;
use crate::domain::window::{self, Day, Window};
use crate::domain::{outcome, suppression, traits};
use crate::state::meta::Meta;
use crate::state::overlay::Overlay;
use crate::state::store::{PartitionStore, StoreError};
use crate::state::timer::Timer;
use crate::state::value;

mod timing;

/// Room that a record's key, headers and framing take beside its value, in bytes.
const RECORD_OVERHEAD_BYTES: usize = 16 << 10;

/// How much of a record a dead letter keeps, and the longest key that it is given, in bytes: a dead letter must always fit.
const DEAD_LETTER_BYTES_MAX: usize = 64 << 10;

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

/// Works `due` and then `records` off, in their order, on top of `store` as `meta` left it.
///
/// # Errors
/// See [`StepError`]; a record that can't be understood is none, but a dead letter.
pub fn step(
    rules: &Rules,
    partition: i32,
    store: &PartitionStore,
    meta: &Meta,
    due: &Due,
    records: &[Incoming],
) -> Result<Step, StepError> {
    let mut work = Work {
        rules,
        partition,
        store,
        overlay: Overlay::new(*meta),
        clock_ms: meta.clock_ms,
        outputs: Vec::with_capacity(records.len()),
        counts: Counts::default(),
        touched: HashMap::new(),
    };
    due.timers.iter().try_for_each(|timer| work.fire(timer, due.now_ms))?;
    let mut next = meta.src_next();
    let mut stopped = None;
    for record in records.iter().filter(|record| !meta.src_next().is_past(record.offset)) {
        work.clock_ms = work.clock_ms.max(record.timestamp_ms);
        match work.read(record) {
            Ok(input) => work.take(record, &input)?,
            Err(Unfit::DeadLetter(letter)) => work.set_aside(record, letter)?,
            Err(Unfit::Stop(error)) => {
                stopped = Some((record.offset, error));
                break;
            }
        }
        next = record.offset.next();
    }
    work.publish_customers()?;
    let Work { mut overlay, outputs, counts, clock_ms, .. } = work;
    overlay.finish(meta.followed_by(next, clock_ms));
    Ok(Step { overlay, outputs, counts, stopped })
}

impl Step {
    /// Whether there is anything to commit: records worked off, or timers.
    #[must_use]
    pub fn has_effect(&self, before: &Meta) -> bool {
        self.overlay.meta().src_next() > before.src_next() || self.overlay.timers().next().is_some()
    }
}

/// A raw record that can be worked off.
struct Input<'a> {
    key: &'a [u8],
    customer_id: &'a str,
    is_person: bool,
    id: DedupeId,
    raw: RawRecord,
    event: Event,
}

/// Why a record is not worked off.
enum Unfit {
    DeadLetter(Letter),
    Stop(DecodeError),
}

struct Letter {
    reason: &'static str,
    event_id: Option<String>,
    source: Option<String>,
}

impl Letter {
    fn new(reason: &'static str) -> Self {
        Self { reason, event_id: None, source: None }
    }

    fn of(reason: &'static str, raw: &RawRecord) -> Self {
        Self { reason, event_id: Some(raw.event_id.clone()), source: Some(raw.source.clone()) }
    }
}

/// A customer whom the step has met.
struct Touched {
    before: Customer,
    now: Customer,
    as_of: i64,
}

struct Work<'a> {
    rules: &'a Rules,
    partition: i32,
    store: &'a PartitionStore,
    overlay: Overlay,
    clock_ms: i64,
    outputs: Vec<Output>,
    counts: Counts,
    touched: HashMap<Vec<u8>, Touched>,
}

impl Work<'_> {
    fn read<'r>(&self, record: &'r Incoming) -> Result<Input<'r>, Unfit> {
        let dead = |reason| Unfit::DeadLetter(Letter::new(reason));
        let value = record.value.as_deref().ok_or(dead("no_value"))?;
        let raw: RawRecord = match codec::decode(value) {
            Ok(raw) => raw,
            // A newer version wrote it: dead-lettering would drain good events during a rolling upgrade.
            Err(error @ DecodeError::UnknownFingerprint(_)) => return Err(Unfit::Stop(error)),
            Err(_) => return Err(dead("malformed_record")),
        };
        let dead = |reason| Unfit::DeadLetter(Letter::of(reason, &raw));
        let key = record.key.as_deref().ok_or_else(|| dead("no_key"))?;
        let holder = Holder::parse(key).ok_or_else(|| dead("foreign_key"))?;
        let customer_id = std::str::from_utf8(key).map_err(|_| dead("foreign_key"))?;
        if schemas::partition::of(key, self.rules.partitions) != self.partition {
            return Err(dead("wrong_partition"));
        }
        if raw.kind != "webhook" {
            return Err(dead("unsupported_kind"));
        }
        let id = <[u8; 16]>::try_from(raw.id.as_slice()).map_err(|_| dead("no_id"))?;
        if raw.event_id.is_empty() || raw.event_id.len() > EVENT_ID_BYTES_MAX {
            return Err(dead("no_id"));
        }
        let event = Event::parse(&raw.bytes).map_err(|unread| dead(unread.code()))?;
        let id = DedupeId(id).of_customer(key);
        Ok(Input { key, customer_id, is_person: holder.is_person(), id, raw, event })
    }

    fn take(&mut self, record: &Incoming, input: &Input<'_>) -> Result<(), StepError> {
        let (window, now) = (self.rules.window, window::day(self.clock_ms));
        let event_day: Option<Day> = input.event.time.known_ms().map(window::day);
        if self.overlay.knows(self.store, window, input.id, event_day, now)? {
            self.counts.duplicate += 1;
            return Ok(());
        }
        let tokens = &self.rules.tokens;
        let outcome = outcome::of(&input.event, &input.raw, input.customer_id, record.timestamp_ms, tokens);
        let value = codec::encode(&outcome)?;
        if value.len() + input.key.len() + RECORD_OVERHEAD_BYTES > RECORD_BYTES_MAX as usize {
            return self.set_aside(record, Letter::of("too_large", &input.raw));
        }
        self.overlay.remember(window, input.id, event_day, now);
        self.counts.unique += 1;
        let headers = outcome_headers(&outcome, record);
        self.outputs.push(Output {
            topic: Topic::Warehouse,
            key: Some(input.key.to_vec()),
            value: Some(value),
            headers,
        });
        if input.is_person {
            self.learn(input.key, &outcome)?;
        }
        Ok(())
    }

    fn learn(&mut self, key: &[u8], outcome: &MessageOutcome) -> Result<(), StepError> {
        let clock_ms = self.clock_ms;
        let touched = self.touch(key)?;
        touched.now.learn(&outcome::fact(outcome));
        touched.as_of = clock_ms;
        Ok(())
    }

    /// A customer, read once in a step.
    fn touch(&mut self, key: &[u8]) -> Result<&mut Touched, StepError> {
        Ok(match self.touched.entry_ref(key) {
            EntryRef::Occupied(touched) => touched.into_mut(),
            EntryRef::Vacant(vacant) => {
                let stored = self.store.customer(key)?;
                let before = stored.as_deref().map(value::decode).transpose()?.unwrap_or_default();
                let now = before.clone();
                vacant.insert(Touched { before, now, as_of: self.clock_ms })
            }
        })
    }

    /// Publishes each customer once, as the transaction leaves it.
    fn publish_customers(&mut self) -> Result<(), StepError> {
        for (key, mut touched) in std::mem::take(&mut self.touched) {
            if touched.now == touched.before {
                continue;
            }
            let customer_id = String::from_utf8_lossy(&key).into_owned();
            let old = traits::of(&customer_id, &touched.before);
            let mut new = traits::of(&customer_id, &touched.now);
            let changed = traits::changed(&old, &new);
            if !changed.is_empty() {
                touched.now.revision += 1;
                (new.revision, new.as_of, new.changed) = (touched.now.revision, touched.as_of, changed);
                self.outputs.push(output(Topic::Trait, &key, codec::encode(&new)?));
            }
            let entries = suppression::of(&touched.now);
            if entries != suppression::of(&touched.before) {
                let suppression = Suppression { customer_id, as_of: touched.as_of, entries };
                self.outputs.push(output(Topic::Suppression, &key, codec::encode(&suppression)?));
            }
            self.arm(&key, &touched);
            self.overlay.put_customer(&key, &touched.now);
        }
        Ok(())
    }

    fn set_aside(&mut self, record: &Incoming, letter: Letter) -> Result<(), StepError> {
        let bytes = record.value.as_deref().unwrap_or_default();
        let kept = &bytes[..bytes.len().min(DEAD_LETTER_BYTES_MAX)];
        let key = record.key.clone().filter(|key| key.len() <= DEAD_LETTER_BYTES_MAX);
        let short = |text: Option<String>| text.filter(|text| text.len() <= TEXT_BYTES_MAX);
        let letter_record = DeadLetter {
            stage: "processor".to_owned(),
            reason: letter.reason.to_owned(),
            event_id: short(letter.event_id),
            origin_topic: Some(record.topic.to_string()),
            origin_partition: Some(i64::from(record.partition)),
            origin_offset: Some(record.offset.0),
            source: short(letter.source),
            kept_at: self.clock_ms,
            key: key.clone(),
            bytes: kept.to_vec(),
            length: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
            sha256: (kept.len() < bytes.len()).then(|| schemas::id::sha256(bytes)),
            ..DeadLetter::default()
        };
        *self.counts.dead_lettered.entry(letter.reason).or_default() += 1;
        let value = codec::encode(&letter_record)?;
        self.outputs.push(Output { topic: Topic::DeadLetter, key, value: Some(value), headers: Vec::new() });
        Ok(())
    }
}

fn output(topic: Topic, key: &[u8], value: Vec<u8>) -> Output {
    Output { topic, key: Some(key.to_vec()), value: Some(value), headers: Vec::new() }
}

fn outcome_headers(outcome: &MessageOutcome, record: &Incoming) -> Vec<(&'static str, Vec<u8>)> {
    let fits = |value: &[u8]| value.len() <= TEXT_BYTES_MAX;
    let traceparent = record.headers.iter().find(|(name, value)| name == TRACEPARENT && fits(value));
    let mut headers = vec![(EVENT_ID, outcome.event_id.clone().into_bytes())];
    headers.extend(traceparent.map(|(_, value)| (TRACEPARENT, value.clone())));
    headers
}

#[cfg(test)]
mod tests;
