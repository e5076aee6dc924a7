//! Events onto the raw topic: all at once, or at a steady pace.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use kafka::Connection;
use kafka::transaction::Tail;

use super::Journal;
use super::appender::Appender;
use crate::screen::Step;

/// A steady load is sent in portions this far apart. What a batch costs the broker and the subject doesn't
/// depend on how much is in it: at 10 ms, 32 partitions are 3,200 batches a second, and the load would
/// measure itself.
const TICK: Duration = Duration::from_millis(20);
/// Events of one request at most.
const PORTION_MAX: u64 = 2_000;
/// How far a load runs ahead of a subject that it follows: more than any subject has under way at once.
const AHEAD_MAX: u64 = 20_000;

/// A raw topic.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    pub(crate) connection: Connection,
    pub(crate) topic: String,
    pub(crate) partitions: u32,
}

impl Raw {
    /// How many records it holds: each has an offset of its own, and there is nothing else.
    pub(crate) fn records(&self) -> anyhow::Result<u64> {
        let tail = Tail::new(&self.connection, "aftersend.bench")?;
        let partitions = 0..i32::try_from(self.partitions)?;
        let ends = partitions.map(|partition| Ok(u64::try_from(tail.extent(&self.topic, partition)?.1.0)?));
        ends.sum()
    }
}

/// Appends every event of `journal`, as fast as the broker takes them.
pub(crate) fn load(raw: &Raw, journal: &Journal, step: &Step<'_>) -> anyhow::Result<()> {
    let mut appender = Appender::new(raw)?;
    for (queued, event) in (1..).zip(journal.read()?) {
        appender.queue(event?)?;
        if queued % PORTION_MAX == 0 {
            appender.send()?;
        }
        step.at(queued, journal.events);
    }
    appender.finish()
}

/// When the events came from which suppressions may follow.
#[derive(Debug, Default)]
struct Causes(HashMap<String, Option<Instant>>);

impl Causes {
    /// Only the first time counts: a copy must neither make its original look younger nor bring it back once
    /// it was answered, since a customer's later suppressions name it again.
    fn came(&mut self, event_id: &str, at: Instant) {
        if !self.0.contains_key(event_id) {
            self.0.insert(event_id.to_owned(), Some(at));
        }
    }

    fn take(&mut self, event_id: &str) -> Option<Instant> {
        self.0.get_mut(event_id)?.take()
    }
}

/// How fast a load comes.
#[derive(Debug, Clone)]
pub(crate) enum Pace {
    /// So many events a second.
    Steady(f64),
    /// As fast as a subject works it off, which is done with so many events of it.
    Following(Arc<AtomicU64>),
}

impl Pace {
    /// When the event came that follows `sent` others: at a steady pace when it was due, whenever it is sent.
    fn came(&self, started: Instant, sent: u64) -> Instant {
        match self {
            Self::Steady(rate) => started + Duration::from_secs_f64((sent + 1) as f64 / rate),
            Self::Following(_) => Instant::now(),
        }
    }

    /// How many events should have been sent by now.
    fn due(&self, started: Instant) -> u64 {
        match self {
            Self::Steady(rate) => whole(started.elapsed().as_secs_f64() * rate),
            Self::Following(done) => done.load(Ordering::Relaxed) + AHEAD_MAX,
        }
    }
}

/// A load from a thread of its own, until its journal ends or it is stopped.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    causes: Arc<Mutex<Causes>>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Load {
    /// Begins to append events at that pace.
    pub(crate) fn start(raw: &Raw, journal: &Journal, pace: Pace) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let causes = Arc::new(Mutex::new(Causes::default()));
        let thread = std::thread::spawn({
            let (raw, journal) = (raw.clone(), journal.clone());
            let (stop, causes) = (Arc::clone(&stop), Arc::clone(&causes));
            move || send(&raw, &journal, &pace, &stop, &causes)
        });
        Self { stop, causes, thread }
    }

    /// When the event came from which this suppression follows, asked for the first time.
    pub(crate) fn take_cause(&self, event_id: &str) -> Option<Instant> {
        self.causes.lock().unwrap_or_else(PoisonError::into_inner).take(event_id)
    }

    /// Whether its journal has come to its end.
    pub(crate) fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// Ends it, once everything that was sent is acknowledged.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the load's thread died"))?
    }
}

fn send(
    raw: &Raw,
    journal: &Journal,
    pace: &Pace,
    stop: &AtomicBool,
    causes: &Mutex<Causes>,
) -> anyhow::Result<()> {
    let mut appender = Appender::new(raw)?;
    let mut events = journal.read()?;
    let (started, mut sent) = (Instant::now(), 0_u64);
    while !stop.load(Ordering::Relaxed) {
        let due = pace.due(started).min(sent + PORTION_MAX);
        while sent < due {
            let Some(event) = events.next() else { return appender.finish() };
            let event = event?;
            if !event.cause.is_empty() {
                let came = pace.came(started, sent);
                causes.lock().unwrap_or_else(PoisonError::into_inner).came(&event.cause, came);
            }
            appender.queue(event)?;
            sent += 1;
        }
        appender.send()?;
        if pace.due(started) <= sent {
            std::thread::sleep(TICK);
        }
    }
    appender.finish()
}

/// A count of events, out of a rate.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of events, never negative"
)]
pub(crate) fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_never_begins_a_delay() {
        let mut causes = Causes::default();
        let (first, later) = (Instant::now(), Instant::now() + TICK);
        causes.came("a", first);
        causes.came("a", later);
        assert_eq!(causes.take("a"), Some(first));
        causes.came("a", later);
        assert_eq!((causes.take("a"), causes.take("b")), (None, None));
    }
}
