//! An existing topic against what is wanted.

use kafka::{Cluster, TopicRequest};

/// One line per difference, each with its mend. None if the topic is as wanted, or does not exist.
///
/// # Errors
/// If no broker answers, or it refuses.
pub(crate) fn differences(cluster: &Cluster, wanted: &TopicRequest<'_>) -> anyhow::Result<Vec<String>> {
    let name = wanted.name;
    let Some(state) = cluster.topic(name)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    if state.partitions != wanted.partitions {
        found.push(format!(
            "{name} has {} partitions, wanted {}: the count can't be changed while there is data; use another prefix, or set \
             AFTERSEND_PARTITIONS to what is there",
            state.partitions, wanted.partitions
        ));
    }
    if state.replication < wanted.replication {
        found.push(format!(
            "{name} has {} replicas, wanted {}: kafka-reassign-partitions.sh, or set AFTERSEND_REPLICATION to what is there",
            state.replication, wanted.replication
        ));
    }
    let actual = cluster.settings(name)?;
    for (key, value) in wanted.settings {
        let is = actual.iter().find(|(name, _)| name == key).map_or("unset", |(_, value)| value.as_str());
        if !suffices(key, is, value, state.replication) {
            found.push(format!(
                "{name} has {key} = {is}, wanted {value}: kafka-configs.sh --alter --topic {name} --add-config {key}={value}"
            ));
        }
    }
    Ok(found)
}

/// The difference of a topic that does not exist, with what to create.
pub(crate) fn missing(wanted: &TopicRequest<'_>) -> String {
    let TopicRequest { name, partitions, replication, settings } = wanted;
    let settings: Vec<String> =
        settings.iter().map(|(key, value)| format!("--config {key}={value}")).collect();
    format!(
        "{name} is missing: kafka-topics.sh --create --topic {name} --partitions {partitions} --replication-factor \
         {replication} {}",
        settings.join(" ")
    )
}

/// Whether a topic's setting is good enough. A setting that could lose or misread data must be equal, or at
/// least as large. With more in-sync replicas than there are replicas, nothing can be written. Everything
/// else is the operator's choice.
fn suffices(key: &str, is: &str, wanted: &str, replication: u32) -> bool {
    match key {
        "cleanup.policy" | "message.timestamp.type" => is == wanted,
        "max.message.bytes" => number(is) >= number(wanted),
        "min.insync.replicas" => (number(wanted)..=u64::from(replication)).contains(&number(is)),
        _ => true,
    }
}

/// A number as Kafka writes it; 0 for anything else.
pub(super) fn number(text: &str) -> u64 {
    text.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_sync_replicas_are_enough_and_not_more_than_there_are() {
        let judge = |is| suffices("min.insync.replicas", is, "2", 3);
        assert_eq!(["1", "2", "3", "4", "unset"].map(judge), [false, true, true, false, false]);
    }
}
