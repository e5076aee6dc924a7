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
    let actual = cluster.settings(name)?;
    for (key, value) in wanted.settings {
        let is = actual.iter().find(|(name, _)| name == key).map_or("unset", |(_, value)| value.as_str());
        if !suffices(key, is, value) {
            found.push(format!(
                "{name} has {key} = {is}, wanted {value}: kafka-configs.sh --alter --topic {name} --add-config {key}={value}"
            ));
        }
    }
    Ok(found)
}

/// Whether a topic's setting is good enough. A setting that could lose or misread data must be equal, or at
/// least as large. Everything else is the operator's choice.
fn suffices(key: &str, is: &str, wanted: &str) -> bool {
    match key {
        "cleanup.policy" | "message.timestamp.type" => is == wanted,
        "max.message.bytes" => number(is) >= number(wanted),
        _ => true,
    }
}

/// A number as Kafka writes it; 0 for anything else.
pub(super) fn number(text: &str) -> u64 {
    text.parse().unwrap_or_default()
}
