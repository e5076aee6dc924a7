//! Counters as `/metrics` exposes them.

/// What a process has counted, in Prometheus' text format.
#[derive(Clone, Debug)]
pub struct Exposition(String);

impl Exposition {
    /// The answer of `/metrics`.
    #[must_use]
    pub fn new(text: String) -> Exposition {
        Exposition(text)
    }

    /// The sum of all series of that name that bear `label`; 0 where there is none.
    ///
    /// # Panics
    /// If a series has no whole number.
    #[must_use]
    pub fn sum(&self, name: &str, label: Option<(&str, &str)>) -> u64 {
        let wanted = label.map(|(label, value)| format!("{label}=\"{value}\""));
        self.0
            .lines()
            .filter_map(|line| line.rsplit_once(' '))
            .filter(|(series, _)| series.split('{').next() == Some(name))
            .filter(|(series, _)| wanted.as_ref().is_none_or(|wanted| series.contains(wanted)))
            .map(|(_, value)| value.parse::<u64>().expect("a counter is a whole number"))
            .sum()
    }

    /// The series that the page of metrics (`docs/metrics.md`) does not have: another name, another label, or
    /// a value outside a label's closed set.
    #[must_use]
    pub fn undocumented(&self, page: &str) -> Vec<String> {
        let rows: Vec<Vec<&str>> = page.lines().map(|line| line.split(" | ").collect()).collect();
        let series = self.0.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        series.filter(|line| !rows.iter().any(|row| describes(row, line))).map(str::to_owned).collect()
    }
}

/// Whether the row of the page describes the series of this line.
fn describes(row: &[&str], line: &str) -> bool {
    let [name, kind, _, documented, ..] = row else { return false };
    let Some((series, _)) = line.rsplit_once(' ') else { return false };
    let (found, labels) = series.trim_end_matches('}').split_once('{').unwrap_or((series, ""));
    let found = match *kind {
        "histogram" => ["_bucket", "_sum", "_count"].iter().find_map(|part| found.strip_suffix(part)),
        _ => Some(found),
    };
    found.is_some_and(|found| *name == format!("| `{found}`"))
        && labels.split("\",").filter(|label| !label.is_empty()).all(|label| is_documented(documented, label))
}

/// Whether the cell with a metric's labels has this label and, where it is a closed set, this value.
fn is_documented(cell: &str, label: &str) -> bool {
    let Some((name, value)) = label.split_once("=\"") else { return false };
    let value = format!("`{}`", value.trim_end_matches('"'));
    name == "le"
        || cell.split("; ").any(|documented| match documented.split_once(": ") {
            Some((known, values)) => {
                known == format!("`{name}`") && values.split(", ").any(|each| each == value)
            }
            None => documented == format!("`{name}`"),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_a_name_are_summed() {
        let text = "# HELP a_total x\na_total{outcome=\"raw\",reason=\"\"} 7\na_total{outcome=\"dead\"} 2\na_total_more 9\n";
        let metrics = Exposition::new(text.to_owned());
        assert_eq!(metrics.sum("a_total", None), 9);
        assert_eq!(metrics.sum("a_total", Some(("outcome", "raw"))), 7);
        assert_eq!(metrics.sum("b_total", None), 0);
    }

    #[test]
    fn a_series_that_the_page_does_not_have_is_found() {
        let page = "| `a_total` | counter |  | `outcome`: `raw`, `dead`; `reason` | Events. |\n\
                    | `b_seconds` | histogram | seconds |  | Time. |\n\
                    | `c` | gauge |  |  | Number. |\n";
        let undocumented = |text: &str| Exposition::new(text.to_owned()).undocumented(page).len();
        let documented = "# HELP a_total x\n\na_total{outcome=\"raw\",reason=\"\"} 7\na_total{outcome=\"dead\"} 2\n\
                          b_seconds_bucket{le=\"+Inf\"} 1\nb_seconds_sum 0.5\nb_seconds_count 1\nc 0.5\n";
        assert_eq!(undocumented(documented), 0);
        for line in [
            "d 1",
            "a_total{outcome=\"lost\"} 1",
            "a_total{other=\"raw\"} 1",
            "c{outcome=\"raw\"} 1",
            "b_seconds 1",
            "c_sum 1",
        ] {
            assert_eq!(undocumented(line), 1, "{line}");
        }
    }
}
