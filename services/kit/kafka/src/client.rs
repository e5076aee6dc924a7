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

/// How every client of ours handles librdkafka's logs and errors.
#[derive(Debug, Clone)]
pub(crate) struct Observer {
    client: &'static str,
    disturbances: Arc<AtomicU64>,
}

impl Observer {
    pub(crate) fn new(client: &'static str) -> Self {
        Self { client, disturbances: Arc::default() }
    }

    /// Counts lost broker connections. Requests that were sent before the loss are uncertain: librdkafka
    /// silently resends a lost EndTxn (issue 5423), and the first copy may still arrive.
    ///
    /// When the broker closes a connection, librdkafka logs it before the resend. It may suppress a repeated
    /// line, but never a client's first. When librdkafka closes a connection itself, because no answer came
    /// in time, it logs nothing.
    pub(crate) fn disturbances(&self) -> u64 {
        self.disturbances.load(Ordering::Relaxed)
    }

    /// Counts and logs an error of a connection.
    pub(crate) fn connection_failed(&self, code: &'static str, reason: &str) {
        metrics::counter!(CLIENT_ERRORS, "client" => self.client, "code" => code).increment(1);
        if let Some(held_back) = telemetry::seldom(self.client, code) {
            warn!(client = self.client, code, reason, held_back, "kafka connection disturbed");
        }
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
                let what = if facility == CONNECTION_LOST { CONNECTION_LOST } else { "other" };
                if let Some(held_back) = telemetry::seldom(client, what) {
                    warn!(client, facility, message, held_back, "librdkafka");
                }
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
        self.connection_failed(code, reason);
    }
}

/// For clients that read without a group: nothing ever rebalances.
impl ConsumerContext for Observer {}

/// Makes a context with a field `observer` handle logs and errors as [`Observer`] does. The wrapper requires
/// them of each context, and offers no way to delegate them.
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
