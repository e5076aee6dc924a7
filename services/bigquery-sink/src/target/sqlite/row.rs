//! One outcome into its row, and into the conflicts where its id is taken.

use kafka::RecordOffset;
use rusqlite::{ErrorCode, Transaction, ffi, named_params, params};
use schemas::record::MessageOutcome;

use super::time;
use crate::target::{Row, RowOutcome};

const INSERT: &str = "INSERT INTO message_outcomes (
    outcome_id, event_id, event_type, timestamp, received_at, inserted_at, customer_id, recipient_token,
    recipient_domain, delivery_id, campaign_id, action_id, broadcast_id, newsletter_id, transactional_message_id, template_id,
    subject, href, link_id, channel, bounce_class, bounce_blame, machine, prefetched, proxied, synthetic, source, metadata, metric, time_source,
    failure_message, bounce_reason, bounce_confidence, bounce_rule, classifier, appended_at, kafka_topic, kafka_partition, kafka_offset
) VALUES (
    :outcome_id, :event_id, :event_type, :timestamp, :received_at, :inserted_at, :customer_id, :recipient_token, :recipient_domain,
    :delivery_id, :campaign_id, :action_id, :broadcast_id, :newsletter_id, :transactional_message_id, :template_id,
    :subject, :href, :link_id, :channel, :bounce_class, :bounce_blame, :machine, :prefetched, :proxied, :synthetic,
    :source, :metadata, :metric, :time_source, :failure_message, :bounce_reason, :bounce_confidence,
    :bounce_rule, :classifier, :appended_at, :kafka_topic, :kafka_partition,
    :kafka_offset
)";

const INSERT_CONFLICT: &str = "INSERT INTO message_outcome_conflicts
    (outcome_id, kafka_topic, kafka_partition, kafka_offset, stored_topic, stored_partition, stored_offset, inserted_at, outcome)
    SELECT outcome_id, ?2, ?3, ?4, kafka_topic, kafka_partition, kafka_offset, ?5, ?6
    FROM message_outcomes WHERE outcome_id = ?1";

/// Inserts the row plainly. Where its id is taken, the outcome is recorded as a conflict in the same
/// transaction.
pub(super) fn insert(transaction: &Transaction<'_>, row: &Row, now: &str) -> rusqlite::Result<RowOutcome> {
    match insert_row(transaction, row, now) {
        Ok(()) => Ok(RowOutcome::Stored),
        Err(err) if is_taken(&err) => insert_conflict(transaction, row, now).map(|()| RowOutcome::Conflict),
        Err(err) => Err(err),
    }
}

/// Why the table will never take the row, in SQLite's words, which quote no value. `None` where the failure
/// has another cause.
pub(super) fn refusal(error: &rusqlite::Error) -> Option<String> {
    let code = error.sqlite_error_code()?;
    let is_the_rows =
        matches!(code, ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch);
    is_the_rows.then(|| error.to_string())
}

/// Inserts a row that nothing speaks against.
pub(super) fn insert_plain(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let outcome = MessageOutcome { metadata: "{}".into(), ..MessageOutcome::default() };
    let row = Row { topic: "".into(), partition: 0, offset: RecordOffset(0), outcome };
    insert_row(transaction, &row, "")
}

fn insert_row(transaction: &Transaction<'_>, row: &Row, now: &str) -> rusqlite::Result<()> {
    let outcome = &row.outcome;
    transaction
        .prepare_cached(INSERT)?
        .execute(named_params! {
            ":outcome_id": outcome.outcome_id,
            ":event_id": outcome.event_id,
            ":event_type": outcome.event_type,
            ":timestamp": time::text(outcome.occurred_at),
            ":received_at": time::text(outcome.received_at),
            ":inserted_at": now,
            ":customer_id": outcome.customer_id,
            ":recipient_token": outcome.recipient_token,
            ":recipient_domain": outcome.recipient_domain,
            ":delivery_id": outcome.delivery_id,
            ":campaign_id": outcome.campaign_id,
            ":action_id": outcome.action_id,
            ":broadcast_id": outcome.broadcast_id,
            ":newsletter_id": outcome.newsletter_id,
            ":transactional_message_id": outcome.transactional_message_id,
            ":template_id": outcome.template_id,
            ":subject": outcome.subject,
            ":href": outcome.href,
            ":link_id": outcome.link_id,
            ":channel": outcome.channel,
            ":bounce_class": outcome.bounce_class,
            ":bounce_blame": outcome.bounce_blame,
            ":machine": outcome.machine,
            ":prefetched": outcome.prefetched,
            ":proxied": outcome.proxied,
            ":synthetic": outcome.synthetic,
            ":source": outcome.source,
            ":metadata": outcome.metadata,
            ":metric": outcome.metric,
            ":time_source": outcome.time_source,
            ":failure_message": outcome.failure_message,
            ":bounce_reason": outcome.bounce_reason,
            ":bounce_confidence": outcome.bounce_confidence,
            ":bounce_rule": outcome.bounce_rule,
            ":classifier": outcome.classifier,
            ":appended_at": time::text(outcome.appended_at),
            ":kafka_topic": &*row.topic,
            ":kafka_partition": row.partition,
            ":kafka_offset": row.offset.0,
        })
        .map(drop)
}

fn insert_conflict(transaction: &Transaction<'_>, row: &Row, now: &str) -> rusqlite::Result<()> {
    let outcome = serde_json::to_string(&row.outcome)
        .map_err(|err| rusqlite::Error::ToSqlConversionFailure(err.into()))?;
    let position = (&*row.topic, row.partition, row.offset.0);
    transaction
        .prepare_cached(INSERT_CONFLICT)?
        .execute(params![row.outcome.outcome_id, position.0, position.1, position.2, now, outcome])
        .map(drop)
}

/// Whether an insert failed because the primary key is there already.
fn is_taken(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|found| {
        found.code == ErrorCode::ConstraintViolation
            && found.extended_code == ffi::SQLITE_CONSTRAINT_PRIMARYKEY
    })
}
