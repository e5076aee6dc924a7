//! Connections: accepted, kept open, and drained without a reset (G6).

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

use crate::ingest::Ingest;
use crate::{Settings, metric};

/// Pause after a failed accept. The usual cause is a lack of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Pause between closing the listener and closing the connections, so that the requests of the connections
/// accepted last can arrive.
const LAST_REQUESTS_WAIT: Duration = Duration::from_millis(250);

/// Accepts connections and serves their requests.
pub(crate) struct Listener {
    permits: Arc<Semaphore>,
    http: http1::Builder,
    drain_delay: Duration,
    in_flight_max: Duration,
}

/// A connection, counted against the limit until it ends.
struct Accepted {
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
}

impl Listener {
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut http = http1::Builder::new();
        // hyper starts this clock when the previous answer has left. So it bounds idle connections too, and
        // must be longer than any load balancer keeps an idle connection. An attacker's slow heads then cost
        // no more than idle connections, which must be allowed. The limit on both is the number of
        // connections.
        http.timer(TokioTimer::new()).header_read_timeout(settings.idle_timeout);
        Self {
            permits: Arc::new(Semaphore::new(settings.connections_max)),
            http,
            drain_delay: settings.drain_delay,
            in_flight_max: settings.request_timeout + Duration::from_secs(1),
        }
    }

    /// Serves until `stop`, and then until the last answer has left.
    pub(crate) async fn serve(
        &self,
        listener: TcpListener,
        ingest: &Arc<Ingest>,
        health: &Health,
        stop: &Stop,
    ) {
        let connections = GracefulShutdown::new();
        self.accept_until(stop.wait(), &listener, &connections, ingest).await;
        info!(drain_delay_ms = self.drain_delay.as_millis(), "gateway drains");
        health.draining();
        ingest.drain();
        self.accept_until(sleep(self.drain_delay), &listener, &connections, ingest).await;
        // Closing the listener would reset the connections that the kernel has accepted and we have not.
        while let Some(accepted) = self.accept(&listener).now_or_never() {
            self.serve_connection(accepted, &connections, ingest);
        }
        drop(listener);
        sleep(LAST_REQUESTS_WAIT).await;
        if timeout(self.in_flight_max, connections.shutdown()).await.is_err() || !ingest.is_idle() {
            warn!("gateway ends with requests in flight");
        }
    }

    async fn accept_until(
        &self,
        end: impl Future<Output = ()>,
        listener: &TcpListener,
        connections: &GracefulShutdown,
        ingest: &Arc<Ingest>,
    ) {
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return,
                accepted = self.accept(listener) => self.serve_connection(accepted, connections, ingest),
            }
        }
    }

    async fn accept(&self, listener: &TcpListener) -> Accepted {
        loop {
            let permit =
                Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
            match listener.accept().await {
                Ok((stream, _address)) => return Accepted { stream, permit },
                Err(err) => {
                    warn!(error = %err, "connection not accepted: check the limit on open files");
                    sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    fn serve_connection(&self, accepted: Accepted, connections: &GracefulShutdown, ingest: &Arc<Ingest>) {
        let Accepted { stream, permit } = accepted;
        // An answer is one small write. To wait for more bytes would only cost time.
        let _ = stream.set_nodelay(true);
        let ingest = Arc::clone(ingest);
        let service = service_fn(move |request| Arc::clone(&ingest).handle(request));
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
