use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use settings::{Fault, Field, Reader, Secret, Value};

/// How every client reaches the cluster.
#[derive(Clone)]
pub struct Connection {
    settings: Settings,
}

settings::declare! {
    #[derive(Clone)]
    struct Settings in "kafka", checked by relate {
        /// Bootstrap servers, `host:port`, comma-separated.
        bootstrap: String as Bootstrap { env: "AFTERSEND_KAFKA" },
        /// `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`.
        security_protocol: String as Protocol = "plaintext",
        /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`. Needed with a `sasl_` protocol.
        sasl_mechanism: Option<String>,
        /// SASL user name.
        sasl_username: Option<String>,
        /// SASL password.
        sasl_password: Option<Secret>,
        /// File or folder of CA certificates. Where unset, the system's are used.
        ca_location: Option<PathBuf>,
    }
}

const SECURITY_PROTOCOLS: [&str; 4] = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];

impl Settings {
    fn relate(&self, reader: &mut Reader) {
        let complete =
            self.sasl_mechanism.is_some() && self.sasl_username.is_some() && self.sasl_password.is_some();
        reader.require(!self.security_protocol.starts_with("sasl_") || complete, || {
            Fault::new(
                Self::sasl_mechanism,
                "an incomplete set",
                "sasl_mechanism, sasl_username and sasl_password together with a sasl_ protocol",
                "set all three, or another security_protocol",
            )
        });
    }
}

impl Connection {
    /// The settings that [`Self::read`] reads.
    pub const FIELDS: &'static [&'static Field] = Settings::FIELDS;

    /// An unencrypted connection to `bootstrap`, as on a developer's machine.
    #[must_use]
    pub fn plain(bootstrap: &str) -> Self {
        let settings = Settings {
            bootstrap: bootstrap.to_owned(),
            security_protocol: "plaintext".to_owned(),
            sasl_mechanism: None,
            sasl_username: None,
            sasl_password: None,
            ca_location: None,
        };
        Self { settings }
    }

    /// Reads the connection's settings. None means that the reader recorded a fault.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        Settings::read(reader).map(|settings| Self { settings })
    }

    /// Bootstrap servers, as configured.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.settings.bootstrap
    }

    /// What all clients share: the address, security, and bounds short enough that a lost broker is noticed
    /// in seconds.
    pub(crate) fn client_config(&self, client_id: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        // Not left to what we log: a lost connection is told of at this level, and must be heard. See
        // `Observer`.
        config.set_log_level(RDKafkaLogLevel::Info);
        config
            .set("bootstrap.servers", &self.settings.bootstrap)
            .set("client.id", client_id)
            .set("security.protocol", &self.settings.security_protocol)
            .set("socket.keepalive.enable", "true")
            .set("socket.connection.setup.timeout.ms", "5000")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000")
            .set("metadata.max.age.ms", "15000")
            .set("topic.metadata.refresh.interval.ms", "5000")
            .set("allow.auto.create.topics", "false");
        let Settings { sasl_mechanism, sasl_username, sasl_password, ca_location, .. } = &self.settings;
        let text = |secret: &Secret| secret.expose().to_owned();
        let optional = [
            ("sasl.mechanism", sasl_mechanism.clone()),
            ("sasl.username", sasl_username.clone()),
            ("sasl.password", sasl_password.as_ref().map(text)),
            ("ssl.ca.location", ca_location.as_ref().map(|path| path.display().to_string())),
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

/// Bootstrap servers, each with its port: librdkafka would silently take 9092 where a port is missing.
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

impl From<Bootstrap> for String {
    fn from(servers: Bootstrap) -> String {
        servers.0
    }
}

/// One of [`SECURITY_PROTOCOLS`], in any case.
struct Protocol(String);

impl Value for Protocol {
    const SHAPE: &'static str = "plaintext, ssl, sasl_plaintext or sasl_ssl";

    fn parse(text: &str) -> Result<Self, String> {
        let protocol = text.to_lowercase();
        if SECURITY_PROTOCOLS.contains(&protocol.as_str()) {
            Ok(Self(protocol))
        } else {
            Err("none of the four".to_owned())
        }
    }
}

impl From<Protocol> for String {
    fn from(protocol: Protocol) -> String {
        protocol.0
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("bootstrap", &self.settings.bootstrap)
            .field("security_protocol", &self.settings.security_protocol)
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
