//! Limits of topics against limits of roles.

use anyhow::bail;
use kafka::Cluster;
use processor::domain::time::window::Window;
use schemas::topic::Topic;

use super::DAY_MS;
use super::topic::number;
use crate::configuration::Common;

// The kit's producers and the schemas' topics must agree, and neither knows the other.
const _: () = assert!(kafka::RECORD_BYTES_MAX == schemas::topic::RECORD_BYTES_MAX, "one limit for records");

/// For how many days the vendor may still send an event again.
const RETRY_DAYS: u64 = 8;

/// Refuses topics that cannot hold what the gateway's producer may send. Otherwise the gateway would
/// dead-letter events that raw could hold (G7).
///
/// # Errors
/// Names the topic, both limits and the settings to change. Also if no broker answers.
pub(crate) fn check_record_size(common: &Common, message_max_bytes: u32) -> anyhow::Result<()> {
    let cluster = Cluster::connect(&common.connection)?;
    for topic in [Topic::Raw, Topic::DeadLetter] {
        let name = common.topics.name(topic);
        let settings = cluster.settings(name)?;
        let limit =
            settings.iter().find(|(key, _)| key == "max.message.bytes").map_or(0, |(_, value)| number(value));
        if limit < u64::from(message_max_bytes) {
            bail!(
                "{name} holds records of at most {limit} bytes and gateway.message_max is {message_max_bytes}: lower \
                 AFTERSEND_GATEWAY_MESSAGE_MAX, or raise the topic's max.message.bytes"
            );
        }
    }
    Ok(())
}

/// Refuses a dedupe window that is shorter than raw's retention: a redrive of raw's oldest records would
/// count them twice (P1).
///
/// # Errors
/// Names the topic, both periods and the settings to change. Also if no broker answers.
pub(crate) fn check_window(common: &Common, window: Window) -> anyhow::Result<()> {
    let cluster = Cluster::connect(&common.connection)?;
    let name = common.topics.name(Topic::Raw);
    let settings = cluster.settings(name)?;
    let millis = |key: &str| {
        let found = settings.iter().find(|(name, _)| name == key);
        // Kafka's -1 keeps records forever.
        found.and_then(|(_, value)| value.parse::<u64>().ok()).unwrap_or(u64::MAX / 4)
    };
    let outlives = millis("retention.ms") + millis("segment.ms") + RETRY_DAYS * DAY_MS;
    if outlives > u64::from(window.days()) * DAY_MS {
        bail!(
            "{name} keeps records for {} days (retention, one segment, and {RETRY_DAYS} days of retries), longer than the \
             dedupe window of {}: raise AFTERSEND_PROCESSOR_DEDUPE_WINDOW_DAYS, or lower the topic's retention.ms",
            outlives / DAY_MS,
            window.days()
        );
    }
    Ok(())
}
