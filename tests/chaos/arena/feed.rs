//! Events flow into raw at a pace, until somebody says that it is enough.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use aftersend_tests::wait::{PATIENCE, await_until};
use aftersend_tests::world::World;
use kafka::publisher::{Delivery, Limits};
use kafka::{Outgoing, PublishError, Publisher};
use schemas::topic::Topic;

use super::workload::{Event, Workload};
use crate::fault::let_pass;

/// Events are drawn in blocks, and shuffled within them.
const BLOCK: u64 = 250;
/// A record that the brokers have not taken by then is sent again: no fault lasts as long.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(20);
/// So often in vain, and there are no brokers any more.
const TRIES: usize = 5;
const TICK: Duration = Duration::from_millis(20);

/// What puts events on raw, as the gateway would.
#[derive(Clone)]
pub(crate) struct Sender {
    publisher: Publisher,
    topic: String,
    partitions: u32,
}

impl Sender {
    pub(crate) fn new(world: &World) -> Sender {
        let limits = Limits { message_timeout: MESSAGE_TIMEOUT, ..Limits::default() };
        let publisher =
            Publisher::new(&world.broker().connection(), &limits).expect("a publisher can be made");
        Sender {
            publisher,
            topic: world.topics().name(Topic::Raw).to_owned(),
            partitions: world.partitions(),
        }
    }

    /// Sends `events` and waits until raw has each of them, be it twice.
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

/// Events on their way.
pub(crate) struct Feed {
    enough: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

impl Feed {
    /// Sends `workload` from event `from` on, so many a second.
    pub(crate) fn start(sender: &Sender, workload: &Workload, from: u64, per_second: u64) -> Feed {
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
        Feed { enough, thread: Some(thread) }
    }

    /// Ends it, and answers the number of the event that would have come next: raw has all before it.
    pub(crate) fn finish(mut self) -> u64 {
        self.enough.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it is finished once");
        thread.join().expect("the feed doesn't panic")
    }
}

/// Of a test that failed; a thread of its own would feed all that follow.
impl Drop for Feed {
    fn drop(&mut self) {
        self.enough.store(true, Ordering::Relaxed);
    }
}

/// Events that the brokers have not taken.
fn lost(sent: Vec<(Event, Delivery)>) -> Vec<Event> {
    sent.into_iter().filter_map(|(event, sent)| sent.wait().is_err().then_some(event)).collect()
}
