use std::fmt::Write as _;
use std::path::Path;

/// The two loopback ports of a node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    /// Where clients connect.
    pub(super) broker: u16,
    /// Where the KRaft controller listens, for the node itself only.
    pub(super) controller: u16,
}

/// Where the node differs from Kafka's defaults, and why. What isn't here is as on any cluster.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("process.roles", "broker,controller", "one process is the whole cluster"),
    ("node.id", "1", "the only one"),
    ("controller.listener.names", "CONTROLLER", "see listeners"),
    // One node holds the only copy.
    ("offsets.topic.replication.factor", "1", "one node"),
    ("transaction.state.log.replication.factor", "1", "one node"),
    ("transaction.state.log.min.isr", "1", "one node"),
    ("share.coordinator.state.topic.replication.factor", "1", "one node"),
    ("share.coordinator.state.topic.min.isr", "1", "one node"),
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
    // The largest raw record, 16 MiB of body and its frame. Topics ask for it themselves by `max.message.bytes`.
    ("replica.fetch.max.bytes", "17825792", "never below what a topic may hold"),
    // A small heap.
    ("log.cleaner.dedupe.buffer.size", "16777216", "half of a 256 MiB heap otherwise"),
];

/// The text of `server.properties`.
pub(super) fn server_properties(ports: Ports, data: &Path) -> String {
    let Ports { broker, controller } = ports;
    let mut text = String::new();
    for (key, value, why) in SETTINGS {
        let _ = writeln!(text, "# {why}\n{key}={value}");
    }
    let _ = write!(
        text,
        "# loopback only\n\
         listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{broker}\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         log.dirs={}\n",
        escaped(&data.display().to_string()),
    );
    text
}

/// A value as a Java properties file wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\")
}

/// What the JVM is told besides. 256 MiB of heap make about 300 MB of process; the broker's own log is quiet but for
/// its life, its groups and its transactions, which is what a failed test is explained by.
pub(super) const JVM: &[&str] = &[
    "-Xmx256m",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_given_once() {
        let text = server_properties(Ports { broker: 21_000, controller: 21_001 }, Path::new("/data"));
        let mut keys: Vec<&str> =
            text.lines().filter_map(|line| line.split_once('=')).map(|(key, _)| key).collect();
        let total = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), total);
        assert!(text.contains("advertised.listeners=PLAINTEXT://127.0.0.1:21000\n"));
        assert!(text.ends_with("log.dirs=/data\n"));
    }
}
