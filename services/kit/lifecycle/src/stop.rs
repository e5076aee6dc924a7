//! One request to stop, for every thread and task.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;
use std::{io, process, thread};

use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info, warn};

/// A request to stop the whole process, made once. Cheap to clone: every clone is the same request.
#[derive(Debug, Clone)]
pub struct Stop {
    shared: Arc<Shared>,
}

/// The same fact twice: tasks await the channel, and threads wait for the condition.
#[derive(Debug)]
struct Shared {
    requested: Mutex<bool>,
    threads: Condvar,
    tasks: watch::Sender<bool>,
}

impl Stop {
    /// Not requested yet.
    pub fn new() -> Stop {
        let (tasks, _) = watch::channel(false);
        Stop { shared: Arc::new(Shared { requested: Mutex::new(false), threads: Condvar::new(), tasks }) }
    }

    /// Turns SIGTERM and SIGINT into a request to stop. A second signal exits with code 1 immediately, for an
    /// operator whose drain hangs. A separate thread listens, so that a busy runtime can't delay it. The
    /// signals are caught when this returns.
    pub fn on_signals(&self) {
        let (caught, is_caught) = mpsc::channel();
        let stop = self.clone();
        let listener = thread::Builder::new().name("signals".to_owned());
        let listening = listener.spawn(move || listen(&stop, &caught)).and_then(|_| {
            is_caught.recv().unwrap_or_else(|_| Err(io::Error::other("the signal listener ended")))
        });
        if let Err(err) = listening {
            error!(error = %err, "signals can't be caught: they end the process without a drain");
        }
    }

    /// Requests the stop and logs the reason. Only the first request counts.
    pub fn request(&self, why: &str) {
        let mut requested = self.requested_now();
        if *requested {
            return;
        }
        *requested = true;
        info!(why, "stop requested");
        self.shared.threads.notify_all();
        self.shared.tasks.send_replace(true);
    }

    /// Whether the stop was requested.
    pub fn requested(&self) -> bool {
        *self.requested_now()
    }

    /// Resolves once the stop is requested.
    pub async fn wait(&self) {
        let mut requested = self.shared.tasks.subscribe();
        requested.wait_for(|requested| *requested).await.expect("the sender lives as long as this stop");
    }

    /// Blocks this thread until the stop is requested or `timeout` has passed. True means that the stop is
    /// requested. Not for tasks.
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        let requested = self.requested_now();
        let (requested, _) = self
            .shared
            .threads
            .wait_timeout_while(requested, timeout, |requested| !*requested)
            .unwrap_or_else(PoisonError::into_inner);
        *requested
    }

    fn requested_now(&self) -> MutexGuard<'_, bool> {
        self.shared.requested.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Stop {
    fn default() -> Stop {
        Stop::new()
    }
}

/// The signal thread: reports whether the signals are caught, then waits for two signals.
fn listen(stop: &Stop, caught: &mpsc::Sender<io::Result<()>>) {
    let caught_signals = runtime::Builder::new_current_thread().enable_all().build().and_then(|runtime| {
        let signals = {
            let _guard = runtime.enter();
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
        };
        Ok((runtime, signals))
    });
    match caught_signals {
        Ok((runtime, signals)) => {
            // Sending fails only if the caller has panicked, and then no one waits for the report.
            drop(caught.send(Ok(())));
            runtime.block_on(stop_on(stop, signals));
        }
        Err(err) => drop(caught.send(Err(err))),
    }
}

async fn stop_on(stop: &Stop, (mut terminate, mut interrupt): (Signal, Signal)) {
    let first = either(&mut terminate, &mut interrupt).await;
    stop.request(first);
    let second = either(&mut terminate, &mut interrupt).await;
    warn!(signal = second, "second signal: exiting without a drain");
    process::exit(1);
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::Stop;

    #[tokio::test]
    async fn every_waiter_hears_one_request() {
        let stop = Stop::new();
        let thread = thread::spawn({
            let stop = stop.clone();
            move || stop.wait_timeout(Duration::from_secs(60))
        });
        let task = tokio::spawn({
            let stop = stop.clone();
            async move { stop.wait().await }
        });
        stop.request("test");
        stop.request("again");
        task.await.unwrap();
        assert!(thread.join().unwrap());
        assert!(stop.requested());
    }

    #[tokio::test]
    async fn a_waiter_that_comes_late_returns_at_once() {
        let stop = Stop::new();
        stop.request("test");
        stop.wait().await;
        assert!(stop.wait_timeout(Duration::ZERO));
    }

    #[test]
    fn a_timeout_without_a_request_is_false() {
        assert!(!Stop::new().wait_timeout(Duration::from_millis(1)));
    }
}
