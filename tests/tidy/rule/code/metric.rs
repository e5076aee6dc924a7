//! Metrics are named `<crate>_<noun>_<unit>`, in base units, and each is a row of its crate's `metrics!`
//! declaration.

use crate::finding::Finding;
use crate::token::{Call, calls, is_punct, text, tokens};
use crate::tree::{Package, Source};
use proc_macro2::TokenTree;

/// Base units: of something, so that a noun stands before them.
const UNITS: &[&str] = &["total", "seconds", "bytes", "ratio"];
/// What gauges and histograms count, and the states that a gauge of 1 or 0 tells of: they can follow the
/// crate's name directly.
const COUNTED: &[&str] = &[
    "batches",
    "connections",
    "customers",
    "entries",
    "events",
    "ids",
    "in_flight",
    "info",
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
/// What `metrics!` puts before every name.
const PREFIX: &str = "aftersend_";
const MACROS: &[&str] = &["counter", "gauge", "histogram"];

/// Misspelt names, in declarations or in calls, and counters that don't end in `_total`.
pub(crate) fn names(file: &Source) -> Vec<Finding> {
    let mend = "name it <crate>_<noun>_<unit>: seconds, bytes, a counted noun, and _total for a counter";
    let rows = declared(file).into_iter().map(|row| (row.kind, row.name));
    let calls = recorded(file).into_iter().filter_map(|(call, name)| match name {
        Name::Written(name) => Some((call.name, name)),
        Name::Constant(_) => None,
    });
    let wrong = rows
        .chain(calls)
        .filter(|(kind, name)| !well_named(name) || (kind == "counter") != name.ends_with("_total"));
    wrong.map(|(_, name)| Finding::new(&*file.path, format!("metric {name}"), mend)).collect()
}

fn well_named(name: &str) -> bool {
    let word =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let before = |ending: &str| name.strip_suffix(ending).and_then(|start| start.strip_suffix('_'));
    let measured = UNITS.iter().filter_map(|unit| before(unit)).any(|start| start.contains('_'));
    let counted = COUNTED.iter().any(|noun| before(noun).is_some());
    name.split('_').all(word) && (measured || counted)
}

/// Metrics that a crate records and does not declare. Tests may record what they like.
pub(crate) fn undeclared(packages: &[Package], files: &[Source]) -> Vec<Finding> {
    let mut found = Vec::new();
    for package in packages {
        let src = format!("{}/src/", package.dir);
        let own: Vec<&Source> =
            files.iter().filter(|file| file.path.starts_with(&src) && file.path.ends_with(".rs")).collect();
        let rows: Vec<Row> = own.iter().flat_map(|file| declared(file)).collect();
        for file in own {
            for (call, name) in recorded(file) {
                let known = match &name {
                    Name::Written(name) => {
                        rows.iter().any(|row| name.strip_prefix(PREFIX) == Some(&row.name))
                    }
                    Name::Constant(constant) => rows.iter().any(|row| row.constant == *constant),
                };
                if !known {
                    let what = format!("{}! records {name:?}, which metrics! doesn't declare", call.name);
                    let mend = "make it a row of telemetry::metrics! in the crate's metric.rs";
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

/// A row of `metrics!`: `CONSTANT: kind "name"`.
#[derive(Debug)]
struct Row {
    constant: String,
    kind: String,
    name: String,
}

/// The calls that record, with the metric's name. A name that is a variable is somebody else's to check.
fn recorded(file: &Source) -> Vec<(Call, Name)> {
    let calls = calls(tokens(file)).into_iter().filter(|call| MACROS.contains(&call.name.as_str()));
    calls.filter_map(|call| first_name(&call.arguments).map(|name| (call, name))).collect()
}

/// The first argument: a string, or a path that ends in a constant.
fn first_name(arguments: &[TokenTree]) -> Option<Name> {
    let first = arguments.split(|token| is_punct(token, ',')).next()?;
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

/// The rows of the file's `metrics!` declarations.
fn declared(file: &Source) -> Vec<Row> {
    let declarations = calls(tokens(file)).into_iter().filter(|call| call.name == "metrics");
    let rows = |call: Call| -> Vec<Row> { call.arguments.windows(4).filter_map(row).collect() };
    declarations.flat_map(rows).collect()
}

fn row(tokens: &[TokenTree]) -> Option<Row> {
    match tokens {
        [TokenTree::Ident(constant), colon, TokenTree::Ident(kind), name] if is_punct(colon, ':') => {
            Some(Row { constant: constant.to_string(), kind: kind.to_string(), name: text(name)? })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Package;

    const TABLE: &str = r#"
        telemetry::metrics! {
            /// Requests.
            REQUESTS: counter "gateway_requests_total" { outcome: ["ok", "bad"] },
            /// How long.
            WAIT: histogram "gateway_wait_ms",
            /// 1 or 0.
            READY: gauge "gateway_ready" {},
        }
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
        assert_eq!(found(r#"telemetry::metrics! { WAIT: counter "gateway_wait_seconds" }"#), 1);
        assert_eq!(found(r#"telemetry::metrics! { WAIT: gauge "gateway_waits_total" {} }"#), 1);
        assert_eq!(
            found(r#"fn f() { counter!("gateway_requests_total", "outcome" => "ok").increment(1) }"#),
            0
        );
    }

    #[test]
    fn a_metric_that_is_not_declared_is_found() {
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
            undeclared(std::slice::from_ref(&package), &files).len()
        };
        assert_eq!(found("fn f() { counter!(metric::LOST, \"by\" => x).increment(1) }"), 1);
        assert_eq!(found("fn f() { counter!(\"aftersend_gateway_lost_total\").increment(1) }"), 1);
        assert_eq!(found("fn f() { counter!(metric::REQUESTS, \"by\" => x).increment(1) }"), 0);
        assert_eq!(
            found("fn f() { gauge!(\"aftersend_gateway_ready\").set(1.0); counter!(name).increment(1) }"),
            0
        );
    }
}
