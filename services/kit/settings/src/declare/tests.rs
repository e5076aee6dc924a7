//! What a declaration promises: one entry makes the field, the setting, its row and its bounds.

use std::time::Duration;

use crate::{ByteSize, Fault, Reader, Secret, table};

crate::declare! {
    /// The settings of a sink.
    #[derive(Debug)]
    struct Sink in "sink", checked by relate {
        /// Consumer group.
        group: String = "sink",
        /// Largest number of records
        /// in one batch.
        batch_records: usize = "20" { least: "1", most: "100", because: "they travel together" },
        /// Largest size of one batch.
        batch_bytes: u64 as ByteSize = "1KiB" { key: "sink.bytes", env: "SINK_BYTES", most: "1MiB" },
        /// How long a batch waits.
        batch_wait: Duration = "1s" { least: "10ms", mend: "ask the operator" },
        /// How often a batch is tried.
        tries: Option<u32> { least: "1" },
        /// Password of the target.
        password: Secret { aliases: &["SINK_PASS"] },
    } with {
        /// Where it runs.
        place: Place = Place::FIELDS, Place::read;
    }
}

crate::declare! {
    /// A part without a section.
    #[derive(Debug)]
    struct Place {
        /// The zone.
        zone: Option<String>,
    }
}

crate::declare! {
    /// Bounds that fit no order.
    struct Misdeclared in "misdeclared" {
        /// A flag.
        flag: bool = "true" { least: "false" },
        /// A number.
        number: u16 = "7" { most: "many" },
    }
}

impl Sink {
    fn relate(&self, reader: &mut Reader) {
        reader.require(self.batch_records < 50, || {
            Fault::new(Self::batch_records, self.batch_records.to_string(), "less than 50", "lower it")
        });
    }
}

fn read(env: &[(&str, &str)]) -> (Option<Sink>, Vec<String>) {
    let password = ("AFTERSEND_SINK_PASSWORD", "hunter2");
    let env = env.iter().chain([&password]).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut reader = Reader::new(Sink::FIELDS, None, env);
    let settings = Sink::read(&mut reader);
    let faults = reader.finish().err().map(|faults| faults.iter().map(ToString::to_string).collect());
    (settings, faults.unwrap_or_default())
}

#[test]
fn a_declared_setting_is_read_as_its_type_with_its_default() {
    let (settings, faults) = read(&[("SINK_BYTES", "2KiB"), ("AFTERSEND_ZONE", "b")]);
    assert_eq!(faults, [""; 0]);
    let settings = settings.expect("complete");
    assert_eq!((settings.group.as_str(), settings.batch_records, settings.batch_bytes), ("sink", 20, 2048));
    assert_eq!((settings.batch_wait, settings.tries), (Duration::from_secs(1), None));
    assert_eq!((settings.password.expose(), settings.place.zone.as_deref()), ("hunter2", Some("b")));
}

#[test]
fn the_key_and_the_variable_follow_from_the_section_and_the_name() {
    assert_eq!(
        (Sink::batch_wait.key, Sink::batch_wait.env),
        ("sink.batch_wait", "AFTERSEND_SINK_BATCH_WAIT")
    );
    assert_eq!((Place::zone.key, Place::zone.env), ("zone", "AFTERSEND_ZONE"));
    assert_eq!((Sink::batch_bytes.key, Sink::batch_bytes.env), ("sink.bytes", "SINK_BYTES"));
    assert!(Sink::password.secret && !Sink::group.secret);
}

#[test]
fn the_catalogue_holds_every_setting_the_parts_included() {
    let keys: Vec<&str> = Sink::FIELDS.iter().map(|field| field.key).collect();
    let own =
        ["sink.group", "sink.batch_records", "sink.bytes", "sink.batch_wait", "sink.tries", "sink.password"];
    assert_eq!(keys, [&own[..], &["zone"]].concat());
}

#[test]
fn a_value_outside_its_bounds_is_a_fault_and_relations_are_checked_too() {
    let (settings, faults) = read(&[
        ("AFTERSEND_SINK_BATCH_RECORDS", "101"),
        ("SINK_BYTES", "2MiB"),
        ("AFTERSEND_SINK_BATCH_WAIT", "9ms"),
        ("AFTERSEND_SINK_TRIES", "0"),
    ]);
    assert_eq!(
        faults,
        [
            "sink.batch_records (AFTERSEND_SINK_BATCH_RECORDS): got 101; wanted 1 to 100: they travel together; \
             choose a value between them",
            "sink.bytes (SINK_BYTES): got 2MiB; wanted at most 1MiB; lower it",
            "sink.batch_wait (AFTERSEND_SINK_BATCH_WAIT): got 9ms; wanted at least 10ms; ask the operator",
            "sink.tries (AFTERSEND_SINK_TRIES): got 0; wanted at least 1; raise it",
            "sink.batch_records (AFTERSEND_SINK_BATCH_RECORDS): got 101; wanted less than 50; lower it",
        ]
    );
    assert!(settings.is_some(), "a faulty value is read nevertheless");
}

#[test]
fn the_bounds_themselves_are_accepted() {
    for (records, bytes, wait) in [("1", "0B", "10ms"), ("49", "1MiB", "30d")] {
        let (_, faults) = read(&[
            ("AFTERSEND_SINK_BATCH_RECORDS", records),
            ("SINK_BYTES", bytes),
            ("AFTERSEND_SINK_BATCH_WAIT", wait),
        ]);
        assert_eq!(faults, [""; 0]);
    }
}

#[test]
fn bounds_without_an_order_are_a_fault_and_not_ignored() {
    let mut reader = Reader::new(Misdeclared::FIELDS, None, []);
    let settings = Misdeclared::read(&mut reader).expect("read nevertheless");
    assert!(settings.flag && settings.number == 7);
    assert_eq!(reader.finish().unwrap_err().iter().count(), 2);
}

#[test]
fn the_table_tells_the_text_and_the_bounds() {
    let text = table(Sink::FIELDS);
    let rows: Vec<&str> = text.lines().filter(|row| row.contains("batch") || row.contains("tries")).collect();
    assert_eq!(
        rows,
        [
            "| `sink.batch_records` | `AFTERSEND_SINK_BATCH_RECORDS` | `20` | Largest number of records in one batch. \
             From 1 to 100: they travel together. |",
            "| `sink.batch_wait` | `AFTERSEND_SINK_BATCH_WAIT` | `1s` | How long a batch waits. At least 10ms. |",
            "| `sink.bytes` | `SINK_BYTES` | `1KiB` | Largest size of one batch. At most 1MiB. |",
            "| `sink.tries` | `AFTERSEND_SINK_TRIES` | none | How often a batch is tried. At least 1. |",
        ]
    );
}
