use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use settings::{Fault, Field, Reader, Secret, Value};

/// How every client reaches the cluster.
#[derive(Clone)]
pub struct Connection {
    bootstrap: String,
    security_protocol: String,
    sasl_mechanism: Option<String>,
    sasl_username: Option<String>,
    sasl_password: Option<Secret>,
    ca_location: Option<PathBuf>,
}

static BOOTSTRAP: Field =
    Field::new("kafka.bootstrap", "AFTERSEND_KAFKA", "Bootstrap servers, `host:port`, comma-separated.");
static SECURITY_PROTOCOL: Field = Field::new(
    "kafka.security_protocol",
    "AFTERSEND_KAFKA_SECURITY_PROTOCOL",
    "`plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`.",
)
.default("plaintext");
static SASL_MECHANISM: Field = Field::new(
    "kafka.sasl_mechanism",
    "AFTERSEND_KAFKA_SASL_MECHANISM",
    "`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`; needed with a `sasl_` protocol.",
);
static SASL_USERNAME: Field =
    Field::new("kafka.sasl_username", "AFTERSEND_KAFKA_SASL_USERNAME", "SASL user name.");
static SASL_PASSWORD: Field =
    Field::new("kafka.sasl_password", "AFTERSEND_KAFKA_SASL_PASSWORD", "SASL password.").secret();
static CA_LOCATION: Field = Field::new(
    "kafka.ca_location",
    "AFTERSEND_KAFKA_CA_LOCATION",
    "File or folder of CA certificates; the system's where unset.",
);

const SECURITY_PROTOCOLS: [&str; 4] = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];

impl Connection {
    /// The settings that [`Self::read`] reads.
    pub const FIELDS: &'static [&'static Field] =
        &[&BOOTSTRAP, &SECURITY_PROTOCOL, &SASL_MECHANISM, &SASL_USERNAME, &SASL_PASSWORD, &CA_LOCATION];

    /// An unencrypted connection to `bootstrap`, as on a developer's machine.
    #[must_use]
    pub fn plain(bootstrap: &str) -> Self {
        Self {
            bootstrap: bootstrap.to_owned(),
            security_protocol: "plaintext".to_owned(),
            sasl_mechanism: None,
            sasl_username: None,
            sasl_password: None,
            ca_location: None,
        }
    }

    /// Reads the connection's settings; `None` where a fault was recorded.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let bootstrap: Option<Bootstrap> = reader.read(&BOOTSTRAP);
        let security_protocol: Option<String> = reader.read(&SECURITY_PROTOCOL);
        let sasl_mechanism = reader.optional(&SASL_MECHANISM);
        let sasl_username: Option<Option<String>> = reader.optional(&SASL_USERNAME);
        let sasl_password = reader.optional(&SASL_PASSWORD);
        let ca_location = reader.optional(&CA_LOCATION);
        let read = Self {
            bootstrap: bootstrap?.0,
            security_protocol: security_protocol?.to_lowercase(),
            sasl_mechanism: sasl_mechanism?,
            sasl_username: sasl_username?,
            sasl_password: sasl_password?,
            ca_location: ca_location?,
        };
        reader.require(SECURITY_PROTOCOLS.contains(&read.security_protocol.as_str()), || {
            Fault::new(
                &SECURITY_PROTOCOL,
                read.security_protocol.clone(),
                SECURITY_PROTOCOLS.join(", "),
                "choose one",
            )
        });
        let complete =
            read.sasl_mechanism.is_some() && read.sasl_username.is_some() && read.sasl_password.is_some();
        reader.require(!read.security_protocol.starts_with("sasl_") || complete, || {
            Fault::new(
                &SASL_MECHANISM,
                "an incomplete set",
                "sasl_mechanism, sasl_username and sasl_password together with a sasl_ protocol",
                "set all three, or another security_protocol",
            )
        });
        Some(read)
    }

    /// Bootstrap servers, as configured.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// What all clients share: the address, security, and bounds short enough that a lost broker is noticed in seconds.
    pub(crate) fn client_config(&self, client_id: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        // Not left to what we log: a lost connection is told of at this level, and must be heard. See `Observer`.
        config.set_log_level(RDKafkaLogLevel::Info);
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("client.id", client_id)
            .set("security.protocol", &self.security_protocol)
            .set("socket.keepalive.enable", "true")
            .set("socket.connection.setup.timeout.ms", "5000")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000")
            .set("metadata.max.age.ms", "15000")
            .set("topic.metadata.refresh.interval.ms", "5000")
            .set("allow.auto.create.topics", "false");
        let text = |secret: &Secret| secret.expose().to_owned();
        let optional = [
            ("sasl.mechanism", self.sasl_mechanism.clone()),
            ("sasl.username", self.sasl_username.clone()),
            ("sasl.password", self.sasl_password.as_ref().map(text)),
            ("ssl.ca.location", self.ca_location.as_ref().map(|path| path.display().to_string())),
        ];
        for (key, value) in optional {
            if let Some(value) = value {
                config.set(key, value);
            }
        }
        config
    }

    /// How long a question about metadata may take.
    pub(crate) const METADATA_TIMEOUT: Duration = Duration::from_secs(10);
}

/// Bootstrap servers, each with its port: librdkafka would take a missing one for 9092 without a word.
struct Bootstrap(String);

impl Value for Bootstrap {
    const SHAPE: &'static str = "host:port, or several, comma-separated";

    fn parse(text: &str) -> Result<Self, String> {
        let is_server = |server: &str| {
            server
                .trim()
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        if text.split(',').all(is_server) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a server has no port".to_owned())
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("bootstrap", &self.bootstrap)
            .field("security_protocol", &self.security_protocol)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_a_port_is_a_fault() {
        assert!(Bootstrap::parse("a:9092,[::1]:9093, b:1").is_ok());
        for wrong in ["a", "a:", ":9092", "a:9092,", "a:x"] {
            assert!(Bootstrap::parse(wrong).is_err(), "{wrong}");
        }
    }
}
