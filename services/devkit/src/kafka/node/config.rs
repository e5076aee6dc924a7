use std::fmt::Write as _;
use std::path::Path;

/// A node's place in its cluster: what tells its settings from those of the others. All ports are of
/// 127.0.0.1.
#[derive(Debug, Clone, Default)]
pub(super) struct Seat {
    /// From 1 on.
    pub(super) node: i32,
    /// Where clients connect.
    pub(super) broker: u16,
    /// Where the nodes' KRaft controllers listen, the first node's first.
    pub(super) controllers: Vec<u16>,
    /// The second way in, where a proxy stands in front of it.
    pub(super) proxied: Option<Proxied>,
    /// The way in for users, where there is an authorizer.
    pub(super) secured: Option<Secured>,
}

/// A listener with users, and an authorizer that says what they may do.
#[derive(Debug, Clone)]
pub(super) struct Secured {
    /// Where the broker listens.
    pub(super) port: u16,
    /// Names and passwords.
    pub(super) users: Vec<(String, String)>,
}

/// A listener that clients reach through a proxy only: the broker names the proxy's port as its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proxied {
    /// Where the broker listens.
    pub(super) listened: u16,
    /// Where it says that it listens.
    pub(super) advertised: u16,
}

/// Where the node differs from Kafka's defaults, and why. What isn't here is as on any cluster.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("process.roles", "broker,controller", "one process is a whole node"),
    ("controller.listener.names", "CONTROLLER", "see listeners"),
    (
        "listener.security.protocol.map",
        "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,SECURED:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
        "loopback needs no encryption",
    ),
    ("offsets.topic.num.partitions", "4", "50 would be created, and opened again at each start"),
    ("transaction.state.log.num.partitions", "4", "as above"),
    // Tests kill it and want it back.
    (
        "broker.session.timeout.ms",
        "2000",
        "a killed broker may come back only when its old session has ended (default 9 s)",
    ),
    ("broker.heartbeat.interval.ms", "300", "several fit into a session"),
    // Tests wait for these.
    ("group.initial.rebalance.delay.ms", "0", "the first member need not wait 3 s for others"),
    (
        "group.min.session.timeout.ms",
        "1000",
        "the death of a consumer is noticed in seconds (default floor 6 s)",
    ),
    ("log.retention.check.interval.ms", "5000", "expired segments go within seconds (default 5 min)"),
    (
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        "1000",
        "an abandoned transaction ends on time (default 10 s late)",
    ),
    // As strict as a well-kept cluster.
    ("auto.create.topics.enable", "false", "a misspelt topic must be an error here too"),
    // The largest raw record, 16 MiB of body and its frame. Topics ask for it themselves by
    // `max.message.bytes`.
    ("replica.fetch.max.bytes", "17825792", "never below what a topic may hold"),
    // A small heap.
    ("log.cleaner.dedupe.buffer.size", "16777216", "half of a 256 MiB heap otherwise"),
];

/// Settings that name how many copies there are. What isn't asked for by name (a topic made without them)
/// gets as many too.
const COPIES: &[&str] = &[
    "default.replication.factor",
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "share.coordinator.state.topic.replication.factor",
];
/// Settings that name how many copies an acknowledged record has at least.
const COPIES_MIN: &[&str] =
    &["min.insync.replicas", "transaction.state.log.min.isr", "share.coordinator.state.topic.min.isr"];

/// The text of `server.properties`.
pub(super) fn server_properties(seat: &Seat, data: &Path) -> String {
    let mut text = String::new();
    for (key, value, why) in SETTINGS {
        let _ = writeln!(text, "# {why}\n{key}={value}");
    }
    let nodes = seat.controllers.len();
    let _ = writeln!(text, "# each node has a copy, and one may be missing where there are three");
    for key in COPIES {
        let _ = writeln!(text, "{key}={nodes}");
    }
    for key in COPIES_MIN {
        let _ = writeln!(text, "{key}={}", (nodes / 2 + 1).min(2));
    }
    let Seat { node, broker, .. } = seat;
    let own = usize::try_from(node - 1).ok().and_then(|index| seat.controllers.get(index)).copied();
    let (listener, advertised) =
        seat.proxied.map_or_else(Default::default, |Proxied { listened, advertised }| {
            (format!(",PROXIED://127.0.0.1:{listened}"), format!(",PROXIED://127.0.0.1:{advertised}"))
        });
    let secured = seat.secured.as_ref().map(|secured| format!(",SECURED://127.0.0.1:{}", secured.port));
    let secured_at = secured.unwrap_or_default();
    if let Some(Secured { users, .. }) = &seat.secured {
        text.push_str(&authorizer(users));
    }
    let voters: Vec<String> =
        seat.controllers.iter().zip(1..).map(|(port, id)| format!("{id}@127.0.0.1:{port}")).collect();
    let _ = write!(
        text,
        "# loopback only\n\
         node.id={node}\n\
         listeners=PLAINTEXT://127.0.0.1:{broker}{listener}{secured_at},CONTROLLER://127.0.0.1:{}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{broker}{advertised}{secured_at}\n\
         controller.quorum.voters={}\n\
         log.dirs={}\n",
        own.unwrap_or_default(),
        voters.join(","),
        escaped(&data.display().to_string()),
    );
    text
}

/// The settings of a node with an authorizer.
fn authorizer(users: &[(String, String)]) -> String {
    let users: String = users.iter().map(|(name, password)| format!(" user_{name}=\"{password}\"")).collect();
    format!(
        "# who comes in without a user may do everything: this program, and the nodes\n\
         authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
         super.users=User:ANONYMOUS\n\
         listener.name.secured.sasl.enabled.mechanisms=PLAIN\n\
         listener.name.secured.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required{users};\n"
    )
}

/// A value as a Java properties file wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\")
}

/// What the JVM is told besides. The broker's own log is quiet but for its life, its groups and its
/// transactions, which is what a failed test is explained by.
pub(super) const JVM: &[&str] = &[
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.BrokerServer=info",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.coordinator.group=info",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.coordinator.transaction=info",
];

/// What the JVM of a node is told besides that is needed for seconds: the second compiler would be at work
/// for its first minutes, on cores that a test wants for itself. 256 MiB of heap make about 300 MB of
/// process.
pub(super) const JVM_OF_A_SHORT_LIFE: &[&str] = &["-Xmx256m", "-XX:TieredStopAtLevel=1"];

/// What the JVM of a node is told besides that lives for minutes and more: the heap that Kafka's own start
/// script gives it. With 256 MiB it stands still for 30 ms twice a second under load.
pub(super) const JVM_OF_A_LONG_LIFE: &[&str] = &["-Xms1g", "-Xmx1g"];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(nodes: u16, proxied: Option<Proxied>) -> String {
        let controllers = (0..nodes).map(|index| 21_100 + index).collect();
        server_properties(
            &Seat { node: 1, broker: 21_000, controllers, proxied, secured: None },
            Path::new("/data"),
        )
    }

    #[test]
    fn every_setting_is_given_once() {
        let text = text(3, Some(Proxied { listened: 21_001, advertised: 21_002 }));
        let mut keys: Vec<&str> =
            text.lines().filter_map(|line| line.split_once('=')).map(|(key, _)| key).collect();
        let total = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), total);
        assert!(text.ends_with("log.dirs=/data\n"));
    }

    #[test]
    fn a_proxied_node_names_the_proxy_s_port_as_its_own() {
        let plain = text(1, None);
        assert!(plain.contains("\nadvertised.listeners=PLAINTEXT://127.0.0.1:21000\n"));
        let proxied = text(1, Some(Proxied { listened: 21_001, advertised: 21_002 }));
        assert!(proxied.contains(",PROXIED://127.0.0.1:21001,CONTROLLER://127.0.0.1:21100\n"));
        assert!(
            proxied
                .contains("\nadvertised.listeners=PLAINTEXT://127.0.0.1:21000,PROXIED://127.0.0.1:21002\n")
        );
    }

    #[test]
    fn three_nodes_keep_three_copies_and_may_miss_one() {
        let three = text(3, None);
        assert!(three.contains("\ntransaction.state.log.replication.factor=3\n"));
        assert!(three.contains("\nmin.insync.replicas=2\n"));
        assert!(three.contains("=1@127.0.0.1:21100,2@127.0.0.1:21101,3@127.0.0.1:21102\n"));
        assert!(text(1, None).contains("\nmin.insync.replicas=1\n"));
    }
}
