//! What becomes of records that are written in a transaction.

use super::claim::Tried;
use super::site::{CREATED_MS, PATIENCE, Site};
use crate::transaction::TailError;
use crate::{Error, Incoming};

/// What the probe's records hold, each after what becomes of it.
pub(super) const COMMITTED: &str = "committed";
pub(super) const ABORTED: &str = "aborted";
pub(super) const FENCED: &str = "fenced";

/// Whether the topic's two ends differ: true only while a transaction is open.
pub(super) fn ends_differ(site: &Site<'_>) -> Result<Tried, Error> {
    let (_, high) = site.tail.extent(&site.names.topic, 0)?;
    let stable = site.tail.stable_end(&site.names.topic, 0)?;
    Ok(Tried::new(stable < high, format!("last stable offset {stable}, high watermark {high}")))
}

/// Whether a reader of committed records sees that of the committed transaction, and `hidden` not.
pub(super) fn only_committed(site: &Site<'_>, hidden: &str) -> Result<Tried, Error> {
    judged(site, |records| {
        let count = |value: &str| {
            records.iter().filter(|record| record.value.as_deref() == Some(value.as_bytes())).count()
        };
        let (visible, leaked) = (count(COMMITTED), count(hidden));
        Tried::new(visible > 0 && leaked == 0, format!("{visible} committed and {leaked} {hidden} records"))
    })
}

/// Whether the broker's clock is on the records, which say another time themselves.
pub(super) fn has_append_time(site: &Site<'_>) -> Result<Tried, Error> {
    judged(site, |records| match records.first() {
        None => Tried::unknown("no record to look at"),
        Some(record) => {
            let kept = record.timestamp_ms;
            Tried::new(kept > CREATED_MS, format!("sent as of {CREATED_MS} ms, kept as of {kept} ms"))
        }
    })
}

/// Judges the records of the probe's first partition that a reader of committed ones sees once all is decided.
fn judged(site: &Site<'_>, judge: impl FnOnce(&[Incoming]) -> Tried) -> Result<Tried, Error> {
    let topic = &site.names.topic;
    let (low, high) = site.tail.extent(topic, 0)?;
    let mut records = Vec::new();
    let decided = site.tail.await_decided(topic, 0, high, PATIENCE, &|| false);
    let read = decided.and_then(|()| {
        site.tail.replay::<TailError>(topic, 0, low, &|| false, |record| {
            records.push(record);
            Ok(())
        })
    });
    match read {
        Ok(_) => Ok(judge(&records)),
        Err(TailError::Kafka(error)) => Err(error),
        Err(stuck) => Ok(Tried::unknown(stuck.to_string())),
    }
}
