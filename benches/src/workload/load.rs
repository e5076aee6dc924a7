//! Events onto the raw topic: all at once, or at a steady pace.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
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
/// A steady load is sent in portions this far apart.
const TICK: Duration = Duration::from_millis(2);

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
        let limits = Limits { message_timeout, queue_records: 100_000, ..Limits::default() };
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

/// A steady load from a thread of its own, until its journal ends or it is stopped.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    causes: Arc<Mutex<HashMap<String, Instant>>>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Load {
    /// Begins to append `rate` events a second.
    pub(crate) fn start(raw: &Raw, journal: &Journal, rate: f64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let causes = Arc::new(Mutex::new(HashMap::new()));
        let thread = std::thread::spawn({
            let (raw, journal) = (raw.clone(), journal.clone());
            let (stop, causes) = (Arc::clone(&stop), Arc::clone(&causes));
            move || pace(&raw, &journal, rate, &stop, &causes)
        });
        Self { stop, causes, thread }
    }

    /// When the event was sent from which this suppression follows, asked for the first time.
    pub(crate) fn take_cause(&self, event_id: &str) -> Option<Instant> {
        self.causes.lock().unwrap_or_else(PoisonError::into_inner).remove(event_id)
    }

    /// Ends it, once everything that was sent is acknowledged.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the load's thread died"))?
    }
}

fn pace(
    raw: &Raw,
    journal: &Journal,
    rate: f64,
    stop: &AtomicBool,
    causes: &Mutex<HashMap<String, Instant>>,
) -> anyhow::Result<()> {
    let mut sender = Sender::new(raw)?;
    let mut events = journal.read()?;
    let (started, mut sent) = (Instant::now(), 0_u64);
    while !stop.load(Ordering::Relaxed) {
        let due = started.elapsed().as_secs_f64() * rate;
        while (sent as f64) < due {
            let Some(event) = events.next() else { return sender.finish() };
            let event = event?;
            if !event.cause.is_empty() {
                // A copy must not make its original look younger.
                let mut causes = causes.lock().unwrap_or_else(PoisonError::into_inner);
                causes.entry(event.cause.clone()).or_insert_with(Instant::now);
            }
            sender.send(&event)?;
            sent += 1;
        }
        std::thread::sleep(TICK);
    }
    sender.finish()
}
