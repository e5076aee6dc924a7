use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};

use crate::ffi;

/// How long a failed delivery or an error waits to be told. What goes well is told by nobody, and waits for nothing.
const EVERY: Duration = Duration::from_millis(20);

/// A producer whose failed deliveries and errors are told to its context by a thread of its own.
///
/// Why not the wrapper's `ThreadedProducer`: it spins through the last millisecond of each of its waits, 0.9 % of a core for every
/// producer that has nothing to do (measured), and dropping it takes up to 100 ms.
pub(super) struct Attended<C: ProducerContext + 'static> {
    producer: Arc<BaseProducer<C>>,
    thread: Option<(Sender<Infallible>, JoinHandle<()>)>,
}

impl<C: ProducerContext + 'static> Attended<C> {
    pub(super) fn new(producer: BaseProducer<C>) -> Self {
        let producer = Arc::new(producer);
        let (stay, left) = channel::<Infallible>();
        let attend = {
            let producer = Arc::clone(&producer);
            move || {
                while left.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                    tell(&producer);
                }
            }
        };
        let thread = std::thread::Builder::new().name("delivery reports".to_owned()).spawn(attend);
        let thread = Some((stay, thread.expect("the system has room for a thread")));
        Self { producer, thread }
    }

    /// Tells what there is to be told at once.
    pub(super) fn tell(&self) {
        tell(&self.producer);
    }
}

fn tell<C: ProducerContext>(producer: &BaseProducer<C>) {
    while ffi::has_events(producer.client()) {
        producer.poll(Duration::ZERO);
    }
}

impl<C: ProducerContext + 'static> Deref for Attended<C> {
    type Target = BaseProducer<C>;

    fn deref(&self) -> &Self::Target {
        &self.producer
    }
}

/// The producer goes with it, not at some later time: its connections must be closed before a successor is made.
impl<C: ProducerContext + 'static> Drop for Attended<C> {
    fn drop(&mut self) {
        if let Some((stay, thread)) = self.thread.take() {
            drop(stay);
            // One that has panicked tells nothing any more, and holds nothing either.
            let _ = thread.join();
        }
    }
}
