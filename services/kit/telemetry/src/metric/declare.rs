//! One row per metric: its constant, its description and its row in the documentation.

use std::fmt::Write;

/// Declares the metrics of a crate: a constant with each metric's name, and `METRICS`, the rows of all of
/// them.
///
/// ```
/// telemetry::metrics! {
///     /// Records read. Each record has exactly one outcome.
///     RECORDS: counter "sink_records_total" { outcome: ["stored", "dead_lettered"] },
///     /// Time to store a batch.
///     STORE_SECONDS: histogram "sink_store_seconds",
///     /// Requests to the target.
///     REQUESTS: counter "sink_requests_total" { status, method: ["get", "put"] },
/// }
///
/// assert_eq!(RECORDS, "aftersend_sink_records_total");
/// assert_eq!(METRICS[1].unit(), "seconds");
/// ```
///
/// - The **name** follows Prometheus: the crate, a noun, and the base unit or what is counted. `_total` ends
///   counters alone. `aftersend_` is put before it.
/// - The **kind** is `counter`, `gauge` or `histogram`.
/// - A **label** with its values in brackets is a closed set. A counter with closed sets alone is zero from
///   the start, so that an alarm on its increase does not miss the first one. A label without values is an
///   open set.
/// - The **text** is the constant's documentation.
#[macro_export]
macro_rules! metrics {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident: $kind:ident $text:literal
        $({ $($label:ident $(: [$($value:literal),* $(,)?])?),* $(,)? })?
    ),* $(,)?) => {
        $(
            $(#[doc = $doc])+
            pub const $name: &str = concat!("aftersend_", $text);
        )*

        /// Every metric of this crate.
        pub const METRICS: &[$crate::Metric] = &[$(
            $crate::Metric::$kind(
                $name,
                &[$($($crate::Label { name: stringify!($label), values: &[$($($value),*)?] }),*)?],
                concat!($($doc),+),
            )
        ),*];
    };
}

/// A metric, as [`metrics!`](crate::metrics) declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its full name.
    pub name: &'static str,
    /// What its values do.
    pub kind: Kind,
    /// Its labels. The recording call gives each of them.
    pub labels: &'static [Label],
    /// What it means, in one or two sentences.
    pub help: &'static str,
}

/// What a metric's values do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// They only grow.
    Counter,
    /// They go up and down.
    Gauge,
    /// They are observations, sorted into buckets.
    Histogram,
}

/// A label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Every value it can have. Empty for an open set.
    pub values: &'static [&'static str],
}

impl Metric {
    /// A counter.
    pub const fn counter(name: &'static str, labels: &'static [Label], help: &'static str) -> Metric {
        Metric { name, kind: Kind::Counter, labels, help: help.trim_ascii() }
    }

    /// A gauge.
    pub const fn gauge(name: &'static str, labels: &'static [Label], help: &'static str) -> Metric {
        Metric { name, kind: Kind::Gauge, labels, help: help.trim_ascii() }
    }

    /// A histogram.
    pub const fn histogram(name: &'static str, labels: &'static [Label], help: &'static str) -> Metric {
        Metric { name, kind: Kind::Histogram, labels, help: help.trim_ascii() }
    }

    /// The base unit, which its name ends in. Empty for a metric that counts.
    pub fn unit(&self) -> &'static str {
        let name = self.name.trim_end_matches("_total");
        ["seconds", "bytes", "ratio"].into_iter().find(|unit| name.ends_with(unit)).unwrap_or_default()
    }

    /// Every combination of the labels' values, and none where a label's set is open.
    pub(crate) fn combinations(&self) -> Vec<Vec<(&'static str, &'static str)>> {
        self.labels.iter().fold(vec![Vec::new()], |combinations, label| {
            let with = |value: &&'static str| {
                combinations
                    .iter()
                    .map(|before| [before.as_slice(), &[(label.name, *value)]].concat())
                    .collect()
            };
            label.values.iter().flat_map(|value| -> Vec<_> { with(value) }).collect()
        })
    }
}

/// One Markdown table of metrics: name, kind, unit, labels, meaning. Sorted by name.
pub fn table(metrics: &[Metric]) -> String {
    let mut rows = metrics.to_vec();
    rows.sort_unstable_by_key(|metric| metric.name);
    let mut text = "| name | kind | unit | labels | meaning |\n|---|---|---|---|---|\n".to_owned();
    for metric in &rows {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let labels: Vec<String> = metric.labels.iter().map(cell).collect();
        let (name, unit, labels) = (metric.name, metric.unit(), labels.join("; "));
        writeln!(text, "| `{name}` | {kind} | {unit} | {labels} | {} |", metric.help.replace('|', "\\|"))
            .expect("writing to a string never fails");
    }
    text
}

/// A label with its values, if they are a closed set.
fn cell(label: &Label) -> String {
    let values: Vec<String> = label.values.iter().map(|value| format!("`{value}`")).collect();
    match values.as_slice() {
        [] => format!("`{}`", label.name),
        values => format!("`{}`: {}", label.name, values.join(", ")),
    }
}

#[cfg(test)]
#[expect(unreachable_pub, reason = "the macro is for a public module")]
mod tests {
    use super::{Kind, Metric, table};

    crate::metrics! {
        /// Requests to the target,
        /// repeats included.
        REQUESTS: counter "sink_requests_total" { method: ["get", "put"], ok: ["yes", "no"] },
        /// Errors | faults.
        ERRORS: counter "sink_errors_total" { code, method: ["get", "put"] },
        /// Time to store a batch.
        STORE_SECONDS: histogram "sink_store_seconds",
        /// Bytes that wait.
        WAITING: gauge "sink_waiting_bytes" {},
    }

    #[test]
    fn a_row_makes_the_name_and_the_description() {
        assert_eq!(REQUESTS, "aftersend_sink_requests_total");
        let names: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(names, [REQUESTS, ERRORS, STORE_SECONDS, WAITING]);
        assert_eq!(
            (METRICS[0].kind, METRICS[0].help),
            (Kind::Counter, "Requests to the target, repeats included.")
        );
        assert_eq!(METRICS.iter().map(Metric::unit).collect::<Vec<_>>(), ["", "", "seconds", "bytes"]);
    }

    #[test]
    fn closed_sets_have_every_combination_and_an_open_set_has_none() {
        let combinations = METRICS[0].combinations();
        assert_eq!(combinations.len(), 4);
        assert!(combinations.contains(&vec![("method", "put"), ("ok", "no")]), "{combinations:?}");
        assert!(METRICS[1].combinations().is_empty());
        assert_eq!(METRICS[2].combinations(), [vec![]], "no label has one combination");
    }

    #[test]
    fn the_table_is_sorted_and_tells_labels_with_their_values() {
        let text = table(METRICS);
        let rows: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| `aftersend_sink_errors_total` | counter |  | `code`; `method`: `get`, `put` | Errors \\| faults. |",
                "| `aftersend_sink_requests_total` | counter |  | `method`: `get`, `put`; `ok`: `yes`, `no` \
                 | Requests to the target, repeats included. |",
                "| `aftersend_sink_store_seconds` | histogram | seconds |  | Time to store a batch. |",
                "| `aftersend_sink_waiting_bytes` | gauge | bytes |  | Bytes that wait. |",
            ]
        );
    }
}
