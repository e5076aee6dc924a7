mod crash;
mod gap;
mod keep;
mod migration;
mod refusal;

use std::path::Path;
use std::time::Duration;

use kafka::consumer::LogId;
use kafka::{NextOffset, RecordOffset, TopicId};
use rusqlite::Connection;
use schemas::record::MessageOutcome;

use super::Sqlite;
use crate::Target;
use crate::target::{Batch, Row, StoreAnswer, Stored, StoredPosition};

const TOPIC: &str = "outcomes.warehouse.v1";

fn open(path: &Path) -> Sqlite {
    Sqlite::open(path, Duration::from_secs(5)).expect("opens")
}

fn row(partition: i32, offset: i64, outcome_id: &str) -> Row {
    let outcome = MessageOutcome {
        outcome_id: outcome_id.to_owned().into(),
        metadata: "{}".into(),
        metric: "sent".into(),
        ..MessageOutcome::default()
    };
    Row { topic: TOPIC.into(), partition, offset: RecordOffset(offset), outcome }
}

fn batch(rows: impl IntoIterator<Item = Row>) -> Batch {
    let rows: Vec<Row> = rows.into_iter().collect();
    batch_of(rows, &log(1))
}

/// A batch that was read in `log`.
fn batch_of(rows: Vec<Row>, log: &LogId) -> Batch {
    let next = |row: &Row| StoredPosition { next: row.offset.next(), log: log.clone() };
    let next = rows.iter().map(|row| ((row.topic.clone(), row.partition), next(row))).collect();
    Batch::new(rows, next)
}

fn log(topic: u8) -> LogId {
    LogId { cluster: Some("cluster".into()), topic: Some(TopicId([topic; 16])) }
}

/// A batch of a record that makes no row.
fn passed(partition: i32, offset: i64) -> Batch {
    let next = StoredPosition { next: RecordOffset(offset).next(), log: log(1) };
    Batch::new(Vec::new(), [((TOPIC.into(), partition), next)].into())
}

fn store(sqlite: &mut Sqlite, batch: &Batch) -> Stored {
    stored(sqlite.store(batch).expect("stores"))
}

fn stored(answer: StoreAnswer) -> Stored {
    match answer {
        StoreAnswer::Stored(outcomes) => outcomes.into_iter().collect(),
        StoreAnswer::Refused(refusals) => panic!("refused: {refusals:?}"),
    }
}

fn positions(sqlite: &mut Sqlite, partitions: &[i32]) -> Vec<Option<NextOffset>> {
    let named: Vec<_> = partitions.iter().map(|partition| (TOPIC.into(), *partition)).collect();
    let stored = sqlite.positions(&named).expect("reads");
    stored.into_iter().map(|stored| stored.map(|stored| stored.next)).collect()
}

fn count(sqlite: &Sqlite, table: &str) -> i64 {
    sqlite
        .connection
        .query_row(&format!("SELECT count(*) FROM {table}"), (), |row| row.get(0))
        .expect("counts")
}

#[test]
fn a_taken_outcome_id_is_recorded_with_both_positions_and_the_whole_outcome() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut sqlite = open(&dir.path().join("w"));
    let second = row(1, 9, "a");
    let stored = store(&mut sqlite, &batch([row(0, 4, "a"), row(0, 5, "b"), second.clone()]));
    assert_eq!(stored, Stored { rows: 2, conflicts: 1, replayed: 0 });
    let found = sqlite.connection.query_row("SELECT * FROM message_outcome_conflicts", (), |row| {
        let read: (String, i32, i64) =
            (row.get("outcome_id")?, row.get("kafka_partition")?, row.get("kafka_offset")?);
        let kept: (i32, i64, String) =
            (row.get("stored_partition")?, row.get("stored_offset")?, row.get("outcome")?);
        Ok((read, kept))
    });
    let (read, (stored_partition, stored_offset, outcome)) = found.expect("one conflict");
    assert_eq!(read, ("a".to_owned(), 1, 9));
    assert_eq!((stored_partition, stored_offset), (0, 4));
    assert_eq!(serde_json::from_str::<MessageOutcome<'_>>(&outcome).expect("JSON"), second.outcome);
    assert_eq!(positions(&mut sqlite, &[0, 1, 2]), [Some(NextOffset(6)), Some(NextOffset(10)), None]);
}

#[test]
fn a_position_moves_past_records_that_make_no_row_and_never_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut sqlite = open(&dir.path().join("w"));
    sqlite.store(&passed(0, 7)).expect("stores");
    assert_eq!(positions(&mut sqlite, &[0]), [Some(NextOffset(8))]);
    sqlite.store(&passed(0, 3)).expect("stores");
    assert_eq!(positions(&mut sqlite, &[0]), [Some(NextOffset(8))]);
}

/// The position is read under the write lock, so a member that lost a partition without knowing can't double
/// a row.
#[test]
fn s1_two_owners_of_one_partition_store_it_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("w");
    let (mut zombie, mut owner) = (open(&path), open(&path));
    let log: Vec<Row> = (0..10).map(|offset| row(0, offset, &format!("e{offset}"))).collect();
    zombie.store(&batch(log[..4].to_vec())).expect("stores");
    owner.store(&batch(log[4..7].to_vec())).expect("stores");
    let stored = store(&mut zombie, &batch(log[4..9].to_vec()));
    assert_eq!(stored, Stored { rows: 2, conflicts: 0, replayed: 3 });
    let stored = store(&mut owner, &batch(log[7..].to_vec()));
    assert_eq!(stored, Stored { rows: 1, conflicts: 0, replayed: 2 });
    assert_eq!((count(&owner, "message_outcomes"), count(&owner, "message_outcome_conflicts")), (10, 0));
}

/// Each field holds a value of its own, so a swapped pair of columns shows.
#[test]
fn every_field_ends_in_the_column_of_its_name() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut sqlite = open(&dir.path().join("w"));
    let mut fields = serde_json::to_value(MessageOutcome::default()).expect("JSON");
    for (index, (name, value)) in fields.as_object_mut().expect("an object").iter_mut().enumerate() {
        *value = match name.as_str() {
            "machine" | "proxied" => true.into(),
            "prefetched" | "synthetic" => false.into(),
            "metadata" => "{\"index\":1}".into(),
            _ if value.is_number() => index.into(),
            _ => format!("{name} {index}").into(),
        };
    }
    let outcome: MessageOutcome<'_> = serde_json::from_value(fields.clone()).expect("fits");
    sqlite.store(&batch([Row { outcome, ..row(3, 14, "") }])).expect("stores");

    for (name, value) in fields.as_object().expect("an object") {
        let column = if name == "occurred_at" { "timestamp" } else { name };
        let read = format!("SELECT {column} FROM message_outcomes");
        let text =
            |sql: &str| sqlite.connection.query_row(sql, (), |row| row.get::<_, String>(0)).expect("a text");
        match value {
            serde_json::Value::String(expected) => assert_eq!(&text(&read), expected, "{name}"),
            serde_json::Value::Bool(expected) => {
                let found: i64 = sqlite.connection.query_row(&read, (), |row| row.get(0)).expect("a flag");
                assert_eq!(found, i64::from(*expected), "{name}");
            }
            number => assert_eq!(
                text(&read),
                format!("1970-01-01T00:00:00.{:03}Z", number.as_i64().expect("ms")),
                "{name}"
            ),
        }
    }
    let place = "SELECT kafka_topic || ' ' || kafka_partition || ' ' || kafka_offset FROM message_outcomes";
    let place: String = sqlite.connection.query_row(place, (), |row| row.get(0)).expect("a text");
    assert_eq!(place, format!("{TOPIC} 3 14"));
}

#[test]
fn the_columns_stand_in_the_order_of_the_design() {
    let dir = tempfile::tempdir().expect("a folder");
    let sqlite = open(&dir.path().join("w"));
    let mut listing =
        sqlite.connection.prepare("SELECT name FROM pragma_table_info('message_outcomes')").expect("lists");
    let names: Vec<String> =
        listing.query_map((), |row| row.get(0)).expect("lists").map(|name| name.expect("a name")).collect();
    let design = "outcome_id event_id event_type timestamp received_at inserted_at customer_id recipient_token \
        recipient_domain delivery_id campaign_id action_id broadcast_id newsletter_id transactional_message_id template_id subject href \
        link_id channel bounce_class bounce_blame machine prefetched proxied synthetic source metadata";
    assert_eq!(names[..28].join(" "), design);
}

#[test]
fn the_funnel_counts_messages_and_leaves_machines_out() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut sqlite = open(&dir.path().join("w"));
    let day_ms = 86_400_000;
    let event = |offset: i64,
                 metric: &'static str,
                 delivery: &'static str,
                 machine: Option<bool>,
                 occurred_at: i64| {
        let mut row = row(0, offset, &format!("e{offset}"));
        row.outcome.metric = metric.into();
        row.outcome.delivery_id = Some(delivery.into());
        row.outcome.campaign_id = Some("23".into());
        row.outcome.machine = machine;
        row.outcome.occurred_at = occurred_at;
        row
    };
    let rows = [
        event(0, "sent", "d1", None, 0),
        event(1, "sent", "d2", None, 5),
        event(2, "clicked", "d1", None, 6),
        event(3, "clicked", "d1", Some(false), 7),
        event(4, "clicked", "d2", Some(true), 8),
        event(5, "subscribed", "d2", None, 9),
        event(6, "bounced", "d2", None, day_ms),
    ];
    sqlite.store(&batch(rows)).expect("stores");
    let mut funnel = sqlite.connection.prepare("SELECT * FROM message_funnel ORDER BY day").expect("a view");
    let lines: Vec<(String, String, [i64; 6])> = funnel
        .query_map((), |row| {
            let counts =
                ["sent", "delivered", "opened", "clicked", "converted", "bounced"].map(|name| row.get(name));
            let [a, b, c, d, e, f] = counts;
            Ok((row.get("campaign_id")?, row.get("day")?, [a?, b?, c?, d?, e?, f?]))
        })
        .expect("reads")
        .map(|line| line.expect("a line"))
        .collect();
    let line = |day: &str, counts| ("23".to_owned(), day.to_owned(), counts);
    assert_eq!(lines, [line("1970-01-01", [2, 0, 0, 1, 0, 0]), line("1970-01-02", [0, 0, 0, 0, 0, 1])]);
}

#[test]
fn each_file_has_a_group_of_its_own_by_whatever_path_it_is_opened() {
    let dir = tempfile::tempdir().expect("a folder");
    let (path, link) = (dir.path().join("w"), dir.path().join("link"));
    let group = open(&path).default_group();
    std::os::unix::fs::symlink(&path, &link).expect("links");
    for same in [link, dir.path().join("../").join(dir.path().file_name().expect("a name")).join("w")] {
        assert_eq!(open(&same).default_group(), group);
    }
    assert_ne!(open(&dir.path().join("other")).default_group(), group);
    assert!(group.starts_with("aftersend-warehouse-sqlite-") && group.len() == 43, "{group}");
}

#[test]
fn readers_see_a_steady_state_while_the_sink_writes() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("w");
    let mut sqlite = open(&path);
    sqlite.store(&batch([row(0, 0, "a")])).expect("stores");
    let mut reader = Connection::open(&path).expect("opens");
    let reading = reader.transaction().expect("begins");
    let seen =
        || reading.query_row("SELECT count(*) FROM message_outcomes_unique", (), |row| row.get::<_, i64>(0));
    assert_eq!(seen().expect("reads"), 1);
    sqlite.store(&batch([row(0, 1, "b")])).expect("a reader blocks nobody");
    assert_eq!(seen().expect("reads"), 1);
}
