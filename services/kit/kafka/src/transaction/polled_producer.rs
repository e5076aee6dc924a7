use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};

use crate::ffi;

/// How often failed deliveries and client errors are polled. Successful deliveries produce no event
/// (`delivery.report.only.error`), so nothing waits for this interval when all is well.
const POLL_EVERY: Duration = Duration::from_millis(20);

/// A producer with a thread that reports failed deliveries and client errors to the producer's context.
///
/// Why not the wrapper's `ThreadedProducer`: it spins through the last millisecond of each of its waits,
/// which costs 0.9 % of a core for every idle producer (measured), and dropping it takes up to 100 ms.
pub(super) struct PolledProducer<C: ProducerContext + 'static> {
    producer: Arc<BaseProducer<C>>,
    poller: Option<Poller>,
}

/// The polling thread, and the channel whose end stops it.
struct Poller {
    running: Sender<Infallible>,
    thread: JoinHandle<()>,
}

impl<C: ProducerContext + 'static> PolledProducer<C> {
    pub(super) fn new(producer: BaseProducer<C>) -> Self {
        let producer = Arc::new(producer);
        let (running, stopped) = channel::<Infallible>();
        let polled = Arc::clone(&producer);
        let poll_until_stopped = move || {
            while stopped.recv_timeout(POLL_EVERY) == Err(RecvTimeoutError::Timeout) {
                poll_events(&polled);
            }
        };
        let builder = std::thread::Builder::new().name("delivery reports".to_owned());
        let thread = builder.spawn(poll_until_stopped).expect("the system has room for a thread");
        Self { producer, poller: Some(Poller { running, thread }) }
    }

    /// Reports what is waiting to be reported, now.
    pub(super) fn poll_events(&self) {
        poll_events(&self.producer);
    }
}

fn poll_events<C: ProducerContext>(producer: &BaseProducer<C>) {
    while ffi::has_events(producer.client()) {
        producer.poll(Duration::ZERO);
    }
}

impl<C: ProducerContext + 'static> Deref for PolledProducer<C> {
    type Target = BaseProducer<C>;

    fn deref(&self) -> &Self::Target {
        &self.producer
    }
}

/// The thread holds the producer too, so it is awaited: the producer's connections must be closed before a
/// successor is made.
impl<C: ProducerContext + 'static> Drop for PolledProducer<C> {
    fn drop(&mut self) {
        if let Some(Poller { running, thread }) = self.poller.take() {
            drop(running);
            // A thread that panicked holds no producer any more.
            let _ = thread.join();
        }
    }
}
