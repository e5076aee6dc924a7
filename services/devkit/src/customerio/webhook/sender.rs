//! The sender: the queue's decisions, carried out.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use reqwest::{Client, Url, header, redirect};
use tokio::task::{JoinError, JoinSet};

use super::answer::Answer;
use super::queue::{Call, Next, Queue};
use super::schedule::Schedule;
use super::signature::sign;
use super::stats::Stats;
use super::{Ended, Error, Report, Settings, TIMEOUT, USER_AGENT};

/// Sends a schedule as the vendor would.
#[derive(Debug)]
pub struct Sender {
    client: Client,
    url: Url,
    settings: Settings,
    stats: Stats,
}

impl Sender {
    /// A sender with its own connections. It ignores proxies: the receiver is meant to be near.
    ///
    /// # Errors
    /// [`Error`] if the settings make no sense.
    pub fn new(settings: Settings) -> Result<Sender, Error> {
        at_least("clock_factor", settings.clock_factor, 1.0)?;
        at_least("pace_per_s", settings.pace_per_s.unwrap_or(1.0), 0.001)?;
        let url = Url::parse(&settings.url).map_err(|error| Error::Endpoint(error.into()))?;
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            .user_agent(USER_AGENT)
            .no_proxy()
            .build()
            .map_err(Error::Client)?;
        Ok(Sender { client, url, settings, stats: Stats::default() })
    }

    /// The numbers of this sender, to be read at any time.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats.clone()
    }

    /// Sends the whole schedule, or until `stop` is ready. What is on its way then is waited for, four
    /// seconds at most.
    pub async fn run(&self, schedule: &Schedule, stop: impl Future<Output = ()>) -> Report {
        let mut stop = pin!(stop);
        let mut queue = Queue::new(schedule.order(), self.settings.lanes, self.settings.clock_factor);
        let mut pace = Pace::new(self.settings.pace_per_s);
        let mut attempts = JoinSet::new();
        let ended = loop {
            self.launch(schedule, &mut queue, &mut pace, &mut attempts);
            if queue.is_done() {
                break Ended::Complete;
            }
            let wake = wake(&queue, &pace);
            tokio::select! {
                () = &mut stop => break Ended::Stopped,
                Some(attempt) = attempts.join_next() => self.settle(schedule, &mut queue, attempt),
                () = tokio::time::sleep_until(wake.into()) => {}
            }
        };
        while let Some(attempt) = attempts.join_next().await {
            self.settle(schedule, &mut queue, attempt);
        }
        Report { ended, accepted: queue.into_accepted() }
    }

    /// Starts what may start now: due retries first, then new calls.
    fn launch(
        &self,
        schedule: &Schedule,
        queue: &mut Queue,
        pace: &mut Pace,
        attempts: &mut JoinSet<Attempt>,
    ) {
        let now = Instant::now();
        while let Some(call) = queue.retry(now) {
            self.stats.retried();
            self.send(schedule, call, attempts);
        }
        while queue.may_start() && pace.admits(now) {
            if let Some(call) = queue.start() {
                self.stats.started();
                self.send(schedule, call, attempts);
            }
        }
    }

    fn send(&self, schedule: &Schedule, call: Call, attempts: &mut JoinSet<Attempt>) {
        let body = schedule.outcomes()[call.index].body.clone();
        let request = self.request(body);
        attempts.spawn(async move {
            let began = Instant::now();
            let answer = answer(request).await;
            Attempt { call, answer, began, took: began.elapsed() }
        });
    }

    /// A request signed now. The vendor documents the timestamp as the time of the request, so a retry
    /// carries a new one, with its own signature.
    fn request(&self, body: Bytes) -> reqwest::RequestBuilder {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let timestamp = now.as_secs().to_string();
        let signature = sign(&self.settings.signing_key, &timestamp, &body);
        self.client
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("X-CIO-Timestamp", timestamp)
            .header("X-CIO-Signature", signature)
            .body(body)
    }

    fn settle(&self, schedule: &Schedule, queue: &mut Queue, attempt: Result<Attempt, JoinError>) {
        let attempt = attempt.expect("an attempt neither panics nor is aborted");
        let event_id = &schedule.outcomes()[attempt.call.index].event_id;
        self.stats.answered(event_id, attempt.answer, attempt.took);
        let next = queue.answered(attempt.call, attempt.answer, attempt.began, Instant::now());
        if next == Next::GivenUp {
            self.stats.given_up();
            tracing::warn!(event_id, "event given up after the vendor's seven days");
        }
        self.stats.failing(queue.failing());
    }
}

fn at_least(name: &'static str, number: f64, least: f64) -> Result<(), Error> {
    if number.is_finite() && number >= least { Ok(()) } else { Err(Error::TooSmall { name, least }) }
}

/// One request and what came of it.
#[derive(Debug)]
struct Attempt {
    call: Call,
    answer: Answer,
    began: Instant,
    took: Duration,
}

/// The status decides; the rest of the answer is read only to keep the connection.
async fn answer(request: reqwest::RequestBuilder) -> Answer {
    match request.send().await {
        Ok(response) => {
            let status = response.status().as_u16();
            let _ = response.bytes().await;
            Answer::Status(status)
        }
        Err(error) => Answer::of(&error),
    }
}

/// How long the sender may sleep: until a retry is due or the pace admits the next call.
fn wake(queue: &Queue, pace: &Pace) -> Instant {
    let idle = Instant::now() + TIMEOUT;
    let paced = queue.may_start().then_some(pace.next);
    [queue.retry_due(), paced].into_iter().flatten().fold(idle, Instant::min)
}

/// How much of the time missed is made up for, since timers fire late by a millisecond or two.
const CATCH_UP: Duration = Duration::from_millis(50);

/// Spaces new calls evenly. After a stall it goes on at its pace, without a burst.
#[derive(Debug)]
struct Pace {
    gap: Duration,
    next: Instant,
}

impl Pace {
    fn new(per_second: Option<f64>) -> Pace {
        let gap = per_second.map_or(Duration::ZERO, |rate| Duration::from_secs(1).div_f64(rate));
        Pace { gap, next: Instant::now() }
    }

    fn admits(&mut self, now: Instant) -> bool {
        let admitted = now >= self.next;
        if admitted {
            let earliest = now.checked_sub(CATCH_UP).unwrap_or(now);
            self.next = (self.next + self.gap).max(earliest);
        }
        admitted
    }
}
