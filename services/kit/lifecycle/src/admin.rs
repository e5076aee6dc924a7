//! The admin port: liveness, readiness and metrics, for supervisors and collectors.

use std::future::{IntoFuture, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use telemetry::Metrics;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::{interval, sleep, timeout};
use tracing::warn;

use crate::{Error, Health, Stop, metric};

settings::declare! {
    /// The settings of the admin server.
    #[derive(Debug, Clone)]
    pub struct Settings in "admin" {
        /// Address and port where `/livez`, `/readyz` and `/metrics` are served. Not for the public: the
        /// server has no access control.
        pub listen: SocketAddr = "127.0.0.1:9464" { env: "AFTERSEND_ADMIN" },
    }
}

/// Time between two checks for stalls, which happen even if nobody requests `/readyz`.
const STALL_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How long the server stays after a request to stop while a component still lives.
const LINGER_MAX: Duration = Duration::from_secs(120);

/// How long connections may take to end once the server leaves.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// The largest request body that is read and discarded.
const BODY_BYTES_MAX: usize = 16 << 20;

/// Serves `/livez` (200 while the process runs), `/readyz` (200 or 503, with the [`Report`](crate::Report) as
/// JSON) and `/metrics`.
///
/// Readiness is off once `stop` is requested. The server is the last component to end: it answers until every
/// other component has ended (at most two minutes), so that a drain can be watched. It then waits for open
/// responses, at most 5 s.
///
/// # Errors
/// A listener that fails.
pub async fn serve(listener: TcpListener, health: Health, metrics: Metrics, stop: Stop) -> Result<(), Error> {
    metrics.describe(metric::METRICS);
    let leaving = Arc::new(Notify::new());
    let leave = leave(health.clone(), stop, Arc::clone(&leaving));
    let server = axum::serve(listener, router(health.clone(), metrics)).with_graceful_shutdown(leave);
    tokio::select! {
        served = server.into_future() => served.map_err(Error::Admin),
        () = check_stalls(&health) => Ok(()),
        () = force(&leaving) => Ok(()),
    }
}

fn router(health: Health, metrics: Metrics) -> Router {
    Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(readiness))
        .with_state(health)
        .route("/metrics", get(|State(metrics): State<Metrics>| async move { exposition(&metrics) }))
        .with_state(metrics)
        .layer(middleware::from_fn(read_body))
}

/// Reads the request's body, which no route needs. A connection that is closed with unread bytes is reset,
/// and the client loses the answer.
async fn read_body(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    // A client that is too slow or sends too much gets its answer nevertheless, and may lose it.
    drop(timeout(CLOSE_MAX, discard(body)).await);
    next.run(Request::from_parts(head, Body::empty())).await
}

async fn discard(mut body: Body) {
    let mut read_bytes = 0;
    while let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        read_bytes += frame.data_ref().map_or(0, Bytes::len);
        if read_bytes > BODY_BYTES_MAX {
            return;
        }
    }
}

async fn readiness(State(health): State<Health>) -> Response {
    let report = health.ready();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}

fn exposition(metrics: &Metrics) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render()).into_response()
}

/// Checks the health for stalls, without end.
async fn check_stalls(health: &Health) {
    let mut ticks = interval(STALL_CHECK_INTERVAL);
    loop {
        ticks.tick().await;
        health.ready();
    }
}

/// Resolves when the server should end, and notifies `leaving`.
async fn leave(health: Health, stop: Stop, leaving: Arc<Notify>) {
    stop.wait().await;
    health.draining();
    if timeout(LINGER_MAX, health.ended()).await.is_err() {
        warn!("components outlive the drain, the admin server leaves before them");
    }
    leaving.notify_one();
}

/// Resolves when open connections have had their time to end.
async fn force(leaving: &Notify) {
    leaving.notified().await;
    sleep(CLOSE_MAX).await;
}
