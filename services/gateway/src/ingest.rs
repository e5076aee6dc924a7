//! One webhook, from the head of its request to its answer: receive, verify, translate, publish, answer.

mod count;
mod fallback;
mod publish;
mod trace;
mod translate;

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures::FutureExt;
use http_body_util::Full;
use hyper::body::{Body, Bytes};
use hyper::http::request::Parts;
use hyper::{Request, Response};
use kafka::Publisher;
use lifecycle::clock;
use schemas::header::TRACEPARENT;
use schemas::key::KeyRules;
use schemas::topic::Topics;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use crate::http::admission::{Admission, Permit};
use crate::http::answer::{Answer, Unavailable};
use crate::http::{answer, body, route};
use crate::metric::{self, Counters};
use crate::partition_count::PartitionCount;
use crate::settings::{Settings, Source};
use crate::signature::{Presence, SIGNATURE_HEADER, TIMESTAMP_HEADER, verify};
use fallback::Receipt;
use publish::{Destination, PublishFailure, publish};
use translate::{Rules, TooManyEvents, Translation, translate};

/// What every request shares.
pub(crate) struct Ingest {
    settings: Settings,
    publisher: Publisher,
    topics: Topics,
    keys: KeyRules,
    partition_count: watch::Receiver<PartitionCount>,
    admission: Admission,
    counters: Counters,
    draining: AtomicBool,
    publish_attempts: AtomicU64,
}

/// When a request arrived.
#[derive(Clone, Copy)]
struct Arrival {
    instant: Instant,
    unix_ms: i64,
}

/// A request whose body was read.
struct Received<'a> {
    source: &'a Source,
    body: Bytes,
    /// Counts the request and its bytes as in flight until the request is answered.
    _permit: Permit<'a>,
}

impl Ingest {
    pub(crate) fn new(
        settings: Settings,
        publisher: Publisher,
        topics: Topics,
        keys: KeyRules,
        partition_count: watch::Receiver<PartitionCount>,
    ) -> Self {
        let admission = Admission::new(settings.requests_in_flight_max, settings.bytes_in_flight_max);
        Self {
            settings,
            publisher,
            topics,
            keys,
            partition_count,
            admission,
            counters: Counters::new(),
            draining: AtomicBool::new(false),
            publish_attempts: AtomicU64::new(0),
        }
    }

    /// From now on every answer closes its connection, so that the client connects to another instance (G6).
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// How many requests got as far as publishing. Acknowledgements are measured against this number (E4).
    pub(crate) fn publish_attempts(&self) -> u64 {
        self.publish_attempts.load(Ordering::Relaxed)
    }

    /// Whether no request is in flight.
    pub(crate) fn is_idle(&self) -> bool {
        self.admission.is_idle()
    }

    /// Handles one request. Whatever happens, the answer to a webhook is one of [`Answer`], and the webhook
    /// is counted once.
    ///
    /// The work runs in a task of its own. If the client goes away, the task still ends and counts the
    /// request.
    pub(crate) async fn handle<B>(
        self: Arc<Self>,
        request: Request<B>,
    ) -> Result<Response<Full<Bytes>>, Infallible>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
    {
        if route::is_health_check(request.method(), request.uri().path()) {
            return Ok(answer::health(self.draining.load(Ordering::Relaxed)));
        }
        let ingest = Arc::clone(&self);
        let work = tokio::spawn(async move { ingest.answer_in_time(request).await });
        let answer = work.await.unwrap_or(Answer::Unavailable(Unavailable::Panic));
        Ok(answer.response(self.draining.load(Ordering::Relaxed)))
    }

    /// Counts the request, and bounds its time. A panic is an answer too.
    async fn answer_in_time<B: Body<Data = Bytes> + Unpin>(&self, request: Request<B>) -> Answer {
        let arrival = Arrival { instant: Instant::now(), unix_ms: clock::now_ms() };
        self.counters.received.increment(1);
        let (head, body) = request.into_parts();
        let work = AssertUnwindSafe(self.answer(&head, body, arrival)).catch_unwind();
        let answer = match timeout(self.settings.request_timeout, work).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_panic)) => Answer::Unavailable(Unavailable::Panic),
            Err(_elapsed) => Answer::Unavailable(Unavailable::Timeout),
        };
        self.counters.count_answer(answer, arrival.instant.elapsed());
        answer
    }

    async fn answer<B: Body<Data = Bytes> + Unpin>(
        &self,
        head: &Parts,
        mut body: B,
        arrival: Arrival,
    ) -> Answer {
        let deadline = arrival.instant + self.settings.ack_deadline;
        match self.receive(head, &mut body).await {
            Ok(received) => match self.publish_events(&received, head, arrival, deadline).await {
                Ok(events) => Answer::Received { events },
                Err(refusal) => refusal,
            },
            Err(refusal) => {
                // The rest of the body is read and thrown away: an answer over unread bytes would reset the
                // connection, and the vendor waits an hour after a reset (G3).
                let _ = timeout_at(deadline, body::discard(&mut body)).await;
                refusal
            }
        }
    }

    /// Reads the body of a request that has a source and a place among those in flight.
    async fn receive<B: Body<Data = Bytes> + Unpin>(
        &self,
        head: &Parts,
        body: &mut B,
    ) -> Result<Received<'_>, Answer> {
        let source = route::route(&head.method, head.uri.path(), &self.settings.sources)?;
        let mut permit = self.admission.admit()?;
        let body = body::read(body, self.settings.body_limit, &mut permit).await?;
        Ok(Received { source, body, _permit: permit })
    }

    /// Verifies the body, translates it into events and publishes them. Returns how many were acknowledged.
    async fn publish_events(
        &self,
        received: &Received<'_>,
        head: &Parts,
        arrival: Arrival,
        deadline: Instant,
    ) -> Result<usize, Answer> {
        let header = |name| Presence::of(head.headers.get_all(name).iter().map(|value| value.as_bytes()));
        let (timestamp, signature) = (header(TIMESTAMP_HEADER), header(SIGNATURE_HEADER));
        let verified = verify(&received.source.keys, timestamp, signature, received.body.clone())
            .map_err(Answer::Unauthorized)?;
        // Only a verified request learns of trouble with Kafka.
        let partitions = self.partitions(deadline).await?;
        let receipt = Receipt {
            source: received.source.name.clone(),
            signed_at_ms: verified.signed_at_ms(),
            received_at_ms: arrival.unix_ms,
            verified_at_ms: clock::now_ms(),
        };
        let traceparent = head.headers.get(TRACEPARENT).and_then(|value| trace::valid(value.as_bytes()));
        let Translation { events, oddities } = translate(&verified, &receipt, traceparent, &self.rules())
            .map_err(|TooManyEvents| Answer::TooLarge)?;
        let destination = Destination { publisher: &self.publisher, topics: &self.topics, partitions };
        let began = Instant::now();
        self.publish_attempts.fetch_add(1, Ordering::Relaxed);
        let published = publish(destination, &receipt, events, deadline)
            .await
            .map_err(|failure| Answer::Unavailable(Unavailable::from(&failure)))?;
        metrics::histogram!(metric::ACK_SECONDS).record(began.elapsed());
        self.counters.count_events(&published, &oddities);
        Ok(published.len())
    }

    /// Raw's partition count. A request that arrives before it is known waits for it, until `deadline`.
    async fn partitions(&self, deadline: Instant) -> Result<u32, Answer> {
        if *self.partition_count.borrow() == PartitionCount::Unknown {
            let mut count = self.partition_count.clone();
            let known = count.wait_for(|count| *count != PartitionCount::Unknown);
            // Past the deadline the count is still unknown, and that is the answer.
            let _ = timeout_at(deadline, known).await;
        }
        match *self.partition_count.borrow() {
            PartitionCount::Fixed(count) => Ok(count),
            PartitionCount::Unknown | PartitionCount::Missing => {
                Err(Answer::Unavailable(Unavailable::PartitionsUnknown))
            }
            PartitionCount::Changed { .. } => Err(Answer::Unavailable(Unavailable::PartitionsChanged)),
        }
    }

    fn rules(&self) -> Rules<'_> {
        let millis = self.settings.stale_after.as_millis();
        Rules {
            keys: &self.keys,
            stale_after_ms: i64::try_from(millis).unwrap_or(i64::MAX),
            batch_items_max: self.settings.batch_items_max,
            message_max_bytes: self.settings.message_max_bytes as usize,
        }
    }
}

impl From<&PublishFailure> for Unavailable {
    fn from(failure: &PublishFailure) -> Self {
        match failure {
            PublishFailure::Deadline => Self::AckDeadline,
            PublishFailure::Kafka(error) => Self::Kafka(error.code()),
            PublishFailure::Encode(_) => Self::Encoding,
        }
    }
}

#[cfg(test)]
mod tests;
