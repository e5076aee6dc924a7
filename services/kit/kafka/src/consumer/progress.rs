//! How far partitions have been read, by the client's own statistics.

use std::collections::HashMap;
use std::sync::Arc;

use rdkafka::Statistics;

use crate::NextOffset;

/// How far one partition has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchProgress {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The next offset to fetch, past transaction markers; `None` until the client knows where to start.
    pub fetched: Option<NextOffset>,
    /// The offset behind the last record that was handed out; `None` where none was.
    pub taken: Option<NextOffset>,
    /// Records that were fetched and not handed out yet.
    pub queued: u64,
}

impl FetchProgress {
    /// Where reading stands. While records are queued it is behind the last one handed out, because the
    /// client drops the queue when fetching is paused. Without any it is the next offset to fetch, because
    /// only that passes the marker at the end of a transaction.
    #[must_use]
    pub fn position(&self) -> Option<NextOffset> {
        if self.queued == 0 { self.fetched } else { self.taken.or(self.fetched) }
    }
}

/// What the statistics of a client say, by topic and partition.
#[derive(Debug, Default)]
pub(super) struct Latest(HashMap<(String, i32), Numbers>);

#[derive(Debug, Clone, Copy)]
struct Numbers {
    fetched: i64,
    taken: i64,
    queued: i64,
}

impl Latest {
    pub(super) fn of(statistics: &Statistics) -> Self {
        let mut latest = HashMap::new();
        for topic in statistics.topics.values() {
            for partition in topic.partitions.values() {
                let numbers = Numbers {
                    fetched: partition.next_offset,
                    taken: partition.app_offset,
                    queued: partition.fetchq_cnt,
                };
                latest.insert((topic.topic.clone(), partition.partition), numbers);
            }
        }
        Self(latest)
    }

    /// `None` where the statistics don't name the partition yet.
    pub(super) fn progress(&self, topic: &Arc<str>, partition: i32) -> Option<FetchProgress> {
        let numbers = self.0.get(&(topic.to_string(), partition))?;
        Some(FetchProgress {
            topic: Arc::clone(topic),
            partition,
            fetched: offset(numbers.fetched),
            taken: offset(numbers.taken),
            queued: u64::try_from(numbers.queued).unwrap_or_default(),
        })
    }
}

/// Negative numbers stand for "not known" and the like.
fn offset(number: i64) -> Option<NextOffset> {
    (number >= 0).then_some(NextOffset(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(fetched: Option<i64>, taken: Option<i64>, queued: u64) -> FetchProgress {
        let (fetched, taken) = (fetched.map(NextOffset), taken.map(NextOffset));
        FetchProgress { topic: "t".into(), partition: 0, fetched, taken, queued }
    }

    #[test]
    fn a_transaction_marker_at_the_end_is_no_lag() {
        // The last record has offset 9, the marker behind it 10.
        assert_eq!(progress(Some(11), Some(10), 0).position(), Some(NextOffset(11)));
    }

    #[test]
    fn records_that_wait_in_the_client_count_as_unread() {
        assert_eq!(progress(Some(500), Some(10), 490).position(), Some(NextOffset(10)));
        assert_eq!(progress(Some(500), None, 490).position(), Some(NextOffset(500)));
        assert_eq!(progress(None, None, 0).position(), None);
    }
}
