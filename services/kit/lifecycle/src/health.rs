//! Health is progress (E4): each component says when it did something, and silence is told from outside.

mod judgement;
mod vital;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use metrics::gauge;
use serde::Serialize;
use tokio::sync::Notify;

use crate::{Stop, metric};
pub use judgement::State;
use vital::Pulse;
pub use vital::Vital;

/// The health of this process: the state of each of its components. Cheap to clone; every clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Health {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    pulses: Mutex<Vec<Arc<Pulse>>>,
    draining: AtomicBool,
    stop_on_death: OnceLock<Stop>,
    /// Told whenever a component ends.
    ended: Notify,
}

/// The health at one moment; `/readyz` answers it as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether the process should be given work: not draining, something runs, and all of it is ready.
    pub ready: bool,
    /// Whether the process is on its way out.
    pub draining: bool,
    /// Each component, in the order in which they were named.
    pub components: Vec<Component>,
}

/// One component in a [`Report`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Component {
    /// Its name.
    pub name: &'static str,
    /// How it is.
    pub state: State,
    /// Why it isn't ready; none where it is ready or has finished.
    pub cause: Option<String>,
    /// Milliseconds since it last made progress.
    pub idle_ms: u64,
}

impl Health {
    /// Nothing runs yet, so nothing is ready.
    pub fn new() -> Health {
        Health::default()
    }

    /// Names a component, which is not ready until it says so, and stalls when it makes no progress within `stall_after`.
    /// A name whose earlier component has ended is taken over; two that live are reported side by side.
    pub fn component(&self, name: &'static str, stall_after: Duration) -> Vital {
        let pulse = Arc::new(Pulse::new(name, stall_after));
        let mut pulses = self.pulses();
        match pulses.iter_mut().find(|other| other.name == name && !other.lives()) {
            Some(ended) => *ended = Arc::clone(&pulse),
            None => pulses.push(Arc::clone(&pulse)),
        }
        Vital::new(pulse, self.clone())
    }

    /// How everything is now. A stall that begins is logged and counted here, so somebody must ask: the admin server does.
    pub fn ready(&self) -> Report {
        self.report(Instant::now())
    }

    /// Turns readiness off from now on: the first step of a drain, before anything is refused.
    pub fn draining(&self) {
        self.shared.draining.store(true, Ordering::Relaxed);
    }

    /// Makes the death of any component request `stop`. `/livez` stays 200 whatever dies, so a process that can't do its work
    /// must end by itself: then its supervisor restarts it, after a drain. The first call counts.
    pub fn stop_on_death(&self, stop: &Stop) {
        drop(self.shared.stop_on_death.set(stop.clone()));
    }

    /// Resolves once no component lives.
    pub async fn ended(&self) {
        loop {
            // Made before the look: an end between the two is then not missed.
            let ended = self.shared.ended.notified();
            if !self.pulses().iter().any(|pulse| pulse.lives()) {
                return;
            }
            ended.await;
        }
    }

    fn report(&self, now: Instant) -> Report {
        let draining = self.shared.draining.load(Ordering::Relaxed);
        let components: Vec<Component> = self.pulses().iter().map(|pulse| pulse.examine(now)).collect();
        let ready = !draining
            && components.iter().any(|component| component.state == State::Ready)
            && components.iter().all(|component| component.cause.is_none());
        gauge!(metric::READY).set(if ready { 1.0 } else { 0.0 });
        Report { ready, draining, components }
    }

    fn component_ended(&self) {
        self.shared.ended.notify_waiters();
    }

    fn component_died(&self, name: &'static str) {
        if let Some(stop) = self.shared.stop_on_death.get() {
            stop.request(&format!("{name} died"));
        }
    }

    fn pulses(&self) -> MutexGuard<'_, Vec<Arc<Pulse>>> {
        self.shared.pulses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Report {
    /// The components that died: a process with one should exit with a failure.
    pub fn died(&self) -> Vec<&'static str> {
        let dead = self.components.iter().filter(|component| component.state == State::Died);
        dead.map(|component| component.name).collect()
    }
}

#[cfg(test)]
mod tests;
