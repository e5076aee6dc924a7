//! Which log an offset counts in.

use std::fmt;
use std::sync::Arc;

use crate::{NextOffset, TopicId};

/// The log of a topic. A topic that was deleted and made anew has another log under the same name, and so has
/// the topic of another cluster: an offset of one says nothing about the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogId {
    /// The cluster's id, where it is known.
    pub cluster: Option<Arc<str>>,
    /// The topic's id, where it is known. Brokers before Kafka 2.8 have none.
    pub topic: Option<TopicId>,
}

/// A partition's log, as the brokers have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogBounds {
    /// The topic's log.
    pub id: LogId,
    /// The first offset that is still there.
    pub begin: NextOffset,
    /// Behind the last record that can be read.
    pub end: NextOffset,
}

impl TopicId {
    /// The id as 32 hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.0))
    }

    /// The id of 32 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok().filter(|_| digits)?;
        Some(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topic = self.topic.map_or_else(|| "unknown".to_owned(), |id| id.to_hex());
        write!(f, "cluster {}, topic id {topic}", self.cluster.as_deref().unwrap_or("unknown"))
    }
}
