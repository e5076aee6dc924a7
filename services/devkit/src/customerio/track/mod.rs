//! The Track API: what the vendor answers, and the profiles behind it.

mod fault;
mod identifier;
mod operation;
mod profile;
mod server;
#[cfg(test)]
mod tests;
mod violation;
mod workspace;

pub use self::fault::Fault;
pub use self::identifier::Identifier;
pub use self::profile::{Attribute, Profile};
pub use self::workspace::{Counts, Destruction};

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;

use self::fault::Faults;
use self::workspace::Workspace;
use super::population::{Person, Shape};

/// Who may call, and how often.
#[derive(Clone)]
pub struct Settings {
    /// The site id: the user of the basic authentication.
    pub site_id: String,
    /// The API key: its password.
    pub api_key: String,
    /// The region that the account is said to be in: `us` or `eu`.
    pub region: String,
    /// Requests per second before 429; none is without limit.
    pub rate_limit_per_s: Option<u32>,
}

impl Settings {
    /// Those credentials, in the US, without a limit.
    #[must_use]
    pub fn new(site_id: impl Into<String>, api_key: impl Into<String>) -> Settings {
        Settings {
            site_id: site_id.into(),
            api_key: api_key.into(),
            region: "us".to_owned(),
            rate_limit_per_s: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("region", &self.region).finish_non_exhaustive()
    }
}

/// A handle to the API and what is behind it; cheap to clone.
#[derive(Clone, Debug)]
pub struct Track {
    settings: Arc<Settings>,
    state: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    workspace: Workspace,
    faults: Faults,
}

impl Track {
    /// A workspace with a profile for each of `people`, except for those who were deleted.
    #[must_use]
    pub fn new(settings: Settings, people: &[Person]) -> Track {
        let track = Track { settings: Arc::new(settings), state: Arc::default() };
        track.with(|state| {
            for person in people.iter().filter(|person| person.shape != Shape::Deleted) {
                state.workspace.insert(profile(person));
            }
        });
        track
    }

    /// Answers on `listener` until `stop` is ready. Then requests under way may end, for one second: one
    /// that hangs at a test's wish doesn't hold up the end.
    ///
    /// # Errors
    /// As the listener fails.
    pub async fn serve(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let stopped = Arc::new(tokio::sync::Notify::new());
        let grace = Arc::clone(&stopped);
        let server = axum::serve(listener, server::router(self.clone())).with_graceful_shutdown(async move {
            stop.await;
            stopped.notify_one();
        });
        tokio::select! {
            ended = server => ended,
            () = async { grace.notified().await; tokio::time::sleep(Duration::from_secs(1)).await } => Ok(()),
        }
    }

    /// The profile of that person, as it is now.
    #[must_use]
    pub fn profile(&self, identifier: &Identifier) -> Option<Profile> {
        self.with(|state| state.workspace.profile(identifier).cloned())
    }

    /// Every profile, as it is now, in no order.
    #[must_use]
    pub fn profiles(&self) -> Vec<Profile> {
        self.with(|state| state.workspace.profiles().cloned().collect())
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.with(|state| state.workspace.counts.clone())
    }

    /// Every request to destroy a profile, in order, also of people who weren't there.
    #[must_use]
    pub fn destroyed(&self) -> Vec<Destruction> {
        self.with(|state| state.workspace.destroyed.clone())
    }

    /// The next authorised request to `batch` or `entity` goes wrong, after those already asked for.
    pub fn fail_next(&self, fault: Fault) {
        self.with(|state| state.faults.queue.push_back(fault));
    }

    /// The next `times` operations on that person are refused: an entry in a 207, the batch otherwise
    /// applied.
    pub fn reject(&self, identifier: Identifier, times: u32) {
        self.with(|state| state.faults.rejections.insert(identifier, times));
    }

    /// Every request waits that long before it is looked at.
    pub fn delay(&self, latency: Duration) {
        self.with(|state| state.faults.latency = latency);
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The person's profile before any write-back. A workspace that knows ids only has no address as identifier.
fn profile(person: &Person) -> Profile {
    Profile {
        id: person.id.clone(),
        email: person.email.clone().filter(|_| person.shape != Shape::IdOnly),
        cio_id: person.cio_id.clone(),
        ..Profile::default()
    }
}
