//! A stand-in for Customer.io: its people, its webhooks, its Track API.
//!
//! It shares no code with what it is used against: the signature, the payloads and the rules are written a
//! second time here, from the vendor's documentation.

pub mod population;
pub mod track;
pub mod webhook;

use std::fmt;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::population::Population;
use self::track::Track;
use self::webhook::{Disorder, Schedule};

/// What the stand-in is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Decides everything that is drawn.
    pub seed: u64,
    /// How many people the workspace has; 50 are enough to have every kind.
    pub people: usize,
    /// Where the Track API listens; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Its credentials and limits.
    pub track: track::Settings,
}

/// A running Customer.io: a workspace and its Track API. Webhooks go out with a [`webhook::Sender`].
pub struct CustomerIo {
    seed: u64,
    population: Population,
    track: Track,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

impl CustomerIo {
    /// Makes the people and answers the Track API from now on. If it is dropped the API stops.
    ///
    /// # Errors
    /// If the address can't be listened on.
    pub async fn start(settings: Settings) -> std::io::Result<CustomerIo> {
        let listener = TcpListener::bind(settings.listen).await?;
        let address = listener.local_addr()?;
        let population = Population::new(settings.seed, settings.people);
        let track = Track::new(settings.track, population.people());
        let (stop, stopped) = oneshot::channel();
        let serving = track.clone();
        let server = tokio::spawn(async move {
            let stopped = async move {
                let _ = stopped.await;
            };
            serving.serve(listener, stopped).await
        });
        Ok(CustomerIo { seed: settings.seed, population, track, address, stop, server })
    }

    /// The people.
    #[must_use]
    pub fn population(&self) -> &Population {
        &self.population
    }

    /// The Track API: profiles, counts, and what shall go wrong.
    #[must_use]
    pub fn track(&self) -> &Track {
        &self.track
    }

    /// Where the Track API answers, as `http://host:port`.
    #[must_use]
    pub fn track_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A plan for `count` outcomes that happened before `now_s` (Unix seconds), in the disorder asked for.
    #[must_use]
    pub fn schedule(&self, count: usize, now_s: i64, disorder: &Disorder) -> Schedule {
        Schedule::new(self.population.outcomes(self.seed, count, now_s), disorder)
    }

    /// Ends the Track API and waits for its end, a second at most.
    ///
    /// # Errors
    /// As the server failed.
    pub async fn stop(self) -> std::io::Result<()> {
        let _ = self.stop.send(());
        self.server.await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
    }
}

impl fmt::Debug for CustomerIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomerIo").field("address", &self.address).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::population::Shape;
    use super::track::Identifier;
    use super::*;

    fn settings() -> Settings {
        Settings {
            seed: 7,
            people: 100,
            listen: "127.0.0.1:0".parse().unwrap(),
            track: track::Settings::new("site", "key"),
        }
    }

    #[tokio::test]
    async fn everybody_but_the_deleted_has_a_profile_under_each_identifier() {
        let customer_io = CustomerIo::start(settings()).await.unwrap();
        for person in customer_io.population().people() {
            let profile = customer_io.track().profile(&Identifier::cio_id(&person.cio_id));
            assert_eq!(profile.is_some(), person.shape != Shape::Deleted, "{:?}", person.shape);
            if let Some(id) = &person.id {
                assert_eq!(profile, customer_io.track().profile(&Identifier::id(id)));
            }
        }
        customer_io.stop().await.unwrap();
    }

    #[tokio::test]
    async fn it_answers_and_stops() {
        let customer_io = CustomerIo::start(settings()).await.unwrap();
        let url = format!("{}/api/v1/accounts/region", customer_io.track_url());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(&url).basic_auth("site", Some("key")).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        customer_io.stop().await.unwrap();
    }

    #[tokio::test]
    async fn a_schedule_holds_what_was_asked_for() {
        let customer_io = CustomerIo::start(settings()).await.unwrap();
        let disorder = Disorder { duplicates: 0.2, window: 50, seed: 7 };
        let schedule = customer_io.schedule(500, 1_767_225_600, &disorder);
        assert_eq!((schedule.outcomes().len(), schedule.order().len()), (500, 600));
    }
}
