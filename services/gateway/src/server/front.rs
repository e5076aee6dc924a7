//! Connections: accepting them, keeping them, and letting them go without a reset (G6).

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use lifecycle::{Health, Stop};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use crate::request::Desk;
use crate::{Settings, metric};

/// Wait after a failed accept, most often for want of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Between the listener's end and the connections': time for the requests of the last ones accepted to arrive.
const LAST_CALL: Duration = Duration::from_millis(250);

/// How connections are treated.
pub(super) struct Front {
    permits: Arc<Semaphore>,
    http: http1::Builder,
    drain_delay: Duration,
    in_flight_max: Duration,
}

type Accepted = (OwnedSemaphorePermit, TcpStream);

impl Front {
    pub(super) fn of(settings: &Settings) -> Self {
        let mut http = http1::Builder::new();
        // hyper starts this clock when the answer before has left, so it is the bound on idleness too, and must be
        // longer than any load balancer's. Slow heads are then as cheap for an attacker as idle connections, which
        // have to be allowed: their bound is the number of connections.
        http.timer(TokioTimer::new()).header_read_timeout(settings.idle_timeout);
        Self {
            permits: Arc::new(Semaphore::new(settings.connections_max)),
            http,
            drain_delay: settings.drain_delay,
            in_flight_max: settings.request_timeout + Duration::from_secs(1),
        }
    }

    /// Serves until `stop`, and then until the last answer has left.
    pub(super) async fn serve(&self, listener: TcpListener, desk: &Arc<Desk>, health: &Health, stop: &Stop) {
        let connections = GracefulShutdown::new();
        self.accept_until(stop.wait(), &listener, &connections, desk).await;
        info!(drain_delay_ms = self.drain_delay.as_millis(), "gateway drains");
        health.draining();
        desk.drain();
        self.accept_until(sleep(self.drain_delay), &listener, &connections, desk).await;
        // What the kernel has accepted for us must not be reset by closing the listener.
        while let Some(accepted) = self.accept(&listener).now_or_never() {
            self.open(accepted, &connections, desk);
        }
        drop(listener);
        sleep(LAST_CALL).await;
        if timeout(self.in_flight_max, connections.shutdown()).await.is_err() || !desk.is_idle() {
            warn!("gateway ends with requests in flight");
        }
    }

    async fn accept_until(
        &self,
        end: impl Future<Output = ()>,
        listener: &TcpListener,
        connections: &GracefulShutdown,
        desk: &Arc<Desk>,
    ) {
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return,
                accepted = self.accept(listener) => self.open(accepted, connections, desk),
            }
        }
    }

    async fn accept(&self, listener: &TcpListener) -> Accepted {
        loop {
            let permit =
                Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
            match listener.accept().await {
                Ok((stream, _)) => return (permit, stream),
                Err(err) => {
                    warn!(error = %err, "connection not accepted: check the limit on open files");
                    sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    fn open(&self, (permit, stream): Accepted, connections: &GracefulShutdown, desk: &Arc<Desk>) {
        // An answer is one small write: waiting for more would only cost time.
        let _ = stream.set_nodelay(true);
        let desk = Arc::clone(desk);
        let service = service_fn(move |request| Arc::clone(&desk).answer(request));
        let connection = connections.watch(self.http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            metrics::gauge!(metric::CONNECTIONS).increment(1.0);
            if let Err(err) = connection.await {
                debug!(error = %err, "connection ended");
            }
            metrics::gauge!(metric::CONNECTIONS).decrement(1.0);
            drop(permit);
        });
    }
}
