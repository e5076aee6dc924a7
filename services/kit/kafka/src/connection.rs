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
        sasl_mechanism: Option<Mechanism>,
        /// SASL user name.
        sasl_username: Option<String>,
        /// SASL password.
        sasl_password: Option<Secret>,
        /// File or folder of CA certificates. Where unset, the system's are used.
        ca_location: Option<PathBuf>,
        /// PEM file of this client's certificate and its chain, for brokers that ask for one (mTLS).
        certificate_location: Option<PathBuf>,
        /// PEM file of the private key that belongs to the certificate.
        key_location: Option<PathBuf>,
        /// Password of the private key. Not set where the key is not encrypted.
        key_password: Option<Secret>,
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
        self.relate_tls(reader);
    }

    fn relate_tls(&self, reader: &mut Reader) {
        let pair = self.certificate_location.is_some() == self.key_location.is_some();
        reader.require(pair, || {
            let wanted = "certificate_location and key_location together";
            Fault::new(Self::certificate_location, "one of the two", wanted, "set both, or neither")
        });
        let files = [
            (Self::ca_location, &self.ca_location),
            (Self::certificate_location, &self.certificate_location),
            (Self::key_location, &self.key_location),
        ];
        for (field, path) in files {
            let Some(path) = path else { continue };
            reader.require(path.exists(), || {
                let shown = path.display().to_string();
                Fault::new(field, shown, "a file that is there", "correct the path, or mount the file there")
            });
            reader.require(self.security_protocol.ends_with("ssl"), || {
                let wanted = "security_protocol ssl or sasl_ssl where a TLS file is given";
                Fault::new(field, "a file for a connection without TLS", wanted, "set it, or unset the file")
            });
        }
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
            certificate_location: None,
            key_location: None,
            key_password: None,
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
        let settings = &self.settings;
        let text = |secret: &Secret| secret.expose().to_owned();
        let path = |path: &PathBuf| path.display().to_string();
        let optional = [
            ("sasl.mechanism", settings.sasl_mechanism.map(|mechanism| mechanism.name().to_owned())),
            ("sasl.username", settings.sasl_username.clone()),
            ("sasl.password", settings.sasl_password.as_ref().map(text)),
            ("ssl.ca.location", settings.ca_location.as_ref().map(path)),
            ("ssl.certificate.location", settings.certificate_location.as_ref().map(path)),
            ("ssl.key.location", settings.key_location.as_ref().map(path)),
            ("ssl.key.password", settings.key_password.as_ref().map(text)),
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

/// How a client proves who it is over SASL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mechanism {
    Plain,
    ScramSha256,
    ScramSha512,
}

impl Mechanism {
    const ALL: [Self; 3] = [Self::Plain, Self::ScramSha256, Self::ScramSha512];

    /// Kafka's name.
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl Value for Mechanism {
    const SHAPE: &'static str = "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512";

    fn parse(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|mechanism| mechanism.name().eq_ignore_ascii_case(text));
        found.ok_or_else(|| "not a mechanism that this build has".to_owned())
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

    fn read(env: &[(&str, &str)]) -> (Option<Connection>, String) {
        let env = [&[("AFTERSEND_KAFKA", "b:9092")], env].concat();
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut reader = Reader::new(Connection::FIELDS, None, env);
        let connection = Connection::read(&mut reader);
        (connection, reader.finish().err().map(|faults| faults.to_string()).unwrap_or_default())
    }

    #[test]
    fn a_mechanism_is_one_of_a_closed_set_in_any_case() {
        assert_eq!(Mechanism::parse("scram-sha-512"), Ok(Mechanism::ScramSha512));
        for wrong in ["", "GSSAPI", "SCRAM", "OAUTHBEARER"] {
            assert!(Mechanism::parse(wrong).is_err(), "{wrong}");
        }
        let (_, faults) = read(&[("AFTERSEND_KAFKA_SASL_MECHANISM", "GSSAPI")]);
        assert!(
            faults.contains("AFTERSEND_KAFKA_SASL_MECHANISM") && faults.contains("SCRAM-SHA-256"),
            "{faults}"
        );
    }

    #[test]
    fn a_client_certificate_needs_its_key_its_files_and_tls() {
        let (there, gone) = (env!("CARGO_MANIFEST_DIR"), "/nowhere/key.pem");
        let faults = |protocol, certificate, key| {
            let protocol = ("AFTERSEND_KAFKA_SECURITY_PROTOCOL", protocol);
            let certificate = ("AFTERSEND_KAFKA_CERTIFICATE_LOCATION", certificate);
            read(&[protocol, certificate, ("AFTERSEND_KAFKA_KEY_LOCATION", key)]).1
        };
        assert_eq!(faults("ssl", there, there), "");
        assert!(faults("ssl", there, "").contains("together"));
        assert!(faults("ssl", there, gone).contains(gone));
        assert!(faults("plaintext", there, there).contains("AFTERSEND_KAFKA_CERTIFICATE_LOCATION"));
    }

    #[test]
    fn every_tls_setting_reaches_the_client() {
        let here = env!("CARGO_MANIFEST_DIR");
        let (connection, faults) = read(&[
            ("AFTERSEND_KAFKA_SECURITY_PROTOCOL", "sasl_ssl"),
            ("AFTERSEND_KAFKA_SASL_MECHANISM", "scram-sha-256"),
            ("AFTERSEND_KAFKA_SASL_USERNAME", "user"),
            ("AFTERSEND_KAFKA_SASL_PASSWORD", "secret"),
            ("AFTERSEND_KAFKA_CA_LOCATION", here),
            ("AFTERSEND_KAFKA_CERTIFICATE_LOCATION", here),
            ("AFTERSEND_KAFKA_KEY_LOCATION", here),
            ("AFTERSEND_KAFKA_KEY_PASSWORD", "locked"),
        ]);
        assert_eq!(faults, "");
        let config = connection.unwrap().client_config("test");
        let expected = [
            ("sasl.mechanism", "SCRAM-SHA-256"),
            ("sasl.username", "user"),
            ("sasl.password", "secret"),
            ("ssl.ca.location", here),
            ("ssl.certificate.location", here),
            ("ssl.key.location", here),
            ("ssl.key.password", "locked"),
        ];
        for (key, value) in expected {
            assert_eq!(config.get(key), Some(value), "{key}");
        }
    }
}
