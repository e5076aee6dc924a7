//! Every metric of every role.

use telemetry::Metric;

/// The metrics that every process has.
pub(crate) fn common() -> Vec<Metric> {
    [telemetry::metric::METRICS, lifecycle::metric::METRICS, kafka::METRICS].concat()
}

/// Every metric of every role.
pub(crate) fn catalogue() -> Vec<Metric> {
    let roles = [
        gateway::metric::METRICS,
        processor::metric::METRICS,
        delivery::metric::METRICS,
        customerio_sink::metric::METRICS,
        bigquery_sink::metric::METRICS,
    ];
    [common(), roles.concat()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_page_says_what_the_code_records() {
        let page = include_str!("../../../docs/metrics.md");
        assert!(
            page.ends_with(&telemetry::metric::table(&catalogue())),
            "run `aftersend metrics` and put its table into docs/metrics.md"
        );
    }

    #[test]
    fn no_two_metrics_share_a_name() {
        let mut names: Vec<&str> = catalogue().iter().map(|metric| metric.name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
