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
    /// Where a series has no whole number.
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
}
