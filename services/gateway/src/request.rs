//! One request, from its head to its answer.

mod admission;
pub(crate) mod answer;
mod body;
mod route;

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use futures::FutureExt;
use http_body_util::Full;
use hyper::body::{Body, Bytes};
use hyper::http::request::Parts;
use hyper::{Request, Response};
use kafka::Publisher;
use schemas::header::TRACEPARENT;
use schemas::token::TokenKey;
use schemas::topic::Topics;
use schemas::vocabulary::dead_letter_reason;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{debug, error, warn};

use crate::metric::{self, Counters};
use crate::record::outbound::{Form, Outbound, Receipt};
use crate::record::partition::Partitions;
use crate::record::publish::{Channel, Unkept, keep};
use crate::record::translate::{Rules, TooManyEvents, Translation, translate, valid_traceparent};
use crate::settings::{Settings, Source};
use crate::signature::{Presence, SIGNATURE_HEADER, TIMESTAMP_HEADER, verify};
use admission::{Admission, Ticket};
use answer::{Answer, Unavailable};

/// What every request shares.
pub(crate) struct Desk {
    settings: Settings,
    publisher: Publisher,
    topics: Topics,
    tokens: TokenKey,
    partitions: watch::Receiver<Partitions>,
    admission: Admission,
    counters: Counters,
    draining: AtomicBool,
    tried: AtomicU64,
}

/// When a request came.
#[derive(Clone, Copy)]
struct Arrival {
    instant: Instant,
    wall_ms: i64,
}

impl Desk {
    pub(crate) fn new(
        settings: Settings,
        publisher: Publisher,
        topics: Topics,
        tokens: TokenKey,
        partitions: watch::Receiver<Partitions>,
    ) -> Self {
        let admission = Admission::new(settings.requests_in_flight_max, settings.bytes_in_flight_max);
        Self {
            settings,
            publisher,
            topics,
            tokens,
            partitions,
            admission,
            counters: Counters::new(),
            draining: AtomicBool::new(false),
            tried: AtomicU64::new(0),
        }
    }

    /// From now on every answer asks its client to connect anew (G6).
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// How many requests have come as far as Kafka: what acknowledgements are measured against (E4).
    pub(crate) fn tried(&self) -> u64 {
        self.tried.load(Ordering::Relaxed)
    }

    /// Whether no request is being dealt with.
    pub(crate) fn is_idle(&self) -> bool {
        self.admission.is_idle()
    }

    /// Answers one request. Whatever happens in it, one of [`Answer`]'s few statuses leaves, and it is counted once.
    ///
    /// The work is a task of its own: a client that goes away in the middle must not leave a request uncounted.
    pub(crate) async fn answer<B>(
        self: Arc<Self>,
        request: Request<B>,
    ) -> Result<Response<Full<Bytes>>, Infallible>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
    {
        let desk = Arc::clone(&self);
        let work = tokio::spawn(async move { desk.bounded(request).await });
        let answer = work.await.unwrap_or(Answer::Unavailable(Unavailable::Panic));
        Ok(answer.response(self.draining.load(Ordering::Relaxed)))
    }

    async fn bounded<B: Body<Data = Bytes> + Unpin>(&self, request: Request<B>) -> Answer {
        let at = Arrival { instant: Instant::now(), wall_ms: wall_ms() };
        self.counters.received.increment(1);
        let (head, body) = request.into_parts();
        let work = AssertUnwindSafe(self.take(&head, body, at)).catch_unwind();
        let answer = match timeout(self.settings.request_timeout, work).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_panic)) => Answer::Unavailable(Unavailable::Panic),
            Err(_elapsed) => Answer::Unavailable(Unavailable::Timeout),
        };
        self.count(answer, at);
        answer
    }

    /// Takes a request in. What is refused before its body was read is read to its end nevertheless, though not kept:
    /// an answer over unread bytes would end in a reset connection, which costs an hour (G3).
    async fn take<B: Body<Data = Bytes> + Unpin>(&self, head: &Parts, mut body: B, at: Arrival) -> Answer {
        let deadline = at.instant + self.settings.ack_deadline;
        match self.read(head, &mut body).await {
            Ok((source, bytes, _ticket)) => {
                self.keep(source, head, bytes, at, deadline).await.unwrap_or_else(|refusal| refusal)
            }
            Err(refusal) => {
                let _ = timeout_at(deadline, body::discard(&mut body)).await;
                refusal
            }
        }
    }

    async fn read<B: Body<Data = Bytes> + Unpin>(
        &self,
        head: &Parts,
        body: &mut B,
    ) -> Result<(&Source, Bytes, Ticket<'_>), Answer> {
        let source = route::route(&head.method, head.uri.path(), &self.settings.sources)?;
        let mut ticket = self.admission.enter()?;
        let bytes = body::read(body, self.settings.body_limit, &mut ticket).await?;
        Ok((source, bytes, ticket))
    }

    async fn keep(
        &self,
        source: &Source,
        head: &Parts,
        body: Bytes,
        at: Arrival,
        deadline: Instant,
    ) -> Result<Answer, Answer> {
        let header = |name| Presence::of(head.headers.get_all(name).iter().map(|value| value.as_bytes()));
        let verified = verify(&source.keys, header(TIMESTAMP_HEADER), header(SIGNATURE_HEADER), body)
            .map_err(Answer::Unauthorized)?;
        let partitions = match *self.partitions.borrow() {
            Partitions::Fixed(count) => count,
            Partitions::Unknown => return Err(Answer::Unavailable(Unavailable::PartitionsUnknown)),
            Partitions::Changed { .. } => return Err(Answer::Unavailable(Unavailable::PartitionsChanged)),
        };
        let receipt = Receipt {
            source: source.name.clone(),
            signed_at_ms: verified.signed_at_ms(),
            received_at_ms: at.wall_ms,
            verified_at_ms: wall_ms(),
        };
        let trace = head.headers.get(TRACEPARENT).and_then(|value| valid_traceparent(value.as_bytes()));
        let Translation { outbound, oddities } =
            translate(&verified, &receipt, trace, &self.rules()).map_err(|TooManyEvents| Answer::TooLarge)?;
        let channel = Channel { publisher: &self.publisher, topics: &self.topics, partitions };
        let queued = Instant::now();
        self.tried.fetch_add(1, Ordering::Relaxed);
        let kept =
            keep(channel, &receipt, outbound, deadline).await.map_err(|unkept| unavailable(&unkept))?;
        metrics::histogram!(metric::ACK_SECONDS).record(queued.elapsed());
        self.count_events(&kept, &oddities);
        Ok(Answer::Received { events: kept.len() })
    }

    fn rules(&self) -> Rules<'_> {
        let millis = self.settings.stale_after.as_millis();
        Rules {
            tokens: &self.tokens,
            stale_after_ms: i64::try_from(millis).unwrap_or(i64::MAX),
            batch_items_max: self.settings.batch_items_max,
            message_max_bytes: self.settings.message_max_bytes as usize,
        }
    }

    fn count(&self, answer: Answer, at: Arrival) {
        metrics::histogram!(metric::ANSWER_SECONDS).record(at.instant.elapsed());
        let (status, reason) = (answer.status(), answer.reason());
        match answer {
            Answer::Received { .. } => return self.counters.accepted.increment(1),
            Answer::TooLarge => error!(reason, "a webhook is larger than the hard cap and was refused"),
            Answer::Unavailable(why) if why.needs_a_key() => {
                warn!(cause = %why, "a webhook was answered 503");
            }
            // Anybody can cause the rest, as often as they like: the counters tell of it.
            _ => debug!(reason, "a request was refused"),
        }
        let labels = [("status", status.as_str().to_owned()), ("reason", reason.to_owned())];
        metrics::counter!(metric::REFUSED, &labels).increment(1);
    }

    fn count_events(&self, kept: &[Outbound], oddities: &[&'static str]) {
        for event in kept {
            let (outcome, reason) = match &event.form {
                Form::Raw => {
                    self.counters.raw.increment(1);
                    continue;
                }
                Form::Stripped(_) => ("stripped", dead_letter_reason::TOO_LARGE),
                Form::Dead(reason) | Form::DeadHead(reason) => ("dead_letter", reason.code()),
            };
            warn!(outcome, reason, "a verified event is not in raw as it came");
            metrics::counter!(metric::EVENTS, "outcome" => outcome, "reason" => reason).increment(1);
        }
        for oddity in oddities {
            metrics::counter!(metric::ODDITIES, "oddity" => *oddity).increment(1);
        }
    }
}

fn unavailable(unkept: &Unkept) -> Answer {
    Answer::Unavailable(match unkept {
        Unkept::Deadline => Unavailable::AckDeadline,
        Unkept::Kafka(error) => Unavailable::Kafka(error.code()),
        Unkept::Encode(_) => Unavailable::Encoding,
    })
}

/// The gateway's clock, in Unix milliseconds.
fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
