//! A histogram as `/metrics` exposes it, and what lies between two looks at it.

/// Cumulated counts by upper bound, in the exposition's order, and the sum.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Histogram {
    buckets: Vec<(f64, f64)>,
    sum: f64,
}

impl Histogram {
    /// The histogram `name` without labels of its own, in Prometheus' text format.
    pub(crate) fn parse(text: &str, name: &str) -> Self {
        let mut histogram = Self::default();
        for (series, value) in text.lines().filter_map(|line| line.rsplit_once(' ')) {
            let Ok(value) = value.parse::<f64>() else { continue };
            let Some(rest) = series.strip_prefix(name) else { continue };
            if let Some(bound) = rest.strip_prefix("_bucket{le=\"").and_then(|rest| rest.strip_suffix("\"}"))
            {
                let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap_or(f64::NAN) };
                histogram.buckets.push((bound, value));
            } else if rest == "_sum" {
                histogram.sum = value;
            }
        }
        histogram
    }

    /// What came since `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let earlier = |at: usize| before.buckets.get(at).map_or(0.0, |(_, count)| *count);
        let buckets =
            self.buckets.iter().enumerate().map(|(at, (bound, count))| (*bound, count - earlier(at)));
        Self { buckets: buckets.collect(), sum: self.sum - before.sum }
    }

    /// How many were recorded.
    pub(crate) fn count(&self) -> f64 {
        self.buckets.last().map_or(0.0, |(_, count)| *count)
    }

    /// Their mean; `None` where there are none.
    pub(crate) fn mean(&self) -> Option<f64> {
        (self.count() > 0.0).then(|| self.sum / self.count())
    }

    /// The quantile, interpolated within its bucket as Prometheus does; the highest bound where it lies
    /// beyond all.
    pub(crate) fn quantile(&self, quantile: f64) -> Option<f64> {
        let wanted = self.count() * quantile;
        let at = self.buckets.iter().position(|(_, count)| *count >= wanted && self.count() > 0.0)?;
        let (bound, count) = self.buckets[at];
        let (lower, below) = if at == 0 { (0.0, 0.0) } else { self.buckets[at - 1] };
        if bound.is_infinite() {
            return Some(lower);
        }
        Some(
            lower
                + (bound - lower)
                    * ((wanted - below) / (count - below).max(f64::MIN_POSITIVE)).clamp(0.0, 1.0),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# TYPE a_seconds histogram\na_seconds_bucket{le=\"0.01\"} 10\na_seconds_bucket{le=\"0.1\"} 20\n\
                        a_seconds_bucket{le=\"+Inf\"} 20\na_seconds_sum 0.5\na_seconds_count 20\nb_seconds_sum 9\n";

    #[test]
    fn quantiles_lie_within_their_bucket() {
        let histogram = Histogram::parse(TEXT, "a_seconds");
        let close =
            |found: Option<f64>, wanted: f64| found.is_some_and(|found| (found - wanted).abs() < 1e-9);
        assert!(close(histogram.quantile(0.5), 0.01), "{histogram:?}");
        assert!(close(histogram.quantile(0.75), 0.055));
        assert!(close(histogram.mean(), 0.025));
    }

    #[test]
    fn only_what_came_since_counts() {
        let now = Histogram::parse(TEXT, "a_seconds");
        assert_eq!(now.since(&now).mean(), None);
        assert_eq!(now.since(&Histogram::default()), now);
        assert_eq!(Histogram::parse(TEXT, "c_seconds").quantile(0.5), None);
    }
}
