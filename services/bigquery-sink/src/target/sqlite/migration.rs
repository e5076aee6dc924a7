//! Brings a file of an earlier format up to date.

use kafka::RecordOffset;
use rusqlite::Transaction;
use rusqlite::functions::{Context, FunctionFlags};
use schemas::id::DedupeId;
use schemas::record::MessageOutcome;

use super::{row, schema};
use crate::target::Row;

/// The tables of format 1 step aside while those of today are filled from them.
const STEP_ASIDE: &str = "
    DROP VIEW message_funnel;
    DROP VIEW message_outcomes_unique;
    ALTER TABLE message_outcomes RENAME TO message_outcomes_1;
    ALTER TABLE message_outcome_conflicts RENAME TO message_outcome_conflicts_1;
    ALTER TABLE sink_offsets RENAME TO sink_offsets_1;";

/// Format 1 took one event id for one outcome. Where two of its ids are spellings of one, the first row
/// stays.
const COPY: &str = "
    INSERT OR IGNORE INTO message_outcomes (
        outcome_id, event_id, event_type, timestamp, received_at, inserted_at, customer_id, recipient_token,
        recipient_domain, delivery_id, campaign_id, action_id, broadcast_id, newsletter_id, transactional_message_id,
        template_id, subject, href, link_id, channel, bounce_class, bounce_blame, machine, prefetched, proxied,
        synthetic, source, metadata, metric, time_source, failure_message, classifier, appended_at, kafka_topic,
        kafka_partition, kafka_offset)
    SELECT
        outcome_id_of(customer_id, source, event_id), event_id, event_type, timestamp, received_at, inserted_at,
        customer_id, recipient_token, recipient_domain, delivery_id, campaign_id, action_id, broadcast_id,
        newsletter_id, transactional_message_id, template_id, subject, href, link_id, channel, bounce_class,
        bounce_blame, machine, prefetched, proxied, synthetic, source, metadata, metric, time_source, failure_message,
        '', appended_at, kafka_topic, kafka_partition, kafka_offset
    FROM message_outcomes_1 ORDER BY rowid;
    INSERT INTO sink_offsets (topic, \"partition\", next_offset) SELECT topic, \"partition\", next_offset FROM sink_offsets_1;";

const DROP: &str = "
    DROP TABLE message_outcomes_1;
    DROP TABLE message_outcome_conflicts_1;
    DROP TABLE sink_offsets_1;";

/// From format 1, whose rows had the event id for a key. Outcomes that it kept out although only their event
/// id was taken become rows.
pub(super) fn from_1(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(STEP_ASIDE)?;
    schema::make_tables(transaction)?;
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    transaction.create_scalar_function("outcome_id_of", 3, flags, outcome_id_of)?;
    transaction.execute_batch(COPY)?;
    for (row, inserted_at) in conflicts(transaction)? {
        row::insert(transaction, &row, &inserted_at)?;
    }
    transaction.execute_batch(DROP)
}

/// From format 2, whose positions named no log, and which had no gaps. Its positions are taken on trust once.
pub(super) fn from_2(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(
        "ALTER TABLE sink_offsets ADD COLUMN cluster_id TEXT;
        ALTER TABLE sink_offsets ADD COLUMN topic_id TEXT;",
    )?;
    schema::make_gaps(transaction)
}

fn outcome_id_of(context: &Context<'_>) -> rusqlite::Result<String> {
    let text =
        |at| context.get_raw(at).as_str().map_err(|err| rusqlite::Error::UserFunctionError(err.into()));
    Ok(DedupeId::of_published(text(0)?, text(1)?, text(2)?).to_hex())
}

/// The outcomes that format 1 kept out, and when.
fn conflicts(transaction: &Transaction<'_>) -> rusqlite::Result<Vec<(Row, String)>> {
    let mut kept = transaction.prepare(
        "SELECT outcome, kafka_topic, kafka_partition, kafka_offset, inserted_at FROM message_outcome_conflicts_1
        ORDER BY rowid",
    )?;
    let rows = kept.query_map((), |found| {
        let json: String = found.get(0)?;
        let unread = |err: serde_json::Error| {
            rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, err.into())
        };
        let outcome: MessageOutcome<'static> = serde_json::from_str(&json).map_err(unread)?;
        let topic: String = found.get(1)?;
        let offset = RecordOffset(found.get(3)?);
        let row =
            Row { topic: topic.into(), partition: found.get(2)?, offset, outcome: outcome.identified() };
        Ok((row, found.get(4)?))
    })?;
    rows.collect()
}
