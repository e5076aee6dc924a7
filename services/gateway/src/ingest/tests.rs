use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Frame;
use hyper::header::HeaderName;
use kafka::Connection;
use schemas::token::TokenKey;
use settings::Reader;

use super::*;

/// An ingest whose Kafka can't be reached.
fn ingest(edit: impl FnOnce(&mut Settings)) -> Arc<Ingest> {
    let key = ("CUSTOMERIO_WEBHOOK_SIGNING_KEY".to_owned(), "k".to_owned());
    let mut settings = Settings::read(&mut Reader::new(Settings::FIELDS, None, [key])).expect("defaults");
    settings.request_timeout = Duration::from_millis(300);
    settings.ack_deadline = Duration::from_millis(200);
    edit(&mut settings);
    let publisher = Publisher::new(&Connection::plain("127.0.0.1:1"), &settings.limits()).expect("a client");
    let (_, partitions) = watch::channel(PartitionCount::Fixed(1));
    Arc::new(Ingest::new(settings, publisher, Topics::default(), TokenKey::development().into(), partitions))
}

/// A body with a fault of its own.
enum Fake {
    Panics,
    Hangs,
    Chunks(u32),
    Breaks,
}

impl Body for Fake {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        match &mut *self {
            Self::Panics => panic!("as told"),
            Self::Hangs => Poll::Pending,
            Self::Breaks => Poll::Ready(Some(Err("broken"))),
            Self::Chunks(0) => Poll::Ready(None),
            Self::Chunks(left) => {
                *left -= 1;
                Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b' '; 1 << 10])))))
            }
        }
    }
}

fn post<B>(body: B) -> Request<B> {
    Request::post("/webhooks/cio").body(body).expect("a request")
}

async fn answered(ingest: &Arc<Ingest>, body: Fake) -> (u16, String) {
    let Ok(response) = Arc::clone(ingest).handle(post(body)).await;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("in memory").to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

/// G3: whatever happens in a request, the answer is one of the few.
#[tokio::test]
async fn a_panic_a_timeout_and_a_broken_body_are_503() {
    let ingest = ingest(|_| {});
    for (body, error) in [(Fake::Panics, "a bug"), (Fake::Hangs, "too long"), (Fake::Breaks, "broke off")] {
        let (status, body) = answered(&ingest, body).await;
        assert!(status == 503 && body.contains(error), "{status} {body}");
        assert!(ingest.is_idle(), "its share is free again");
    }
}

#[tokio::test]
async fn bytes_beyond_the_bounds_are_not_kept_but_read_to_their_end() {
    let ingest = ingest(|settings| (settings.body_limit, settings.bytes_in_flight_max) = (4 << 10, 2 << 10));
    assert_eq!(answered(&ingest, Fake::Chunks(2)).await.0, 401);
    let (status, body) = answered(&ingest, Fake::Chunks(3)).await;
    assert!(status == 503 && body.contains("too many bytes"), "{status} {body}");
    let ingest = self::ingest(|settings| settings.body_limit = 4 << 10);
    assert_eq!(answered(&ingest, Fake::Chunks(4)).await.0, 401);
    assert_eq!(answered(&ingest, Fake::Chunks(5)).await.0, 413);
}

#[tokio::test]
async fn beyond_the_requests_in_flight_the_answer_is_503_at_once() {
    let ingest = ingest(|settings| settings.requests_in_flight_max = 1);
    let hanging = tokio::spawn(Arc::clone(&ingest).handle(post(Fake::Hangs)));
    while ingest.is_idle() {
        tokio::task::yield_now().await;
    }
    let (status, body) = answered(&ingest, Fake::Chunks(1)).await;
    assert!(status == 503 && body.contains("too many requests"), "{status} {body}");
    assert!(hanging.await.is_ok());
}

/// E1: a client that goes away leaves no request uncounted, and frees its share.
#[tokio::test]
async fn a_request_outlives_its_client() {
    let ingest = ingest(|_| {});
    let gone = tokio::spawn(Arc::clone(&ingest).handle(post(Fake::Hangs)));
    while ingest.is_idle() {
        tokio::task::yield_now().await;
    }
    gone.abort();
    assert!(gone.await.is_err());
    assert!(!ingest.is_idle(), "the work goes on");
    while !ingest.is_idle() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// G1: the deadline ends the wait with 503, whatever may still be acknowledged later.
#[tokio::test]
async fn what_is_verified_and_not_acknowledged_in_time_is_503() {
    let ingest = ingest(|_| {});
    let signature = hex::encode(crate::signature::Key::new(b"k").sign(b"1767225600", b""));
    let mut request = post(Fake::Chunks(0));
    for (name, value) in [(TIMESTAMP_HEADER, "1767225600"), (SIGNATURE_HEADER, &signature)] {
        request.headers_mut().append(HeaderName::from_static(name), value.parse().expect("a value"));
    }
    let Ok(response) = Arc::clone(&ingest).handle(request).await;
    assert_eq!(response.status(), 503);
    let body = response.into_body().collect().await.expect("in memory").to_bytes();
    assert_eq!(body, r#"{"error":"kafka did not acknowledge in time"}"#);
}
