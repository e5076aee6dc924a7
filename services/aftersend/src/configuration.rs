//! Every role's settings, read from one file and one environment.

use std::path::Path;
use std::time::Duration;

use kafka::Connection;
use processor::FormatLevel;
use schemas::key::KeyRules;
use schemas::token::TokenKey;
use schemas::topic::Topics;
use schemas::topic::meta::Topology;
use settings::{Environment, Fault, Faults, Field, Reader, Secret};
use tracing::warn;

use crate::cli::Role;

settings::declare! {
    /// What belongs to no role and no topic.
    struct General {
        /// Where this runs: `development`, `staging` or `production`. Production refuses what is only a
        /// convenience.
        env: Environment = "development",
        /// Secret that turns addresses into tokens, at least 16 bytes. It must stay the same as long as the
        /// data is kept. Required in production. Elsewhere a fixed key is used, and its tokens begin with
        /// `t0.`.
        token_key: Option<Secret>,
    }
}

settings::declare! {
    /// What keys may say of a person. `privacy.link_queries` is the processor's.
    struct KeySettings in "privacy" {
        /// Whether an id of a person that is an e-mail address is replaced by the address's token. Chosen
        /// before the first event and never changed: keys made otherwise are other customers. Customer.io
        /// can't be written to for a person without another id.
        tokenise_ids: bool = "false",
    }
}

settings::declare! {
    /// What the command line reads itself. It is declared here for the documentation, and so that it is a
    /// known setting.
    struct CommandLine {
        /// Settings file, TOML or YAML. The same as `--config`.
        config: Option<String>,
    }
}

settings::declare! {
    /// The topics of this workspace.
    struct TopicSettings in "topics" {
        /// Put before every topic and consumer group. Each workspace needs its own prefix.
        prefix: String = "" { env: "AFTERSEND_TOPIC_PREFIX" },
        /// Partitions of the raw topic and of all topics that share its partitioning: 12 where `bootstrap`
        /// makes them, and never changed after. A role that is given this count refuses topics with another
        /// count.
        partitions: Option<u32> {
            env: "AFTERSEND_PARTITIONS",
            least: "1",
            most: "1024",
            mend: "choose a count for good: it can't be changed later",
        },
        /// Replicas of each topic that `bootstrap` makes. Where unset: 3, or as many as there are brokers.
        replication: Option<u32> { env: "AFTERSEND_REPLICATION" },
    }
}

settings::declare! {
    /// What only `bootstrap` reads.
    pub(crate) struct BootstrapSettings in "bootstrap" {
        /// How long `bootstrap` waits for a broker that does not answer yet.
        pub(crate) wait: Duration = "60s" { most: "1h" },
    }
}

/// How many partitions `bootstrap` makes by default.
const PARTITIONS_DEFAULT: u32 = 12;

/// What every role shares.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) connection: Connection,
    pub(crate) prefix: String,
    pub(crate) topics: Topics,
    pub(crate) partitions: Option<u32>,
    pub(crate) replication: Option<u32>,
    /// `None` where the command makes no tokens and was given no secret.
    pub(crate) tokens: Option<TokenKey>,
    /// Whether an id that is an address is replaced by its token.
    pub(crate) tokenise_ids: bool,
    pub(crate) telemetry: telemetry::Settings,
    pub(crate) admin: std::net::SocketAddr,
}

/// Every setting of every role.
pub(crate) fn catalogue() -> Vec<&'static Field> {
    [
        General::FIELDS,
        KeySettings::FIELDS,
        CommandLine::FIELDS,
        TopicSettings::FIELDS,
        BootstrapSettings::FIELDS,
        Connection::FIELDS,
        telemetry::Settings::FIELDS,
        lifecycle::admin::Settings::FIELDS,
        gateway::Settings::FIELDS,
        processor::Settings::FIELDS,
        customerio_sink::Settings::FIELDS,
        bigquery_sink::Settings::FIELDS,
    ]
    .concat()
}

/// Whether a command turns addresses into tokens. The secret is asked for only where it is used: whoever
/// holds it can turn tokens into guesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tokens {
    /// The secret is required in production.
    Made,
    /// The secret is not required. Where it is given, it is held against the topics' record.
    NotMade,
}

/// Reads what is common, and with `role` what is a role's own; every fault at once.
pub(crate) fn read<T>(
    file: Option<&Path>,
    tokens: Tokens,
    role: impl FnOnce(&mut Reader) -> Option<T>,
) -> Result<(Common, T), Faults> {
    let mut reader = reader(file);
    let common = Common::read(&mut reader, tokens);
    let own = role(&mut reader);
    // Where the logs' own settings are bad, the faults below say so.
    if telemetry::init(&log_settings(file)).is_ok() {
        for warning in reader.warnings() {
            warn!(warning, "a variable looks like a setting");
        }
    }
    reader.finish()?;
    Ok((common.expect("a fault is recorded where nothing was read"), own.expect("as above")))
}

/// `aftersend check-config`
pub(crate) fn check(file: Option<&Path>, roles: &[Role]) -> anyhow::Result<()> {
    let roles = if roles.is_empty() { &Role::ALL[..] } else { roles };
    let makes_tokens = |role: &Role| matches!(role, Role::Gateway | Role::Processor);
    let tokens = if roles.iter().any(makes_tokens) { Tokens::Made } else { Tokens::NotMade };
    read(file, tokens, |reader| {
        let sound: Vec<bool> = roles.iter().map(|role| is_sound(reader, *role)).collect();
        sound.into_iter().all(|sound| sound).then_some(())
    })?;
    println!("configuration is sound for {} roles", roles.len());
    Ok(())
}

/// The consumer groups of the sinks, without prefix. What else a sink requires, such as credentials, is not
/// read.
pub(crate) struct SinkGroups {
    /// Customer.io's.
    pub(crate) customerio: String,
    /// The warehouse's, where it is set.
    pub(crate) bigquery: Option<String>,
}

impl SinkGroups {
    pub(crate) fn read(reader: &mut Reader) -> Option<Self> {
        let customerio = reader.read(customerio_sink::Settings::group);
        let bigquery = reader.optional(bigquery_sink::Settings::group);
        Some(Self { customerio: customerio?, bigquery: bigquery? })
    }
}

/// The key that turns addresses into tokens, and nothing else of the settings.
pub(crate) fn token_key(file: Option<&Path>) -> Result<TokenKey, Faults> {
    let mut reader = reader(file);
    let key = read_token_key(&mut reader, Tokens::Made);
    reader.finish()?;
    Ok(key.unwrap_or_else(TokenKey::development))
}

/// How this process logs. Where that can't be read it is as by default.
pub(crate) fn log_settings(file: Option<&Path>) -> telemetry::Settings {
    telemetry::Settings::read(&mut reader(file)).unwrap_or_default()
}

/// A reader over `file` and this process's environment.
pub(crate) fn reader(file: Option<&Path>) -> Reader {
    Reader::new(&catalogue(), file, settings::process_environment())
}

fn is_sound(reader: &mut Reader, role: Role) -> bool {
    match role {
        Role::Gateway => gateway::Settings::read(reader).is_some(),
        Role::Processor => processor::Settings::read(reader).is_some(),
        Role::SinkCustomerio => customerio_sink::Settings::read(reader).is_some(),
        Role::SinkBigquery => bigquery_sink::Settings::read(reader).is_some(),
    }
}

impl Common {
    pub(crate) fn read(reader: &mut Reader, tokens: Tokens) -> Option<Self> {
        let connection = Connection::read(reader);
        let topics = TopicSettings::read(reader);
        let tokens = read_token_key(reader, tokens);
        let keys = KeySettings::read(reader);
        let telemetry = telemetry::Settings::read(reader);
        let admin = lifecycle::admin::Settings::read(reader);
        let topics = topics?;
        Some(Self {
            connection: connection?,
            topics: Topics::new(&topics.prefix),
            prefix: topics.prefix,
            partitions: topics.partitions,
            replication: topics.replication,
            tokens,
            tokenise_ids: keys?.tokenise_ids,
            telemetry: telemetry?,
            admin: admin?.listen,
        })
    }

    /// The key that turns addresses into tokens. Where no secret was given it is that of development, which
    /// production refuses when the settings are read.
    pub(crate) fn token_key(&self) -> TokenKey {
        self.tokens.clone().unwrap_or_else(TokenKey::development)
    }

    /// The rules for customer keys.
    pub(crate) fn key_rules(&self) -> KeyRules {
        KeyRules { tokens: self.token_key(), tokenise_ids: self.tokenise_ids }
    }

    /// With what `bootstrap` makes the topics of an application, if `found` is raw's present partition count.
    pub(crate) fn topology(&self, found: Option<u32>, application_id: &str) -> Topology {
        Topology {
            partitions: self.partitions.or(found).unwrap_or(PARTITIONS_DEFAULT),
            framing: "single-object".to_owned(),
            token_key: self.token_key().fingerprint(),
            tokenised_ids: self.tokenise_ids,
            application_id: application_id.to_owned(),
            formats: FormatLevel::NEWEST.number(),
        }
    }

    /// What this process expects of topics that were made with `stored`. What it isn't configured for can't
    /// differ.
    pub(crate) fn expected(&self, stored: &Topology, application_id: &str) -> Topology {
        let expected = self.topology(Some(stored.partitions), application_id);
        match self.tokens {
            Some(_) => expected,
            None => Topology { token_key: stored.token_key.clone(), ..expected },
        }
    }
}

/// `None` where no secret is needed and none was given, or where a fault was recorded.
fn read_token_key(reader: &mut Reader, tokens: Tokens) -> Option<TokenKey> {
    let General { env, token_key } = General::read(reader)?;
    let Some(secret) = token_key else {
        if tokens == Tokens::NotMade {
            return None;
        }
        reader.require(env != Environment::Production, || {
            let mend = "make one with `openssl rand -base64 32` and keep it as long as the data";
            Fault::new(General::token_key, "nothing", "a secret of at least 16 bytes in production", mend)
        });
        return Some(TokenKey::development());
    };
    let key = TokenKey::new(secret.expose().as_bytes());
    reader.require(key.is_some(), || {
        let mend = "make one with `openssl rand -base64 32`";
        Fault::new(General::token_key, format!("{} bytes", secret.expose().len()), "at least 16 bytes", mend)
    });
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCTION: [(&str, &str); 2] = [("AFTERSEND_KAFKA", "b:9092"), ("AFTERSEND_ENV", "production")];

    fn common(env: &[(&str, &str)], tokens: Tokens) -> (Option<Common>, String) {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut reader = Reader::new(&catalogue(), None, env);
        let common = Common::read(&mut reader, tokens);
        (common, reader.finish().err().map(|faults| faults.to_string()).unwrap_or_default())
    }

    #[test]
    fn production_wants_a_token_key_only_where_tokens_are_made() {
        let (_, faults) = common(&PRODUCTION, Tokens::Made);
        assert!(faults.contains("AFTERSEND_TOKEN_KEY"), "{faults}");
        assert_eq!(common(&PRODUCTION[..1], Tokens::Made).1, "");
        assert_eq!(common(&PRODUCTION, Tokens::NotMade).1, "");
        let short = [PRODUCTION[0], ("AFTERSEND_TOKEN_KEY", "short")];
        assert!(common(&short, Tokens::NotMade).1.contains("AFTERSEND_TOKEN_KEY"));
    }

    #[test]
    fn a_process_without_a_token_key_refuses_no_key_and_one_with_a_key_another() {
        let stored = Topology { token_key: "of-another-key".to_owned(), ..topology(Tokens::Made, &[]) };
        let differences = |tokens, env: &[(&str, &str)]| {
            let common = common(&[&PRODUCTION[..1], env].concat(), tokens).0.unwrap();
            stored.differences(&common.expected(&stored, "")).len()
        };
        assert_eq!(differences(Tokens::NotMade, &[]), 0);
        assert_eq!(differences(Tokens::NotMade, &[("AFTERSEND_TOKEN_KEY", "a-key-of-sixteen-bytes")]), 1);
        assert_eq!(differences(Tokens::Made, &[]), 1);
    }

    fn topology(tokens: Tokens, env: &[(&str, &str)]) -> Topology {
        common(&[&PRODUCTION[..1], env].concat(), tokens).0.unwrap().topology(Some(2), "")
    }

    #[test]
    fn the_settings_page_says_what_the_code_reads() {
        let page = include_str!("../../../docs/settings.md");
        assert!(
            page.ends_with(&settings::table(&catalogue())),
            "run `aftersend settings` and put its table into docs/settings.md"
        );
    }

    #[test]
    fn no_two_settings_share_a_name() {
        let mut keys: Vec<&str> = catalogue().iter().flat_map(|field| [field.key, field.env]).collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all);
    }
}
