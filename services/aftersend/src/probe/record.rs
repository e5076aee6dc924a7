//! Records that are written in a transaction.

use kafka::Incoming;
use kafka::transaction::TailError;

use super::claim::ProbeOutcome;
use super::resource::{ANSWER_MAX, CREATED_MS, Resources};

/// Values of the probe's records, named after what happens to their transaction.
pub(super) const COMMITTED: &str = "committed";
pub(super) const ABORTED: &str = "aborted";
pub(super) const FENCED: &str = "fenced";

/// Whether the last stable offset and the high watermark differ: true only while a transaction is open.
pub(super) fn ends_differ(resources: &Resources<'_>) -> anyhow::Result<ProbeOutcome> {
    let (_, high) = resources.tail.extent(&resources.names.topic, 0)?;
    let stable = resources.tail.stable_end(&resources.names.topic, 0)?;
    Ok(ProbeOutcome::new(stable < high, format!("last stable offset {stable}, high watermark {high}")))
}

/// Whether a reader of committed records sees the committed transaction's record, and not `hidden`.
pub(super) fn only_committed(resources: &Resources<'_>, hidden: &str) -> anyhow::Result<ProbeOutcome> {
    judged(resources, |records| {
        let count = |value: &str| {
            records.iter().filter(|record| record.value.as_deref() == Some(value.as_bytes())).count()
        };
        let (visible, leaked) = (count(COMMITTED), count(hidden));
        ProbeOutcome::new(
            visible > 0 && leaked == 0,
            format!("{visible} committed and {leaked} {hidden} records"),
        )
    })
}

/// Whether the records have the broker's time. They were sent with another one.
pub(super) fn has_append_time(resources: &Resources<'_>) -> anyhow::Result<ProbeOutcome> {
    judged(resources, |records| match records.first() {
        None => ProbeOutcome::unknown("no record to look at"),
        Some(record) => {
            let kept = record.timestamp_ms;
            ProbeOutcome::new(kept > CREATED_MS, format!("sent as of {CREATED_MS} ms, kept as of {kept} ms"))
        }
    })
}

/// Applies `judge` to the committed records of the probe's first partition, once every transaction is
/// decided.
fn judged(
    resources: &Resources<'_>,
    judge: impl FnOnce(&[Incoming]) -> ProbeOutcome,
) -> anyhow::Result<ProbeOutcome> {
    let topic = &resources.names.topic;
    let (low, high) = resources.tail.extent(topic, 0)?;
    let mut records = Vec::new();
    let decided = resources.tail.await_decided(topic, 0, high, ANSWER_MAX, &|| false);
    let read = decided.and_then(|()| {
        resources.tail.replay::<TailError>(topic, 0, low, &|| false, |record| {
            records.push(record);
            Ok(())
        })
    });
    match read {
        Ok(_) => Ok(judge(&records)),
        Err(TailError::Kafka(error)) => Err(error.into()),
        Err(stuck) => Ok(ProbeOutcome::unknown(stuck.to_string())),
    }
}
