//! Metrics are named `<crate>_<noun>_<unit>`, in base units, and each is described in its crate's `METRICS` table.

use crate::finding::Finding;
use crate::token::{Call, calls, text, tokens};
use crate::tree::{Package, Source};
use proc_macro2::{TokenStream, TokenTree};

/// Base units: of something, so that a noun stands before them.
const UNITS: &[&str] = &["total", "seconds", "bytes", "ratio", "info"];
/// What gauges and histograms count, and the states that a gauge of 1 or 0 tells of: they can follow the crate's name directly.
const COUNTED: &[&str] = &[
    "batches",
    "connections",
    "customers",
    "entries",
    "events",
    "in_flight",
    "messages",
    "offsets",
    "open",
    "partitions",
    "paused",
    "ready",
    "records",
    "requests",
    "rows",
    "transactions",
    "up",
    "workers",
];
const MACROS: &[&str] = &["counter", "gauge", "histogram"];

/// Names, in tables or in calls, that are misspelt; and counters that don't end in `_total`.
pub(crate) fn names(file: &Source) -> Vec<Finding> {
    let mend = "name it <crate>_<noun>_<unit>: seconds, bytes, a counted noun, and _total for a counter";
    let mut wrong: Vec<String> =
        described(file).into_iter().filter_map(|entry| entry.value).filter(|it| !well_named(it)).collect();
    for (call, name) in recorded(file) {
        let Name::Written(name) = name else { continue };
        if !well_named(&name) || (call.name == "counter") != name.ends_with("_total") {
            wrong.push(name);
        }
    }
    wrong.into_iter().map(|name| Finding::new(&*file.path, format!("metric {name}"), mend)).collect()
}

fn well_named(name: &str) -> bool {
    let word =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let before = |ending: &str| name.strip_suffix(ending).and_then(|start| start.strip_suffix('_'));
    let measured = UNITS.iter().filter_map(|unit| before(unit)).any(|start| start.contains('_'));
    let counted = COUNTED.iter().any(|noun| before(noun).is_some());
    name.split('_').all(word) && (measured || counted)
}

/// Metrics that a crate records and no `METRICS` table of it describes. Tests may record what they like.
pub(crate) fn undescribed(packages: &[Package], files: &[Source]) -> Vec<Finding> {
    let mut found = Vec::new();
    for package in packages {
        let src = format!("{}/src/", package.dir);
        let own: Vec<&Source> =
            files.iter().filter(|file| file.path.starts_with(&src) && file.path.ends_with(".rs")).collect();
        let table: Vec<Entry> = own.iter().flat_map(|file| described(file)).collect();
        for file in own {
            for (call, name) in recorded(file) {
                let known = match &name {
                    Name::Written(value) => table.iter().any(|entry| entry.value.as_ref() == Some(value)),
                    Name::Constant(constant) => {
                        table.iter().any(|entry| entry.constant.as_ref() == Some(constant))
                    }
                };
                if !known {
                    let what = format!("{}! records {name:?}, which METRICS doesn't describe", call.name);
                    let mend = "make it a const in the crate's metric.rs, with its meaning in the METRICS table there";
                    found.push(Finding::new(file.at(call.line), what, mend));
                }
            }
        }
    }
    found
}

/// What names a metric in a call.
#[derive(Debug, PartialEq, Eq)]
enum Name {
    Written(String),
    Constant(String),
}

/// A row of a `METRICS` table: its constant if one names it, and the name's text if it is known.
#[derive(Debug)]
struct Entry {
    constant: Option<String>,
    value: Option<String>,
}

/// The calls that record, with the metric's name. A name that is a variable is somebody else's to check.
fn recorded(file: &Source) -> Vec<(Call, Name)> {
    let calls = calls(tokens(file)).into_iter().filter(|call| MACROS.contains(&call.name.as_str()));
    calls.filter_map(|call| first_name(&call.arguments).map(|name| (call, name))).collect()
}

/// The first argument: a string, or a path that ends in a constant.
fn first_name(arguments: &[TokenTree]) -> Option<Name> {
    let first = arguments.split(|token| crate::token::is_punct(token, ',')).next()?;
    match first {
        [written] if text(written).is_some() => text(written).map(Name::Written),
        [.., TokenTree::Ident(last)] if is_constant(&last.to_string()) => {
            Some(Name::Constant(last.to_string()))
        }
        _ => None,
    }
}

fn is_constant(name: &str) -> bool {
    !name.contains(char::is_lowercase)
}

/// The rows of the file's `METRICS`, if it has one.
fn described(file: &Source) -> Vec<Entry> {
    let all: Vec<TokenTree> = tokens(file).into_iter().collect();
    let Some(table) = table(&all) else { return Vec::new() };
    let rows = table.into_iter().filter_map(|token| match token {
        TokenTree::Group(row) => first_name(&row.stream().into_iter().collect::<Vec<_>>()),
        _ => None,
    });
    rows.map(|name| match name {
        Name::Written(value) => Entry { constant: None, value: Some(value) },
        Name::Constant(constant) => Entry { value: value_of(&all, &constant), constant: Some(constant) },
    })
    .collect()
}

/// The rows of `const METRICS: … = &[ rows ];`.
fn table(all: &[TokenTree]) -> Option<TokenStream> {
    definition(all, "METRICS").and_then(|value| match value {
        [.., TokenTree::Group(rows)] => Some(rows.stream()),
        _ => None,
    })
}

fn value_of(all: &[TokenTree], constant: &str) -> Option<String> {
    definition(all, constant).and_then(|value| value.first().and_then(text))
}

/// What stands between `=` and `;` of `const NAME: … = …;`.
fn definition<'a>(all: &'a [TokenTree], constant: &str) -> Option<&'a [TokenTree]> {
    let is_word = |token: &TokenTree, word: &str| matches!(token, TokenTree::Ident(ident) if ident == word);
    let start = all.windows(2).position(|pair| is_word(&pair[0], "const") && is_word(&pair[1], constant))?;
    let rest = all.get(start..)?;
    let end = rest.iter().position(|token| crate::token::is_punct(token, ';'))?;
    let equals = rest.iter().position(|token| crate::token::is_punct(token, '='))?;
    rest.get(equals + 1..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Package;

    const TABLE: &str = r#"
        /// Requests.
        pub const REQUESTS: &str = "gateway_requests_total";
        /// How long.
        pub const WAIT: &str = "gateway_wait_ms";
        pub const METRICS: &[(&str, &str)] = &[(REQUESTS, "Requests, by outcome."), (WAIT, "Wait."), ("gateway_ready", "1 or 0.")];
    "#;

    #[test]
    fn a_name_without_a_base_unit_is_found() {
        let found = names(&Source::new("services/gateway/src/metric.rs", TABLE));
        assert_eq!(found.iter().map(|it| it.what.as_str()).collect::<Vec<_>>(), ["metric gateway_wait_ms"]);
        assert!(well_named("gateway_request_duration_seconds"));
        assert!(well_named("gateway_requests_in_flight"));
        assert!(well_named("gateway_ready"));
        assert!(!well_named("seconds"));
        assert!(!well_named("connections"));
        assert!(!well_named("gateway_seconds"));
        assert!(!well_named("gateway_Request_seconds"));
        assert!(!well_named("gateway__seconds"));
    }

    #[test]
    fn a_counter_ends_in_total_and_nothing_else_does() {
        let found = |text: &str| names(&Source::new("src/a.rs", text)).len();
        assert_eq!(found(r#"fn f() { counter!("gateway_wait_seconds").increment(1) }"#), 1);
        assert_eq!(found(r#"fn f() { metrics::gauge!("gateway_wait_total").set(1) }"#), 1);
        assert_eq!(
            found(r#"fn f() { counter!("gateway_requests_total", "outcome" => "ok").increment(1) }"#),
            0
        );
    }

    #[test]
    fn a_metric_that_no_table_describes_is_found() {
        let package = Package {
            name: "gateway".to_owned(),
            dir: "services/gateway".to_owned(),
            dependencies: Vec::new(),
        };
        let found = |text: &str| {
            let files = [
                Source::new("services/gateway/src/metric.rs", TABLE),
                Source::new("services/gateway/src/a.rs", text),
            ];
            undescribed(std::slice::from_ref(&package), &files).len()
        };
        assert_eq!(found("fn f() { counter!(metric::LOST, \"by\" => x).increment(1) }"), 1);
        assert_eq!(found("fn f() { counter!(\"gateway_lost_total\").increment(1) }"), 1);
        assert_eq!(found("fn f() { counter!(metric::REQUESTS, \"by\" => x).increment(1) }"), 0);
        assert_eq!(found("fn f() { gauge!(\"gateway_ready\").set(1.0); counter!(name).increment(1) }"), 0);
    }
}
