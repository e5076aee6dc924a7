//! What a subject wrote, counted and condensed from outside.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use anyhow::Context;
use kafka::NextOffset;
use kafka::transaction::{Tail, TailError};
use schemas::codec::{self, DecodeError};
use schemas::record::{CustomerTraits, MessageOutcome, Suppression};
use schemas::topic::{Topic, Topics};
use serde_json::Value;

use crate::workload::Raw;

/// The topics that every subject writes to.
pub(crate) const WRITTEN: [Topic; 3] = [Topic::Warehouse, Topic::Trait, Topic::Suppression];

/// Committed records of the three output topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outputs {
    /// Records of each.
    pub(crate) records: [u64; 3],
    /// Mean bytes of a value of each.
    pub(crate) sizes: [usize; 3],
    /// Of what they say in the end: every outcome, and each customer's last traits and suppressions. When and
    /// in how many revisions it was said makes no difference, nor does the order.
    pub(crate) sums: [u64; 3],
}

/// Reads the output topics whole.
pub(crate) fn outputs(raw: &Raw, topics: &Topics) -> anyhow::Result<Outputs> {
    let tail = Tail::new(&raw.connection, "aftersend.bench")?;
    let mut found = Outputs { records: [0; 3], sizes: [0; 3], sums: [0; 3] };
    for (at, topic) in WRITTEN.into_iter().enumerate() {
        let (mut records, mut bytes) = (0, 0);
        let mut said: HashMap<Vec<u8>, u64> = HashMap::new();
        for partition in 0..i32::try_from(raw.partitions)? {
            let mut failure = None;
            let read =
                tail.replay::<TailError>(topics.name(topic), partition, NextOffset(0), &|| false, |record| {
                    let value = record.value.unwrap_or_default();
                    records += 1;
                    bytes += value.len();
                    match condensed(topic, &value) {
                        Ok(sum) if topic == Topic::Warehouse => {
                            let all = said.entry(Vec::new()).or_default();
                            *all = all.wrapping_add(sum);
                        }
                        Ok(sum) => drop(said.insert(record.key.unwrap_or_default(), sum)),
                        Err(error) => failure = Some(error),
                    }
                    Ok(())
                });
            read.with_context(|| format!("{} not read", topics.name(topic)))?;
            failure.map_or(Ok(()), Err)?;
        }
        found.records[at] = records;
        found.sizes[at] = bytes / usize::try_from(records.max(1))?;
        found.sums[at] = said.into_iter().fold(0, |sum, (key, said)| sum.wrapping_add(hash(&(key, said))));
    }
    Ok(found)
}

/// What a record says, without what depends on when it was written.
fn condensed(topic: Topic, value: &[u8]) -> Result<u64, DecodeError> {
    Ok(match topic {
        Topic::Warehouse => {
            let outcome: MessageOutcome<'_> = codec::decode(value)?;
            // The order of its fields says nothing.
            let metadata: Option<Value> = serde_json::from_str(&outcome.metadata).ok();
            let plain = MessageOutcome { appended_at: 0, metadata: "".into(), ..outcome };
            hash(&(format!("{plain:?}"), format!("{metadata:?}")))
        }
        Topic::Trait => {
            let traits: CustomerTraits = codec::decode(value)?;
            let plain = CustomerTraits { revision: 0, as_of: 0, changed: Vec::new(), ..traits };
            hash(&format!("{plain:?}"))
        }
        _ => {
            let suppression: Suppression = codec::decode(value)?;
            hash(&format!("{:?}", suppression.entries))
        }
    })
}

fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_says_the_same_whenever_and_in_whatever_order() {
        let said = |appended_at: i64, metadata: &str, metric: &str| {
            let (metadata, metric) = (metadata.into(), metric.into());
            let outcome = MessageOutcome { appended_at, metadata, metric, ..MessageOutcome::default() };
            condensed(Topic::Warehouse, &codec::encode(&outcome).expect("encodes")).expect("decodes")
        };
        assert_eq!(said(1, r#"{"a":1,"b":2}"#, "sent"), said(2, r#"{"b":2,"a":1}"#, "sent"));
        assert_ne!(said(1, "{}", "sent"), said(1, "{}", "opened"));
        assert_ne!(said(1, r#"{"a":1}"#, "sent"), said(1, r#"{"a":2}"#, "sent"));
    }
}
