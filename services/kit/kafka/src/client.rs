use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{debug, error, info, warn};

use crate::error::code_name;

telemetry::metrics! {
    /// Errors that a Kafka client reported, by Kafka's error code.
    CLIENT_ERRORS: counter "kafka_client_errors_total" { client, code },
}

/// The facility under which librdkafka logs that a connection has ended.
const CONNECTION_LOST: &str = "FAIL";

/// What every client of ours does with librdkafka's logs and errors.
#[derive(Debug, Clone)]
pub(crate) struct Observer {
    client: &'static str,
    disturbances: Arc<AtomicU64>,
}

impl Observer {
    pub(crate) fn new(client: &'static str) -> Self {
        Self { client, disturbances: Arc::default() }
    }

    /// How often the connection to a broker was disturbed. What was sent meanwhile has to be doubted: librdkafka resends a
    /// lost EndTxn silently (its issue 5423), and the lost one may arrive yet. Of a connection that the broker closed it tells in its
    /// log alone, before it resends anything; it may leave a repeated line out, but never a client's first. Of one that it closes
    /// itself, since no answer came, it says nothing here.
    pub(crate) fn disturbances(&self) -> u64 {
        self.disturbances.load(Ordering::Relaxed)
    }
}

impl ClientContext for Observer {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let client = self.client;
        if facility == CONNECTION_LOST {
            self.disturbances.fetch_add(1, Ordering::Relaxed);
        }
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                error!(client, facility, message, "librdkafka");
            }
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                warn!(client, facility, message, "librdkafka");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => info!(client, facility, message, "librdkafka"),
            RDKafkaLogLevel::Debug => debug!(client, facility, message, "librdkafka"),
        }
    }

    /// Statistics are off; the default would parse a JSON document each interval.
    fn stats_raw(&self, _statistics: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        // The wrapper reports the end of a log here too.
        if matches!(error, KafkaError::PartitionEOF(_))
            || error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF)
        {
            return;
        }
        self.disturbances.fetch_add(1, Ordering::Relaxed);
        let code = error.rdkafka_error_code().map_or("client", code_name);
        metrics::counter!(CLIENT_ERRORS, "client" => self.client, "code" => code).increment(1);
        warn!(client = self.client, code, reason, "kafka connection disturbed");
    }
}

/// For clients that read without a group: nothing ever rebalances.
impl ConsumerContext for Observer {}

/// Lets a context with a field `observer` do with logs and errors what [`Observer`] does. librdkafka's wrapper wants them of each
/// context, and has no way to hand them on.
macro_rules! observed {
    ($context:ty) => {
        impl rdkafka::ClientContext for $context {
            fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
                self.observer.log(level, facility, message);
            }

            fn stats_raw(&self, _statistics: &[u8]) {}

            fn error(&self, error: rdkafka::error::KafkaError, reason: &str) {
                self.observer.error(error, reason);
            }
        }
    };
}
pub(crate) use observed;
