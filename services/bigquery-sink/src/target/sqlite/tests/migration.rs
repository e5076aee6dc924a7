//! A file of the first format goes on as one of today, with nothing lost.

use std::path::Path;

use rusqlite::{Connection, params};
use schemas::id::DedupeId;
use schemas::record::MessageOutcome;

use super::{batch, count, open, positions, row, store};
use crate::target::Stored;

/// A file as the first format's sink left it: event "7" of Ada is a row, and event "7" of Bob was kept out.
fn first_format(path: &Path) -> Connection {
    let file = Connection::open(path).expect("opens");
    file.execute_batch(include_str!("schema_1.sql")).expect("makes the tables");
    file.pragma_update(None, "application_id", 0x4166_5364).expect("marks");
    file.pragma_update(None, "user_version", 1).expect("marks");
    let insert = "INSERT INTO message_outcomes (event_id, event_type, timestamp, received_at, inserted_at, customer_id,
        channel, source, metadata, metric, time_source, appended_at, kafka_topic, kafka_partition, kafka_offset)
        VALUES (?1, 'email_sent', '1970-01-01T00:00:00.000Z', '', 'then', ?2, 'email', 'shop', '{}', 'sent', 'event', '',
        'outcomes.warehouse.v1', 0, ?3)";
    for (event_id, customer_id, offset) in [("7", "ada", 0), ("01E4C4CT6YDC7Y5M7FE1GWWPQJ", "bob", 1)] {
        file.execute(insert, params![event_id, customer_id, offset]).expect("inserts");
    }
    let conflict = "INSERT INTO message_outcome_conflicts
        VALUES (?1, 'outcomes.warehouse.v1', 0, ?2, 'outcomes.warehouse.v1', 0, 0, 'then', ?3)";
    for (offset, customer_id) in [(2, "bob"), (3, "ada")] {
        let json = serde_json::to_string(&kept_out(customer_id)).expect("JSON");
        file.execute(conflict, params!["7", offset, json]).expect("inserts");
    }
    let position = "INSERT INTO sink_offsets VALUES ('outcomes.warehouse.v1', 0, 4)";
    file.execute(position, ()).expect("inserts");
    file
}

fn kept_out(customer_id: &str) -> MessageOutcome<'static> {
    MessageOutcome {
        event_id: "7".into(),
        customer_id: customer_id.to_owned().into(),
        source: "shop".into(),
        metadata: "{}".into(),
        ..MessageOutcome::default()
    }
}

#[test]
fn rows_get_their_ids_and_an_outcome_that_was_wrongly_kept_out_becomes_a_row() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("w");
    drop(first_format(&path));
    for _ in 0..2 {
        let mut sqlite = open(&path);
        let mut read = sqlite
            .connection
            .prepare("SELECT * FROM message_outcomes_unique ORDER BY kafka_offset")
            .expect("reads");
        let rows: Vec<(String, String, String, i64, String)> = read
            .query_map((), |row| {
                let (outcome, event, customer) =
                    (row.get("outcome_id")?, row.get("event_id")?, row.get("customer_id")?);
                Ok((outcome, event, customer, row.get("kafka_offset")?, row.get("inserted_at")?))
            })
            .and_then(Iterator::collect)
            .expect("reads");
        drop(read);
        let expected = [("7", "ada", 0), ("01E4C4CT6YDC7Y5M7FE1GWWPQJ", "bob", 1), ("7", "bob", 2)];
        let expected = expected.map(|(event, customer, offset)| {
            let id = DedupeId::of_published(customer, "shop", event).to_hex();
            (id, event.to_owned(), customer.to_owned(), offset, "then".to_owned())
        });
        assert_eq!(rows, expected);
        assert_eq!(count(&sqlite, "message_outcome_conflicts"), 1, "Ada's event came twice indeed");
        assert_eq!(count(&sqlite, "message_funnel"), 1);
        assert_eq!(positions(&mut sqlite, &[0]), [Some(kafka::NextOffset(4))]);
    }
}

#[test]
fn a_later_copy_of_a_row_of_the_first_format_is_still_a_conflict() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("w");
    drop(first_format(&path));
    let mut sqlite = open(&path);
    let copy = |offset, customer_id| {
        let outcome = kept_out(customer_id).identified();
        crate::target::Row { outcome, ..row(0, offset, "") }
    };
    let stored = store(&mut sqlite, &batch([copy(4, "ada"), copy(5, "cleo")]));
    assert_eq!(stored, Stored { rows: 1, conflicts: 1, replayed: 0 });
}

/// A crash in the middle leaves the file as it was.
#[test]
fn a_file_that_cannot_be_migrated_stays_as_it_was() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("w");
    let file = first_format(&path);
    file.execute("UPDATE message_outcome_conflicts SET outcome = 'no JSON'", ()).expect("updates");
    super::Sqlite::open(&path, std::time::Duration::from_secs(1)).expect_err("refused");
    let version: i64 = file.pragma_query_value(None, "user_version", |row| row.get(0)).expect("reads");
    let rows: i64 =
        file.query_row("SELECT count(*) FROM message_outcomes", (), |row| row.get(0)).expect("reads");
    assert_eq!((version, rows), (1, 2));
}
