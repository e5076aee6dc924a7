//! The settings as documentation.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::Field;

/// One Markdown table of every setting: key, environment, default, meaning. Sorted by key, each key once.
pub fn table(catalogue: &[&Field]) -> String {
    let by_key: BTreeMap<&str, &Field> = catalogue.iter().map(|field| (field.key, *field)).collect();
    let mut text = "| key | environment | default | meaning |\n|---|---|---|---|\n".to_owned();
    for field in by_key.values() {
        let (key, environment, default) = (field.key, environment(field), default(field));
        writeln!(text, "| `{key}` | {environment} | {default} | {} |", cell(&meaning(field)))
            .expect("writing to a string never fails");
    }
    text
}

fn environment(field: &Field) -> String {
    let recommended = if field.secret {
        format!("`{0}` or `{0}_FILE` (secret)", field.env)
    } else {
        format!("`{}`", field.env)
    };
    if field.aliases.is_empty() {
        return recommended;
    }
    let aliases: Vec<String> = field.aliases.iter().map(|alias| format!("`{alias}`")).collect();
    format!("{recommended}, also {}", aliases.join(", "))
}

fn default(field: &Field) -> String {
    match field.default {
        Some("") => "empty".to_owned(),
        Some(text) => format!("`{}`", cell(text)),
        None => "none".to_owned(),
    }
}

/// The text and, as its last sentence, the bounds.
fn meaning(field: &Field) -> String {
    match (field.bounds(), field.least) {
        (None, _) => field.doc.to_owned(),
        (Some(bounds), Some(_)) if field.most.is_some() => format!("{} From {bounds}.", field.doc),
        (Some(bounds), _) => format!("{} A{}.", field.doc, &bounds[1..]),
    }
}

/// A text that can't end its table cell early.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
