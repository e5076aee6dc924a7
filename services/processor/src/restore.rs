//! Bringing a partition's disk to where its last committed transaction left it, before anything is read from the input.
//!
//! R0 open · R1 committed offset, once no transaction is undecided · R2 the changelogs' high watermarks, after R1 ·
//! R3 refuse what can't be right · R4 wait until everything below them is decided · R5 replay · R6 compare · R7 start.
//!
//! Why a successor sees everything: what its predecessor committed had its offsets accepted before R1 answered, and its
//! changelog records were in the log before that (T3 comes before T4), so they lie below R2's watermark.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kafka::NextOffset;
use kafka::transaction::{Committed, Tail, TailError};
use tracing::warn;

use crate::domain::window::{self, Window};
use crate::state::changelog::{self, Chunk, StateKey};
use crate::state::meta::{Incarnation, Meta, Progress};
use crate::state::store::PartitionStore;
use crate::state::timer::Timer;
use crate::state::value;

mod error;
mod restorer;
mod writer;

pub use error::RestoreError;
pub(crate) use restorer::{Place, Restored, Restorer};
use writer::Writer;

/// How long an undecided transaction is waited for: its timeout, the broker's scan for it, and slack.
const UNDECIDED_MAX: Duration = Duration::from_secs(60);
/// How long R1 waits for one answer, and so how late it hears that it should stop.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// How often, and how far apart, "nothing committed" is asked again where a history exists (KAFKA-20416).
const ASK_AGAIN: [Duration; 3] =
    [Duration::from_millis(1_500), Duration::from_millis(1_500), Duration::from_secs(2)];

/// Where to restore from.
#[derive(Debug, Clone)]
pub(crate) struct Origin<'a> {
    /// The input topic.
    pub input: &'a str,
    /// The state changelog.
    pub state: &'a str,
    /// The dedupe changelog.
    pub dedupe: &'a str,
    /// The partition.
    pub partition: i32,
}

/// Restores `store`; answers where the partition stands and reads on.
///
/// # Errors
/// See [`RestoreError`].
fn restore(
    tail: &Tail,
    origin: &Origin<'_>,
    store: &PartitionStore,
    window: Window,
    stopped: &dyn Fn() -> bool,
) -> Result<Meta, RestoreError> {
    Restore { tail, origin, store, window, stopped }.run()
}

struct Restore<'a> {
    tail: &'a Tail,
    origin: &'a Origin<'a>,
    store: &'a PartitionStore,
    window: Window,
    stopped: &'a dyn Fn() -> bool,
}

/// A changelog, and how much of it the disk holds.
struct Log<'a> {
    topic: &'a str,
    low: NextOffset,
    high: NextOffset,
    on_disk: NextOffset,
}

impl Log<'_> {
    fn from(&self) -> NextOffset {
        self.on_disk.max(self.low)
    }

    /// Whether the log begins where the disk ends, or before.
    fn continues_disk(&self) -> bool {
        self.on_disk > NextOffset(0) && self.on_disk >= self.low
    }
}

/// What a replay of the dedupe changelog saw.
struct Chunks {
    next: NextOffset,
    /// The clock of the chunk before the first that was read.
    clock_before_ms: Option<i64>,
    last: Option<Meta>,
}

impl Restore<'_> {
    fn run(&self) -> Result<Meta, RestoreError> {
        let committed = self.committed()?;
        let progress = self.store.progress()?.unwrap_or_default();
        let state = self.log(self.origin.state, progress.state_next())?;
        let dedupe = self.log(self.origin.dedupe, progress.dedupe_next())?;
        self.refuse_foreign(&state, &dedupe)?;
        for log in [&state, &dedupe] {
            self.tail.await_decided(
                log.topic,
                self.origin.partition,
                log.high,
                UNDECIDED_MAX,
                self.stopped,
            )?;
        }
        let state_next = self.replay_state(&state, dedupe.on_disk)?;
        let chunks = self.replay_dedupe(&dedupe, state_next)?;
        let (first, end) = self.tail.extent(self.origin.input, self.origin.partition)?;
        let Some(meta) = self.store.meta()? else {
            self.agree(None, &committed, &chunks)?;
            return Ok(Meta::beginning(Incarnation::new(rand::random()), first));
        };
        if committed.next.is_none() && self.is_committed_after_all()? {
            return self.run();
        }
        self.agree(Some(&meta), &committed, &chunks)?;
        self.refuse_lost_input(&meta, first, end)?;
        self.refuse_gap(&dedupe, &chunks, &meta)?;
        Ok(meta)
    }

    /// A coordinator that has just moved may know nothing for a moment.
    fn is_committed_after_all(&self) -> Result<bool, RestoreError> {
        for pause in ASK_AGAIN {
            std::thread::sleep(pause);
            if self.committed()?.next.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// R1. While a transaction is undecided, the coordinator has no answer.
    fn committed(&self) -> Result<Committed, RestoreError> {
        let started = Instant::now();
        loop {
            match self.tail.committed(self.origin.input, self.origin.partition, ANSWER_MAX) {
                Ok(committed) => return Ok(committed),
                Err(_) if (self.stopped)() => return Err(TailError::Stopped.into()),
                Err(error @ kafka::Error::Failed { .. }) if started.elapsed() < UNDECIDED_MAX => {
                    warn!(partition = self.origin.partition, %error, "committed offset not told yet");
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn log<'t>(&self, topic: &'t str, on_disk: NextOffset) -> Result<Log<'t>, RestoreError> {
        let (low, high) = self.tail.extent(topic, self.origin.partition)?;
        Ok(Log { topic, low, high, on_disk })
    }

    /// R3.
    fn refuse_foreign(&self, state: &Log<'_>, dedupe: &Log<'_>) -> Result<(), RestoreError> {
        let mend = "empty AFTERSEND_STATE to restore from what is left";
        if state.on_disk > state.high || dedupe.on_disk > dedupe.high {
            return Err(self.refused(&format!(
                "the disk is ahead of the changelogs, which were cut or made anew: {mend}"
            )));
        }
        if state.on_disk > NextOffset(0) && state.on_disk < state.low {
            let why = "the state changelog has lost its beginning since this disk last read it";
            return Err(self.refused(&format!("{why}: {mend}")));
        }
        Ok(())
    }

    fn replay_state(&self, log: &Log<'_>, dedupe: NextOffset) -> Result<NextOffset, RestoreError> {
        if log.from() >= log.high {
            return Ok(log.from());
        }
        let mut writer = Writer::new(self.store, self.origin.partition, "state", log.from(), log.high);
        let at = |next| Progress::new(next, dedupe);
        let end = self.tail.replay(log.topic, self.origin.partition, log.from(), self.stopped, |record| {
            let key = record.key.as_deref().unwrap_or_default();
            match (StateKey::parse(key)?, record.value.as_deref()) {
                (StateKey::Customer(key), value) => {
                    writer.batch.put_customer(key, value);
                    let customer = value.map(value::decode).transpose()?.unwrap_or_default();
                    Timer::of(key, &customer).for_each(|timer| writer.batch.put_timer(&timer));
                }
                (StateKey::Meta, Some(bytes)) => writer.batch.put_meta(&changelog::decode_meta(bytes)?),
                (StateKey::Meta, None) => {}
            }
            writer.took(&record, at)
        })?;
        writer.finish(at(end))?;
        Ok(end)
    }

    fn replay_dedupe(&self, log: &Log<'_>, state: NextOffset) -> Result<Chunks, RestoreError> {
        let mut chunks = Chunks { next: log.from(), clock_before_ms: None, last: None };
        if log.from() >= log.high {
            return Ok(chunks);
        }
        let mut writer = Writer::new(self.store, self.origin.partition, "dedupe", log.from(), log.high);
        let at = |next| Progress::new(state, next);
        chunks.next =
            self.tail.replay(log.topic, self.origin.partition, log.from(), self.stopped, |record| {
                let chunk = Chunk::decode(record.value.as_deref().unwrap_or_default())?;
                chunks.clock_before_ms.get_or_insert(chunk.previous_clock_ms);
                chunks.last = Some(chunk.meta);
                chunk.runs.iter().for_each(|run| writer.batch.put_run(run));
                writer.took(&record, at)
            })?;
        writer.finish(at(chunks.next))?;
        Ok(chunks)
    }

    /// R6: what the disk, the changelogs and the group know must be one and the same.
    fn agree(&self, meta: Option<&Meta>, committed: &Committed, chunks: &Chunks) -> Result<(), RestoreError> {
        if chunks.last.is_some() && meta != chunks.last.as_ref() {
            return Err(self.refused(
                "the two changelogs end with different transactions: one of them has lost records",
            ));
        }
        let Some(next) = committed.next else {
            if let Some(next) = meta.map(Meta::src_next) {
                let partition = self.origin.partition;
                warn!(partition, %next, "committed offset expired, going on from the changelog's");
            }
            return Ok(());
        };
        let metadata = &committed.metadata;
        // An operator's tool commits without metadata. At the very place where the state stands, it changes nothing.
        let is_ours = |meta: &Meta| meta.is_named_by(metadata) || metadata.is_empty();
        match meta {
            Some(meta) if next == meta.src_next() && is_ours(meta) => Ok(()),
            Some(meta) if next < meta.src_next() => {
                let stands = meta.src_next();
                Err(self.refused(&format!(
                    "the group was set back to offset {next}, and the events before {stands} are already counted: set it to \
                     {stands} again (kafka-consumer-groups.sh --reset-offsets --to-offset {stands})"
                )))
            }
            _ => Err(self.refused(&format!(
                "the group stands at offset {next} ({metadata}), and the changelogs do not reach it: they have lost records, or \
                 the group was set forward"
            ))),
        }
    }

    /// What was cut from the input before it was read would be lost without a word.
    fn refuse_lost_input(&self, meta: &Meta, first: NextOffset, end: NextOffset) -> Result<(), RestoreError> {
        let stands = meta.src_next();
        if (first..=end).contains(&stands) {
            return Ok(());
        }
        Err(self.refused(&format!(
            "the input holds offsets {first} to {end}, and the partition stands at {stands}: it was cut or made anew, and what is \
             missing was never read; bring those records back, or start over under another topic prefix"
        )))
    }

    /// What the dedupe changelog has lost matters while it lies inside the window of the next event, and only then.
    fn refuse_gap(&self, log: &Log<'_>, chunks: &Chunks, meta: &Meta) -> Result<(), RestoreError> {
        let missing_until_ms = chunks.clock_before_ms.unwrap_or(meta.clock_ms);
        if log.continues_disk() || missing_until_ms == 0 {
            return Ok(());
        }
        let Origin { input, partition, .. } = *self.origin;
        let next = self.tail.first(input, partition, meta.src_next(), self.stopped)?;
        let next_ms = next.map_or_else(now_ms, |record| record.timestamp_ms).max(meta.clock_ms);
        if self.window.day_expired(window::day(missing_until_ms), window::day(next_ms)) {
            return Ok(());
        }
        Err(self.refused(
            "the dedupe changelog begins inside the window, so duplicates would count twice: its retention.ms must be the window \
             and ten days",
        ))
    }

    fn refused(&self, why: &str) -> RestoreError {
        RestoreError::Refused { partition: self.origin.partition, why: why.to_owned() }
    }
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
