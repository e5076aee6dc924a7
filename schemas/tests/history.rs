//! Every committed version of every schema is still read, and no version breaks the readers of another.
//! A version is a file `avro/history/RECORD/N.avsc`, and its bytes are in `golden/history/RECORD/N.jsonl`.

use std::path::{Path, PathBuf};

use schemas::codec;
use schemas::record::{
    Command, CustomerTraits, DeadLetter, Identity, MessageOutcome, RawRecord, Record, Suppression,
};
use serde_json::Value;

/// A record type, reached through JSON so that all of them fit one table.
struct Form {
    name: &'static str,
    versions: &'static [&'static str],
    current: &'static str,
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
            versions: R::VERSIONS,
            current: R::SCHEMA,
            decoded: |bytes| to_json(&codec::decode::<R>(bytes).expect("decodes")),
            completed: |value| to_json(&serde_json::from_value::<R>(value.clone()).expect("fits")),
        }
    }
}

#[test]
fn every_committed_version_is_known() {
    for form in &FORMS {
        let folder = root().join("avro/history").join(form.name);
        let committed = files(&folder, "avsc");
        assert_eq!(form.versions, committed, "{}: list each file of {}", form.name, folder.display());
        let (latest, current) = (form.versions.last().expect("a version"), form.current);
        assert_eq!(types_of(latest), types_of(current), "{}: run golden/make/make.sh", form.name);
    }
}

/// A field that the older version did not have reads as its default, as serde reads JSON that leaves it out.
#[test]
fn the_bytes_of_every_version_are_read() {
    for form in &FORMS {
        let golden = files(&root().join("golden/history").join(form.name), "jsonl");
        assert_eq!(golden.len(), form.versions.len(), "{}: each version has its bytes", form.name);
        for line in golden.iter().flat_map(|file| file.lines()) {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let bytes = hex::decode(line["hex"].as_str().expect("a text")).expect("hex");
            assert_eq!((form.decoded)(&bytes), (form.completed)(&line["value"]), "{} {line}", form.name);
        }
    }
}

/// Subscribers upgrade when they like: any version must read what any other wrote.
#[test]
fn every_version_reads_every_other() {
    for form in &FORMS {
        let versions: Vec<Value> = form.versions.iter().map(|version| types_of(version)).collect();
        for pair in versions.windows(2) {
            assert_eq!(incompatibilities(&pair[0], &pair[1]), Vec::<String>::new(), "{}", form.name);
        }
        let earlier = versions.iter().rev().skip(2);
        let latest = versions.last().expect("a version");
        for version in earlier {
            assert_eq!(incompatibilities(version, latest), Vec::<String>::new(), "{}", form.name);
        }
    }
}

#[test]
fn a_change_that_breaks_a_reader_is_found() {
    let schema = |fields: &str| -> Value {
        serde_json::from_str(&format!(r#"{{"type": "record", "name": "R", "fields": [{fields}]}}"#))
            .expect("JSON")
    };
    let a = r#"{"name": "a", "type": "string", "default": ""}"#;
    let old = schema(a);
    let added = format!(r#"{a}, {{"name": "b", "type": ["null", "long"], "default": null}}"#);
    assert_eq!(incompatibilities(&old, &schema(&added)), Vec::<String>::new());
    for broken in [
        r#"{"name": "a", "type": "long", "default": 0}"#,
        r#"{"name": "a", "type": ["null", "string"], "default": null}"#,
        &format!(r#"{a}, {{"name": "b", "type": "long"}}"#),
    ] {
        assert_eq!(incompatibilities(&old, &schema(broken)).len(), 1, "{broken}");
        assert_eq!(incompatibilities(&schema(broken), &old).len(), 1, "{broken}");
    }
}

/// Why a reader of one version could not read the other: a field that both have must have one type, and a
/// field that only one has must have a default.
fn incompatibilities(one: &Value, other: &Value) -> Vec<String> {
    let fields = |schema: &Value| schema["fields"].as_array().cloned().unwrap_or_default();
    let find = |fields: &[Value], name: &Value| fields.iter().find(|field| &field["name"] == name).cloned();
    let (one, other) = (fields(one), fields(other));
    let mut found = Vec::new();
    for field in one.iter().chain(&other) {
        let name = &field["name"];
        match (find(&one, name), find(&other, name)) {
            (Some(mine), Some(theirs)) if field == &mine => {
                let (mine, theirs) = (&mine["type"], &theirs["type"]);
                if mine["items"]["fields"].is_array() && theirs["items"]["fields"].is_array() {
                    found.extend(incompatibilities(&mine["items"], &theirs["items"]));
                } else if mine != theirs {
                    found.push(format!("{name} changes its type"));
                }
            }
            (None, _) | (_, None) if field.get("default").is_none() => {
                found.push(format!("{name} has no default"));
            }
            _ => {}
        }
    }
    found
}

/// The schema without what no reader resolves by: documentation and logical types.
fn types_of(schema: &str) -> Value {
    fn strip(schema: &mut Value) {
        match schema {
            Value::Object(fields) => {
                fields.remove("doc");
                fields.remove("logicalType");
                if fields.len() == 1 && fields.get("type").is_some_and(Value::is_string) {
                    *schema = schema["type"].clone();
                } else {
                    fields.values_mut().for_each(strip);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut schema: Value = serde_json::from_str(schema).expect("the committed schemas are JSON");
    strip(&mut schema);
    schema
}

fn to_json<R: Record>(record: &R) -> Value {
    serde_json::to_value(record).expect("a record is a JSON object")
}

/// The contents of `1.EXTENSION`, `2.EXTENSION` … in `folder`, which holds nothing else.
fn files(folder: &Path, extension: &str) -> Vec<String> {
    let count = std::fs::read_dir(folder).expect("the folder is committed").count();
    let path = |number: usize| folder.join(format!("{number}.{extension}"));
    (1..=count).map(|number| std::fs::read_to_string(path(number)).expect("numbered without a gap")).collect()
}

/// Asked when it runs: checkouts that share a build folder share this binary too, and `env!` would name the
/// one that built it.
fn root() -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests"))
}
