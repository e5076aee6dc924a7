//! How far each partition is stored, and what of it could not be read.

use kafka::consumer::LogId;
use kafka::{NextOffset, TopicId};
use rusqlite::{OptionalExtension, Transaction, params};

use crate::target::{Gap, Partition, StoredPosition};

const UPSERT: &str = "INSERT INTO sink_offsets (topic, \"partition\", next_offset, cluster_id, topic_id)
    VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT DO UPDATE SET next_offset = max(next_offset, excluded.next_offset),
        cluster_id = coalesce(excluded.cluster_id, cluster_id), topic_id = coalesce(excluded.topic_id, topic_id)";

const INSERT_GAP: &str =
    "INSERT INTO sink_gaps (topic, \"partition\", kind, from_offset, from_cluster_id, from_topic_id,
    to_offset, to_cluster_id, to_topic_id, recorded_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

/// How far the partition is stored.
pub(super) fn read(
    transaction: &Transaction<'_>,
    topic: &str,
    partition: i32,
) -> rusqlite::Result<Option<StoredPosition>> {
    let sql =
        "SELECT next_offset, cluster_id, topic_id FROM sink_offsets WHERE topic = ?1 AND \"partition\" = ?2";
    let read = |row: &rusqlite::Row<'_>| {
        let cluster: Option<String> = row.get(1)?;
        let topic: Option<String> = row.get(2)?;
        let log =
            LogId { cluster: cluster.map(Into::into), topic: topic.as_deref().and_then(TopicId::from_hex) };
        Ok(StoredPosition { next: NextOffset(row.get(0)?), log })
    };
    transaction.prepare_cached(sql)?.query_row((topic, partition), read).optional()
}

/// Moves the partition's position, never back.
pub(super) fn advance(
    transaction: &Transaction<'_>,
    (topic, partition): &Partition,
    StoredPosition { next, log }: &StoredPosition,
) -> rusqlite::Result<()> {
    let (cluster, topic_id) = texts(log);
    transaction
        .prepare_cached(UPSERT)?
        .execute(params![&**topic, partition, next.0, cluster, topic_id])
        .map(drop)
}

/// Whether two logs are surely not the same.
pub(super) fn contradict(one: &LogId, other: &LogId) -> bool {
    let differ = |one: Option<&str>, other: Option<&str>| one.is_some() && other.is_some() && one != other;
    let ((one_cluster, one_topic), (cluster, topic)) = (texts(one), texts(other));
    differ(one_cluster, cluster) || differ(one_topic.as_deref(), topic.as_deref())
}

/// Records the gap, and moves the position behind it, in whichever direction.
pub(super) fn record_gap(transaction: &Transaction<'_>, gap: &Gap, now: &str) -> rusqlite::Result<()> {
    let Gap { partition: (topic, partition), kind, stored, resume } = gap;
    let ((from_cluster, from_topic), (to_cluster, to_topic)) = (texts(&stored.log), texts(&resume.log));
    transaction.execute(
        INSERT_GAP,
        params![
            &**topic,
            partition,
            kind.label(),
            stored.next.0,
            from_cluster,
            from_topic,
            resume.next.0,
            to_cluster,
            to_topic,
            now
        ],
    )?;
    transaction.execute(
        "DELETE FROM sink_offsets WHERE topic = ?1 AND \"partition\" = ?2",
        params![&**topic, partition],
    )?;
    advance(transaction, &gap.partition, resume)
}

fn texts(log: &LogId) -> (Option<&str>, Option<String>) {
    (log.cluster.as_deref(), log.topic.map(|id| id.to_hex()))
}
