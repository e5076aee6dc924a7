//! The settings file: TOML or YAML, flattened to dotted keys.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::Fault;
use crate::fault::nearest;

/// Every known key of the file with its text. Adds to `faults` what is wrong. No fault repeats a value, since
/// a broken file may hold secrets anywhere.
pub(super) fn read(
    path: &Path,
    known: &BTreeSet<&'static str>,
    faults: &mut Vec<Fault>,
) -> BTreeMap<String, String> {
    let mut flat =
        Flat { subject: format!("settings file {}", path.display()), known, faults, texts: BTreeMap::new() };
    match parse(path, &flat.subject) {
        Ok(Value::Object(table)) => flat.table("", table),
        Ok(Value::Null) => {}
        Ok(_) => flat.fault("something else at the top", "a table of settings", "write `key: value` lines"),
        Err(fault) => flat.faults.push(fault),
    }
    flat.texts
}

fn parse(path: &Path, subject: &str) -> Result<Value, Fault> {
    let parse = match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => parse_toml,
        Some("yaml" | "yml") => parse_yaml,
        _ => {
            let got = "a name without a known ending";
            return Err(Fault::of(subject, got, ".toml, .yaml or .yml", "rename the file"));
        }
    };
    let text = fs::read_to_string(path).map_err(|err| {
        let got = format!("an error while reading ({})", err.kind());
        Fault::of(subject, got, "a readable UTF-8 file", "correct the path or its permissions")
    })?;
    parse(&text).map_err(|place| {
        Fault::of(subject, format!("a syntax error{place}"), "well-formed text", "correct it there")
    })
}

/// The error is only the place: the parser's own message may quote the line.
fn parse_toml(text: &str) -> Result<Value, String> {
    let table: toml::Table = text.parse().map_err(|err: toml::de::Error| match err.span() {
        Some(span) => format!(" at line {}", line_of(text, span.start)),
        None => String::new(),
    })?;
    serde_json::to_value(table).map_err(|_| String::new())
}

fn line_of(text: &str, position: usize) -> usize {
    1 + text.bytes().take(position).filter(|byte| *byte == b'\n').count()
}

/// Parses into YAML's own value first, because that refuses a key that is written twice.
fn parse_yaml(text: &str) -> Result<Value, String> {
    let document: serde_yaml_ng::Value =
        serde_yaml_ng::from_str(text).map_err(|err| match err.location() {
            Some(place) => format!(" at line {}, column {}", place.line(), place.column()),
            None => String::new(),
        })?;
    serde_json::to_value(document).map_err(|_| " (a key that isn't text)".to_owned())
}

/// A walk through the file's tables.
struct Flat<'a> {
    subject: String,
    known: &'a BTreeSet<&'static str>,
    faults: &'a mut Vec<Fault>,
    texts: BTreeMap<String, String>,
}

impl Flat<'_> {
    fn table(&mut self, prefix: &str, table: serde_json::Map<String, Value>) {
        for (name, value) in table {
            let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            match value {
                Value::Object(inner) => self.table(&key, inner),
                Value::Array(items) => self.list(&key, &items),
                scalar => self.insert(&key, text_of(&scalar)),
            }
        }
    }

    /// A list becomes a comma-separated text, as the environment has it.
    fn list(&mut self, key: &str, items: &[Value]) {
        let texts: Option<Vec<String>> = items.iter().map(text_of).collect();
        match texts.filter(|texts| !texts.iter().any(|text| text.contains(','))) {
            Some(texts) => self.insert(key, Some(texts.join(","))),
            None => self.fault(
                &format!("a list under {key} with an item that can't be in a list"),
                "plain values without commas",
                "correct the list",
            ),
        }
    }

    /// Keeps the text of a known key. A key without a text (`key: null`) counts as absent.
    fn insert(&mut self, key: &str, text: Option<String>) {
        if !self.known.contains(key) {
            return self.unknown(key);
        }
        let Some(text) = text else { return };
        if self.texts.insert(key.to_owned(), text).is_some() {
            self.fault(&format!("{key} twice"), "each setting once", "remove one");
        }
    }

    fn unknown(&mut self, key: &str) {
        let mend = match nearest(key, self.known.iter().copied()) {
            Some(meant) => format!("did you mean {meant}?"),
            None => "remove it".to_owned(),
        };
        self.fault(&format!("the unknown key {key}"), "keys of this version's settings", &mend);
    }

    fn fault(&mut self, got: &str, wanted: &str, mend: &str) {
        self.faults.push(Fault::of(self.subject.clone(), got, wanted, mend));
    }
}

/// The text of a plain value. None for null, a list or a table.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
