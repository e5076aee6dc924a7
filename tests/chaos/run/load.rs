//! Sends events to raw at a steady pace until it is stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use aftersend_tests::deployment::Deployment;
use aftersend_tests::wait::{PATIENCE, await_until};
use kafka::publisher::{Delivery, Limits};
use kafka::{Outgoing, PublishError, Publisher};
use schemas::topic::Topic;

use super::workload::{Event, Workload};
use crate::fault::let_pass;

/// Events are drawn in blocks, and shuffled within them.
const BLOCK: u64 = 250;
/// A record that is not acknowledged by then is sent again. No fault lasts as long.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(20);
/// After so many failures, the brokers are considered dead.
const TRIES: usize = 5;
const TICK: Duration = Duration::from_millis(20);

/// Writes events to raw, as the gateway would.
#[derive(Clone)]
pub(crate) struct Sender {
    publisher: Publisher,
    topic: String,
    partitions: u32,
}

impl Sender {
    pub(crate) fn new(deployment: &Deployment) -> Sender {
        let limits = Limits { message_timeout: MESSAGE_TIMEOUT, ..Limits::default() };
        let publisher =
            Publisher::new(&deployment.broker().connection(), &limits).expect("a publisher can be made");
        Sender {
            publisher,
            topic: deployment.topics().name(Topic::Raw).to_owned(),
            partitions: deployment.partitions(),
        }
    }

    /// Sends `events` and waits until raw has each of them, once or more often.
    pub(crate) fn send(&self, events: impl Iterator<Item = Event>) {
        let mut missing: Vec<Event> = events.collect();
        for _ in 0..TRIES {
            let waiting: Vec<_> = missing.into_iter().map(|event| self.queued(event)).collect();
            missing = lost(waiting);
            if missing.is_empty() {
                break;
            }
        }
        assert!(missing.is_empty(), "raw takes no events any more");
    }

    /// Sends one record that may be no event, and waits until raw has it.
    pub(crate) fn send_one(&self, record: &Outgoing<'_>) {
        let sent = self.publisher.publish(record).expect("raw takes a record");
        sent.wait().expect("raw has the record");
    }

    fn queued(&self, event: Event) -> (Event, Delivery) {
        let record = event.record(&self.topic, self.partitions);
        let delivery = await_until("room for an event", PATIENCE, || match self.publisher.publish(&record) {
            Err(PublishError::QueueFull) => None,
            taken => Some(taken.expect("raw takes an event")),
        });
        (event, delivery)
    }
}

/// A thread that sends events.
pub(crate) struct LoadGenerator {
    enough: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

impl LoadGenerator {
    /// Sends `workload` from event `from` on, so many a second.
    pub(crate) fn start(sender: &Sender, workload: &Workload, from: u64, per_second: u64) -> LoadGenerator {
        let enough = Arc::<AtomicBool>::default();
        let (sender, workload, stopped) = (sender.clone(), workload.clone(), Arc::clone(&enough));
        let thread = std::thread::spawn(move || {
            let (mut next, mut tick) = (from, Instant::now());
            let a_tick = usize::try_from((per_second * 20 / 1_000).max(1)).expect("a pace is small");
            let mut waiting: Vec<(Event, Delivery)> = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let order = workload.order(next, next + BLOCK);
                next += BLOCK;
                for numbers in order.chunks(a_tick) {
                    waiting.extend(numbers.iter().map(|number| sender.queued(workload.event(*number))));
                    if !stopped.load(Ordering::Relaxed) {
                        tick += TICK;
                        let_pass(tick.saturating_duration_since(Instant::now()));
                    }
                }
                sender.send(lost(std::mem::take(&mut waiting)).into_iter());
            }
            next
        });
        LoadGenerator { enough, thread: Some(thread) }
    }

    /// Stops the thread. Returns the number of the next event: raw has all events before it.
    pub(crate) fn finish(mut self) -> u64 {
        self.enough.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it is finished once");
        thread.join().expect("the load doesn't panic")
    }
}

/// Stops the thread also when a test fails: it would go on under the tests that follow.
impl Drop for LoadGenerator {
    fn drop(&mut self) {
        self.enough.store(true, Ordering::Relaxed);
    }
}

/// Events that the brokers have not taken.
fn lost(sent: Vec<(Event, Delivery)>) -> Vec<Event> {
    sent.into_iter().filter_map(|(event, sent)| sent.wait().is_err().then_some(event)).collect()
}
