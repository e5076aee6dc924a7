use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock, PoisonError};

use rdkafka::ClientContext;
use rdkafka::client::Client;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use thiserror::Error;

/// Kafka could not be used. The text names what to look at.
#[derive(Debug, Error)]
pub enum Error {
    /// The settings don't make a client.
    #[error("kafka client refused its settings: check kafka.security_protocol and the sasl and ssl settings")]
    Settings(#[source] KafkaError),
    /// No broker answered.
    #[error(
        "no kafka broker at {bootstrap} answered: check AFTERSEND_KAFKA and that a broker listens there ({reason})"
    )]
    Unreachable {
        /// Bootstrap servers, as configured.
        bootstrap: String,
        /// How the latest connection failed, as the client reported it.
        reason: String,
        /// What the client said. Boxed, so that the error stays small.
        #[source]
        source: Box<KafkaError>,
    },
    /// A broker was reached, and client and broker do not accept each other: TLS or authentication.
    #[error("kafka at {bootstrap} and this client refuse each other: {mend} ({reason})")]
    Handshake {
        /// Bootstrap servers, as configured.
        bootstrap: String,
        /// The settings to look at.
        mend: &'static str,
        /// What the client reported.
        reason: String,
    },
    /// A topic isn't there.
    #[error("topic {topic} is missing: run `aftersend bootstrap`")]
    UnknownTopic {
        /// The topic's name.
        topic: String,
    },
    /// The broker refuses this client.
    #[error("kafka refuses this client ({code}): check the credentials and the ACLs of its principal")]
    Unauthorized {
        /// Kafka's name of the error.
        code: &'static str,
    },
    /// This client cannot go on and must be replaced.
    #[error("kafka client is unusable ({code})")]
    Fatal {
        /// Kafka's name of the error.
        code: &'static str,
    },
    /// Anything else.
    #[error("kafka failed to {attempt} ({code})")]
    Failed {
        /// What was tried.
        attempt: &'static str,
        /// Kafka's name of the error.
        code: &'static str,
        /// What the client said.
        #[source]
        source: KafkaError,
    },
}

impl Error {
    /// Kafka's name of the error, such as `FencedInstanceId`; `None` if no broker was involved.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Unauthorized { code } | Self::Fatal { code } | Self::Failed { code, .. } => Some(code),
            Self::Settings(_)
            | Self::Unreachable { .. }
            | Self::Handshake { .. }
            | Self::UnknownTopic { .. } => None,
        }
    }

    /// Whether another process has taken the place of this group member, by its instance id.
    #[must_use]
    pub fn is_member_fenced(&self) -> bool {
        matches!(self, Self::Fatal { code } if *code == code_name(RDKafkaErrorCode::FencedInstanceId))
    }

    pub(crate) fn of(attempt: &'static str, source: KafkaError) -> Self {
        use RDKafkaErrorCode as Code;
        let code = code_of(&source);
        let name = code.map_or("client", code_name);
        match code {
            Some(
                Code::Authentication
                | Code::SaslAuthenticationFailed
                | Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::TransactionalIdAuthorizationFailed,
            ) => Self::Unauthorized { code: name },
            Some(Code::Fatal) => Self::Fatal { code: name },
            _ => Self::Failed { attempt, code: name, source },
        }
    }
}

/// The error for a cluster that did not answer. `errors` are the client's connection errors meanwhile, oldest
/// first. A refusal by a broker says more than a connection that failed.
pub(crate) fn no_answer(
    bootstrap: &str,
    source: KafkaError,
    errors: Vec<(RDKafkaErrorCode, String)>,
) -> Error {
    let bootstrap = bootstrap.to_owned();
    for (code, reason) in &errors {
        if let Some(mend) = handshake_mend(*code, reason) {
            return Error::Handshake { bootstrap, mend, reason: reason.clone() };
        }
    }
    // The last error is usually the summary "all brokers are down".
    let telling = errors.into_iter().rev().find(|(code, _)| *code != RDKafkaErrorCode::AllBrokersDown);
    let reason = telling.map_or_else(|| source.to_string(), |(_, reason)| reason);
    Error::Unreachable { bootstrap, reason, source: Box::new(source) }
}

/// The settings to look at if a connection failed by TLS or by authentication; `None` if it failed otherwise.
/// librdkafka has one code for all of TLS and one for all of authentication, so its texts are read too.
fn handshake_mend(code: RDKafkaErrorCode, reason: &str) -> Option<&'static str> {
    use RDKafkaErrorCode as Code;
    let reason = reason.to_lowercase();
    let tls_alert = reason.contains("alert");
    match code {
        Code::Authentication if reason.contains("mechanism handshake failed") => {
            Some("the broker does not offer AFTERSEND_KAFKA_SASL_MECHANISM")
        }
        Code::Authentication | Code::SaslAuthenticationFailed => {
            Some("check AFTERSEND_KAFKA_SASL_USERNAME and AFTERSEND_KAFKA_SASL_PASSWORD")
        }
        Code::SSL | Code::BrokerTransportFailure if tls_alert && reason.contains("certificate") => {
            Some("the broker asks for a client certificate that it trusts")
        }
        Code::SSL if reason.contains("certificate verify failed") => {
            Some("check AFTERSEND_KAFKA_CA_LOCATION: the broker's certificate is not signed by it")
        }
        Code::SSL => Some("check AFTERSEND_KAFKA_SECURITY_PROTOCOL and the TLS settings"),
        Code::BrokerTransportFailure if reason.contains("security.protocol") => {
            Some("check AFTERSEND_KAFKA_SECURITY_PROTOCOL")
        }
        _ => None,
    }
}

/// The code of `error`. Of a refused administrative call the wrapper's own method knows none.
fn code_of(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        other => other.rdkafka_error_code(),
    }
}

/// Whether a consumer with this error has skipped records that it could not read: a damaged batch, or a codec
/// or format that this build lacks. To tolerate it would lose records silently.
pub(crate) fn leaves_records_out(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(code, Code::BadMessage | Code::InvalidMessage | Code::BadCompression | Code::NotImplemented)
}

/// Fails if the client is unusable. The client must be asked: the error that it returns may look harmless. A
/// static member whose instance id was taken, or whose last rejoin was lost with the broker, returns
/// `FencedInstanceId` once, and never an error again.
pub(crate) fn refuse_if_fatal<C: ClientContext>(client: &Client<C>) -> Result<(), Error> {
    client.fatal_error().map_or(Ok(()), |(code, _)| Err(Error::Fatal { code: code_name(code) }))
}

/// One record was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PublishError {
    /// The producer's queue is full: more comes in than the brokers take.
    #[error("producer queue is full")]
    QueueFull,
    /// Larger than the producer's or the topic's limit.
    #[error("record is larger than the topic holds")]
    TooLarge,
    /// The broker will never take this record.
    #[error("broker refuses this record for good ({code})")]
    Rejected {
        /// Kafka's name of the error.
        code: &'static str,
    },
    /// No acknowledgement in time; it may still have been written.
    #[error("no acknowledgement in time")]
    TimedOut,
    /// Not written, and another try may succeed.
    #[error("not written ({code})")]
    Failed {
        /// Kafka's name of the error.
        code: &'static str,
    },
}

impl PublishError {
    /// Kafka's name of the error, for counters.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::QueueFull => "QueueFull",
            Self::TooLarge => "MessageSizeTooLarge",
            Self::TimedOut => "MessageTimedOut",
            Self::Rejected { code } | Self::Failed { code } => code,
        }
    }

    /// Whether trying again can't help (G7).
    #[must_use]
    pub fn is_poison(&self) -> bool {
        matches!(self, Self::TooLarge | Self::Rejected { .. })
    }
}

impl From<&KafkaError> for PublishError {
    fn from(error: &KafkaError) -> Self {
        use RDKafkaErrorCode as Code;
        match error.rdkafka_error_code() {
            Some(Code::QueueFull) => Self::QueueFull,
            // The same fault under two names: found by this client, or by the broker.
            Some(Code::MessageSizeTooLarge | Code::MessageBatchTooLarge) => Self::TooLarge,
            Some(Code::MessageTimedOut | Code::RequestTimedOut) => Self::TimedOut,
            Some(code @ (Code::InvalidRecord | Code::InvalidMessage | Code::InvalidTimestamp)) => {
                Self::Rejected { code: code_name(code) }
            }
            code => Self::Failed { code: code.map_or("client", code_name) },
        }
    }
}

/// The code's name, usable as a metric label. The set is librdkafka's, so what is kept here is bounded.
pub(crate) fn code_name(code: RDKafkaErrorCode) -> &'static str {
    static NAMES: OnceLock<Mutex<BTreeSet<&'static str>>> = OnceLock::new();
    let name = format!("{code:?}");
    let mut names = NAMES.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    names.get(name.as_str()).copied().unwrap_or_else(|| {
        let kept: &'static str = Box::leak(name.into_boxed_str());
        names.insert(kept);
        kept
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(errors: &[(RDKafkaErrorCode, &str)]) -> String {
        let errors = errors.iter().map(|(code, reason)| (*code, (*reason).to_owned())).collect();
        let source = KafkaError::MetadataFetch(RDKafkaErrorCode::BrokerTransportFailure);
        no_answer("b:9092", source, errors).to_string()
    }

    /// The texts are librdkafka's.
    #[test]
    fn a_refused_connection_names_the_setting() {
        use RDKafkaErrorCode as Code;
        let down = (Code::AllBrokersDown, "1/1 brokers are down");
        for (code, reason, setting) in [
            (
                Code::Authentication,
                "SASL authentication error: Authentication failed during authentication due to invalid \
                 credentials with SASL mechanism SCRAM-SHA-256",
                "AFTERSEND_KAFKA_SASL_PASSWORD",
            ),
            (
                Code::Authentication,
                "SASL SCRAM-SHA-512 mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's \
                 supported mechanisms: PLAIN",
                "AFTERSEND_KAFKA_SASL_MECHANISM",
            ),
            (
                Code::SSL,
                "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker \
                 certificate could not be verified",
                "AFTERSEND_KAFKA_CA_LOCATION",
            ),
            (
                Code::BrokerTransportFailure,
                "Receive failed: SSL_read: error:0A00045C:SSL routines::tlsv13 alert certificate required",
                "client certificate",
            ),
            (
                Code::BrokerTransportFailure,
                "Disconnected: verify that security.protocol is correctly configured, broker might require \
                 SASL authentication",
                "AFTERSEND_KAFKA_SECURITY_PROTOCOL",
            ),
        ] {
            let text = named(&[(code, reason), down]);
            assert!(text.contains(setting) && text.contains(reason), "{text}");
        }
    }

    #[test]
    fn an_unanswered_connection_names_the_address_and_the_reason() {
        use RDKafkaErrorCode as Code;
        let refused = "Connect to ipv4#127.0.0.1:9092 failed: Connection refused";
        let text =
            named(&[(Code::BrokerTransportFailure, refused), (Code::AllBrokersDown, "1/1 brokers are down")]);
        assert!(text.contains("AFTERSEND_KAFKA ") && text.contains(refused), "{text}");
        assert!(!named(&[]).is_empty());
    }
}
