//! What travels, held against what Apache's Java libraries and fastavro say of the same keys, schemas and
//! values. `../golden/README.md` tells how the files came to be.

use std::path::PathBuf;

use schemas::record::{
    Command, CustomerTraits, DeadLetter, Identity, MessageOutcome, RawRecord, Record, Suppression,
};
use schemas::{codec, partition};
use serde_json::{Value, json};

/// A record type, reached through JSON so that all of them fit one table.
struct Form {
    name: &'static str,
    fingerprint: fn() -> u64,
    encoded: fn(&Value) -> Vec<u8>,
    decoded: fn(&[u8]) -> Value,
    completed: fn(&Value) -> Value,
}

const FORMS: [Form; 7] = [
    Form::of::<Command>("command"),
    Form::of::<CustomerTraits>("customer_traits"),
    Form::of::<DeadLetter>("dead_letter"),
    Form::of::<Identity>("identity"),
    Form::of::<MessageOutcome>("message_outcome"),
    Form::of::<RawRecord>("raw_record"),
    Form::of::<Suppression>("suppression"),
];

impl Form {
    const fn of<R: Record>(name: &'static str) -> Self {
        Self {
            name,
            fingerprint: codec::fingerprint::<R>,
            encoded: |value| codec::encode(&read::<R>(value)).expect("encodes"),
            decoded: |bytes| written(&codec::decode::<R>(bytes).expect("decodes")),
            completed: |value| written(&read::<R>(value)),
        }
    }

    fn values(&self) -> Vec<Value> {
        let lines = lines(self.name);
        assert!(lines.len() >= 3, "{} has its values", self.name);
        lines
    }
}

#[test]
fn a_key_belongs_where_javas_producer_puts_it() {
    let lines = lines("murmur2");
    assert!(lines.len() > 100, "the file holds the keys");
    for line in &lines {
        let key = text(line, "key").as_bytes();
        assert_eq!(Some(u64::from(partition::positive(key))), line["positive"].as_u64(), "{line}");
        for count in [1, 6, 32, 256] {
            let expected = line[format!("of{count}")].as_i64();
            assert_eq!(Some(i64::from(partition::of(key, count))), expected, "{line} among {count}");
        }
    }
}

#[test]
fn fingerprints_are_those_of_java_and_fastavro() {
    let lines = lines("fingerprints");
    for form in &FORMS {
        let line = lines.iter().find(|line| line["record"] == form.name).expect("each schema has a line");
        assert_eq!(hex::encode((form.fingerprint)().to_le_bytes()), text(line, "crc64"), "{}", form.name);
    }
}

#[test]
fn records_are_written_in_the_bytes_of_java_and_fastavro() {
    for form in &FORMS {
        for line in form.values() {
            let bytes = (form.encoded)(&line["value"]);
            assert_eq!(hex::encode(bytes), text(&line, "hex"), "{}, {}", form.name, line["name"]);
        }
    }
}

#[test]
fn what_java_and_fastavro_write_is_read_as_the_same_value() {
    for form in &FORMS {
        for line in form.values() {
            let bytes = hex::decode(text(&line, "hex")).expect("hex");
            assert_eq!((form.decoded)(&bytes), line["value"], "{}, {}", form.name, line["name"]);
        }
    }
}

/// A field that an older writer left out reads as its schema's default, so the struct's must be the same.
#[test]
fn a_structs_defaults_are_those_of_its_schema() {
    for form in &FORMS {
        let defaults =
            form.values().into_iter().find(|line| line["name"] == "defaults").expect("made for all");
        assert_eq!((form.completed)(&json!({})), defaults["value"], "{}", form.name);
    }
}

#[test]
fn no_schema_goes_unjudged() {
    let mut schemas: Vec<String> = std::fs::read_dir(root().join("avro"))
        .expect("avro/ is there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "avsc"))
        .map(|path| path.file_stem().expect("a file name").to_string_lossy().into_owned())
        .collect();
    schemas.sort();
    assert_eq!(schemas, FORMS.map(|form| form.name), "add the new record to FORMS");
    let golden: Vec<Value> = lines("fingerprints").into_iter().map(|line| line["record"].clone()).collect();
    assert_eq!(schemas, golden, "run golden/make/make.sh");
}

fn read<R: Record>(value: &Value) -> R {
    serde_json::from_value(value.clone()).expect("the value fits the struct")
}

fn written<R: Record>(record: &R) -> Value {
    serde_json::to_value(record).expect("a record is a JSON object")
}

fn lines(name: &str) -> Vec<Value> {
    let path = root().join("golden").join(format!("{name}.jsonl"));
    let content = std::fs::read_to_string(&path).expect("the golden file is committed");
    content.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn text<'a>(line: &'a Value, field: &str) -> &'a str {
    line[field].as_str().expect("a text field")
}

/// Asked when it runs: checkouts that share a build folder share this binary too, and `env!` would name the
/// one that built it.
fn root() -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests"))
}
