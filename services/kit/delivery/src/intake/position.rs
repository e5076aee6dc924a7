//! Where a partition goes on, and whether that can be right. Pure.

use std::fmt;

use kafka::consumer::{LogBounds, LogId};
use kafka::{NextOffset, TopicId};

use crate::intake::Partition;

/// How far a partition is done, and in which log the offset counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPosition {
    /// The next offset.
    pub next: NextOffset,
    /// The log. What of it is not known contradicts nothing.
    pub log: LogId,
}

/// Records that can't be read any more between the position and the log as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The partition.
    pub partition: Partition,
    /// Why.
    pub kind: GapKind,
    /// What was stored.
    pub stored: StoredPosition,
    /// Where the log can be read from.
    pub resume: StoredPosition,
}

/// Why a position can't be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapKind {
    /// It was stored for another cluster.
    AnotherCluster,
    /// The topic was deleted and made anew.
    TopicMadeAnew,
    /// The log begins behind it: records were deleted before they were read.
    BeginsLater,
    /// The log ends before it: records that were read are no longer there.
    EndsEarlier,
}

/// What to do when a position can't be right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnGap {
    /// Read nothing of the partition, and be not ready.
    #[default]
    Refuse,
    /// Record the gap, and go on where the log can be read from.
    Record,
}

impl GapKind {
    /// The metric's label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::AnotherCluster => "another_cluster",
            Self::TopicMadeAnew => "topic_made_anew",
            Self::BeginsLater => "begins_later",
            Self::EndsEarlier => "ends_earlier",
        }
    }
}

impl settings::Value for OnGap {
    const SHAPE: &'static str = "refuse or record";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "refuse" => Ok(Self::Refuse),
            "record" => Ok(Self::Record),
            _ => Err("neither of the two".to_owned()),
        }
    }
}

/// Where `partition` starts: at `stored`, or where nothing is stored at the beginning of its log.
///
/// # Errors
/// The gap, where the stored position can't be right.
pub(crate) fn start(
    partition: &Partition,
    stored: Option<StoredPosition>,
    bounds: &LogBounds,
) -> Result<StoredPosition, Box<Gap>> {
    let at = |next| StoredPosition { next, log: bounds.id.clone() };
    let Some(stored) = stored else { return Ok(at(bounds.begin)) };
    let (kind, resume) = if contradict(stored.log.cluster.as_ref(), bounds.id.cluster.as_ref()) {
        (GapKind::AnotherCluster, bounds.begin)
    } else if contradict(stored.log.topic.as_ref(), bounds.id.topic.as_ref()) {
        (GapKind::TopicMadeAnew, bounds.begin)
    } else if stored.next < bounds.begin {
        (GapKind::BeginsLater, bounds.begin)
    } else if stored.next > bounds.end {
        (GapKind::EndsEarlier, bounds.end)
    } else {
        return Ok(at(stored.next));
    };
    Err(Box::new(Gap { partition: partition.clone(), kind, stored, resume: at(resume) }))
}

fn contradict<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one != other)
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition: (topic, number), kind, stored, resume } = self;
        let next = stored.next.0;
        match kind {
            GapKind::AnotherCluster => write!(
                f,
                "{topic}[{number}]: position {next} was stored for another cluster ({}), this is {}",
                stored.log, resume.log
            ),
            GapKind::TopicMadeAnew => write!(
                f,
                "{topic}[{number}]: position {next} was stored for an earlier topic of this name ({}), this is {}",
                stored.log, resume.log
            ),
            GapKind::BeginsLater => write!(
                f,
                "{topic}[{number}]: records {next} to {} were deleted before they were read",
                resume.next.0 - 1
            ),
            GapKind::EndsEarlier => write!(
                f,
                "{topic}[{number}]: position {next} lies behind the log's end {}: records were lost at the brokers",
                resume.next.0
            ),
        }
    }
}

/// What stands before the log's id in the text that is committed with an offset.
const METADATA: &str = "aftersend-log:";

/// The log as the text that is committed with an offset.
pub(crate) fn to_metadata(log: &LogId) -> String {
    let topic = log.topic.map(|id| id.to_hex()).unwrap_or_default();
    format!("{METADATA}{topic}:{}", log.cluster.as_deref().unwrap_or_default())
}

/// The log of a committed offset's text. Any other text names none: an operator's tool that moved the offset
/// leaves one, and is believed.
pub(crate) fn from_metadata(text: &str) -> LogId {
    let Some((topic, cluster)) = text.strip_prefix(METADATA).and_then(|log| log.split_once(':')) else {
        return LogId::default();
    };
    let cluster = Some(cluster).filter(|cluster| !cluster.is_empty()).map(Into::into);
    LogId { cluster, topic: TopicId::from_hex(topic) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(cluster: &str, topic: u8) -> LogId {
        LogId { cluster: Some(cluster.into()), topic: Some(TopicId([topic; 16])) }
    }

    fn stored(next: i64, log: LogId) -> Option<StoredPosition> {
        Some(StoredPosition { next: NextOffset(next), log })
    }

    fn found(stored: Option<StoredPosition>) -> Result<i64, (GapKind, i64, String)> {
        let bounds = LogBounds { id: log("c", 1), begin: NextOffset(10), end: NextOffset(50) };
        start(&("t".into(), 3), stored, &bounds)
            .map(|position| position.next.0)
            .map_err(|gap| (gap.kind, gap.resume.next.0, gap.to_string()))
    }

    #[test]
    fn a_position_inside_its_log_is_where_reading_starts() {
        for next in [10, 11, 50] {
            assert_eq!(found(stored(next, log("c", 1))), Ok(next));
        }
    }

    #[test]
    fn without_a_position_reading_starts_where_the_log_begins() {
        assert_eq!(found(None), Ok(10));
    }

    /// What an earlier version stored names no log.
    #[test]
    fn what_is_not_known_contradicts_nothing() {
        assert_eq!(found(stored(20, LogId::default())), Ok(20));
        assert_eq!(found(stored(20, LogId { topic: None, ..log("c", 1) })), Ok(20));
    }

    #[test]
    fn a_position_that_cannot_be_right_is_a_gap_that_says_why() {
        for (position, kind, resume, text) in [
            (stored(20, log("d", 1)), GapKind::AnotherCluster, 10, "another cluster"),
            (stored(20, log("c", 2)), GapKind::TopicMadeAnew, 10, "an earlier topic"),
            (stored(9, log("c", 1)), GapKind::BeginsLater, 10, "records 9 to 9 were deleted"),
            (stored(51, log("c", 1)), GapKind::EndsEarlier, 50, "behind the log's end 50"),
            (stored(9, LogId::default()), GapKind::BeginsLater, 10, "t[3]"),
        ] {
            let (found, goes_on, said) = found(position).expect_err(text);
            assert_eq!((found, goes_on), (kind, resume));
            assert!(said.contains(text), "{said}");
        }
    }

    #[test]
    fn a_log_survives_as_the_text_of_an_offset() {
        for log in [log("a:b", 7), LogId::default(), LogId { topic: None, ..log("c", 1) }] {
            assert_eq!(from_metadata(&to_metadata(&log)), log);
        }
        for foreign in ["", "x", "aftersend-log:", "0123:4"] {
            assert_eq!(from_metadata(foreign), LogId::default(), "{foreign}");
        }
    }
}
