//! Whether any broker answers.

use std::convert::Infallible;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kafka::Connection;
use kafka::consumer::Ends;

/// The pause between two questions. One takes ten seconds at most.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// After this time without an answer, the brokers count as gone: two questions in a row found none.
const GONE_AFTER: Duration = Duration::from_secs(30);
/// After this time without an answer, the processor isn't ready.
const NOT_READY_AFTER: Duration = Duration::from_mins(1);

/// Asks the brokers again and again where a partition ends, on a thread and a connection of its own: whatever
/// hangs elsewhere holds up no question.
#[derive(Debug)]
pub(crate) struct Brokers {
    answered_at: Arc<Mutex<Instant>>,
    /// Dropped with this, which ends the thread.
    _asking: Sender<Infallible>,
}

impl Brokers {
    /// Starts to ask for the end of partition 0 of `topic`.
    ///
    /// # Errors
    /// If the client refuses its settings.
    pub(crate) fn watch(connection: &Connection, topic: &str) -> Result<Self, kafka::Error> {
        let ends = Ends::new(connection)?;
        let partition = [(Arc::from(topic), 0)];
        let answered_at = Arc::new(Mutex::new(Instant::now()));
        let (asking, over) = channel::<Infallible>();
        let ask = {
            let answered_at = Arc::clone(&answered_at);
            move || loop {
                if ends.ask(&partition).iter().any(Option::is_some) {
                    *answered_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                }
                if over.recv_timeout(ASK_EVERY) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("brokers".to_owned());
        thread.spawn(ask).expect("the system has room for a thread");
        Ok(Self { answered_at, _asking: asking })
    }

    /// Whether a broker has answered lately.
    pub(crate) fn answer(&self) -> bool {
        self.silence() < GONE_AFTER
    }

    /// Why the processor isn't ready, if it is for the brokers.
    pub(crate) fn cause(&self) -> Option<String> {
        let seconds = self.silence().as_secs();
        (self.silence() >= NOT_READY_AFTER)
            .then(|| format!("no broker answers for {seconds} s: check that they can be reached"))
    }

    fn silence(&self) -> Duration {
        self.answered_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}
