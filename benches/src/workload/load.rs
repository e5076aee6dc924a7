//! Events onto the raw topic: all at once, or at a steady pace.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use kafka::publisher::{Delivery, Limits};
use kafka::transaction::Tail;
use kafka::{Connection, Outgoing, PublishError, Publisher};

use super::{Event, Journal};
use crate::screen::Step;

/// Records on their way at once, when nobody waits for any of them.
const IN_FLIGHT_MAX: usize = 20_000;
/// A load is sent in portions this far apart.
const TICK: Duration = Duration::from_millis(2);
/// Batches that the load makes in a second. With the gateway's linger of 2 ms, thousands of requests with a few records each would keep
/// the broker busy, and the load would measure itself.
const BATCHES_A_SECOND: u32 = 600;
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
    let mut sender = Sender::new(raw)?;
    for (sent, event) in (1..).zip(journal.read()?) {
        sender.send(&event?)?;
        step.at(sent, journal.events);
    }
    sender.finish()
}

/// Publishes, and sees that everything arrives.
struct Sender<'a> {
    raw: &'a Raw,
    publisher: Publisher,
    under_way: VecDeque<Delivery>,
}

impl<'a> Sender<'a> {
    fn new(raw: &'a Raw) -> anyhow::Result<Self> {
        let message_timeout = Duration::from_secs(60);
        let limits = Limits {
            message_timeout,
            linger: Duration::from_secs(1) * raw.partitions / BATCHES_A_SECOND,
            queue_records: 100_000,
            ..Limits::default()
        };
        let publisher = Publisher::new(&raw.connection, &limits)?;
        Ok(Self { raw, publisher, under_way: VecDeque::new() })
    }

    fn send(&mut self, event: &Event) -> anyhow::Result<()> {
        let record = Outgoing {
            topic: &self.raw.topic,
            partition: Some(schemas::partition::of(&event.key, self.raw.partitions)),
            key: Some(&event.key),
            value: Some(&event.value),
            headers: &[],
        };
        loop {
            match self.publisher.publish(&record) {
                Ok(delivery) => break self.under_way.push_back(delivery),
                Err(PublishError::QueueFull) => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => return Err(error.into()),
            }
        }
        while self.under_way.len() > IN_FLIGHT_MAX {
            self.await_one()?;
        }
        Ok(())
    }

    fn finish(mut self) -> anyhow::Result<()> {
        while !self.under_way.is_empty() {
            self.await_one()?;
        }
        Ok(())
    }

    fn await_one(&mut self) -> anyhow::Result<()> {
        if let Some(delivery) = self.under_way.pop_front() {
            delivery.wait()?;
        }
        Ok(())
    }
}

/// When the events were sent from which suppressions may follow.
#[derive(Debug, Default)]
struct Causes(HashMap<String, Option<Instant>>);

impl Causes {
    /// Only the first time counts: a copy must neither make its original look younger nor bring it back once it was answered,
    /// since a customer's later suppressions name it again.
    fn sent(&mut self, event_id: &str) {
        if !self.0.contains_key(event_id) {
            self.0.insert(event_id.to_owned(), Some(Instant::now()));
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

    /// When the event was sent from which this suppression follows, asked for the first time.
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
    let mut sender = Sender::new(raw)?;
    let mut events = journal.read()?;
    let (started, mut sent) = (Instant::now(), 0_u64);
    while !stop.load(Ordering::Relaxed) {
        let due = pace.due(started);
        while sent < due {
            let Some(event) = events.next() else { return sender.finish() };
            let event = event?;
            if !event.cause.is_empty() {
                causes.lock().unwrap_or_else(PoisonError::into_inner).sent(&event.cause);
            }
            sender.send(&event)?;
            sent += 1;
        }
        std::thread::sleep(TICK);
    }
    sender.finish()
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
        causes.sent("a");
        let first = causes.0["a"];
        causes.sent("a");
        assert_eq!(causes.take("a"), first);
        causes.sent("a");
        assert_eq!((causes.take("a"), causes.take("b")), (None, None));
    }
}
