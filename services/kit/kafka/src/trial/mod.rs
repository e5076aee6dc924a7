//! Clients that are made to be refused and fenced, for testing whether a cluster keeps its guarantees.
//!
//! They differ from the product's clients in one thing: their errors are results, so nothing is logged as a
//! warning and nothing is counted. What is tried with them, and how a result is judged, is the caller's
//! concern.

mod member;
mod producer;

pub use member::{Membership, TrialMember};
pub use producer::TrialProducer;

use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::{DeliveryResult, ProducerContext};
use tracing::debug;

/// How long a broker has to answer one request.
const ANSWER_MAX: Duration = Duration::from_secs(45);

/// Logs at debug level only.
struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        debug!(facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "client disturbed");
    }
}

impl ConsumerContext for Quiet {}

impl ProducerContext for Quiet {
    type DeliveryOpaque = ();

    /// The commit reports a failed delivery.
    fn delivery(&self, _result: &DeliveryResult<'_>, (): ()) {}
}
