//! The plot: what an event costs, how long a suppression takes, how long a killed subject is away.

use std::path::Path;

use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::Figures;

const SIZE: (u32, u32) = (900, 900);
const OURS: RGBColor = RGBColor(38, 110, 180);
const OTHERS: RGBColor = RGBColor(150, 150, 150);
const LIMIT: RGBColor = RGBColor(190, 60, 50);

/// Bars of one unit.
struct Chart {
    title: &'static str,
    bars: Vec<(String, f64, bool)>,
    /// Where a limit lies.
    limit: Option<f64>,
    digits: usize,
}

/// Draws `figures` as an SVG file.
pub(super) fn draw(figures: &Figures, path: &Path) -> anyhow::Result<()> {
    let charts = charts(figures);
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    let failed = |error: &dyn std::fmt::Display| anyhow!("the plot can't be drawn: {error}");
    root.fill(&WHITE).map_err(|error| failed(&error))?;
    for (area, chart) in root.split_evenly((charts.len(), 1)).iter().zip(&charts) {
        chart.draw(area).map_err(|error| failed(&error))?;
    }
    root.present().map_err(|error| failed(&error))
}

fn charts(figures: &Figures) -> Vec<Chart> {
    let state = |ids: u64, partitions: u32| format!("{} M, {partitions} p", ids as f64 / 1e6);
    let ours = |value: &dyn Fn(&super::ProcessorFigures) -> f64| -> Vec<(String, f64, bool)> {
        let of = |found: &super::ProcessorFigures| {
            (state(found.scenario.ids, found.scenario.partitions), value(found), true)
        };
        figures.processor.iter().map(of).collect()
    };
    let peer = |value: &dyn Fn(&super::PeerFigures) -> f64| {
        let name = format!("Kafka Streams, {} M", figures.plan.peer_ids as f64 / 1e6);
        figures.peer.iter().map(|peer| (name.clone(), value(peer), false)).collect::<Vec<_>>()
    };
    let mut efficiency = ours(&|found| found.throughput.per_cpu_second() / 1e3);
    efficiency.extend(
        figures
            .processor
            .first()
            .map(|base| ("pass-through".to_owned(), base.pass_through.per_cpu_second() / 1e3, false)),
    );
    efficiency.extend(peer(&|peer| peer.throughput.per_cpu_second() / 1e3));
    let delays = [ours(&|found| found.latency.p99), peer(&|peer| peer.latency.p99)].concat();
    let restarts = [ours(&|found| found.restart.first), peer(&|peer| peer.restart.first)].concat();
    vec![
        Chart { title: "thousand events per CPU-second", bars: efficiency, limit: None, digits: 0 },
        Chart {
            title: "raw record to suppression at half load, p99, ms",
            bars: delays,
            limit: Some(250.0),
            digits: 0,
        },
        Chart { title: "first commit after SIGKILL, s", bars: restarts, limit: Some(5.0), digits: 1 },
    ]
}

type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

impl Chart {
    fn draw<'a>(&self, area: &DrawingArea<SVGBackend<'a>, Shift>) -> Drawn<'a> {
        let count = i32::try_from(self.bars.len()).unwrap_or(i32::MAX);
        let most = self.bars.iter().map(|(_, value, _)| *value).chain(self.limit).fold(0.0, f64::max) * 1.15;
        let mut chart = ChartBuilder::on(area)
            .caption(self.title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(28)
            .y_label_area_size(60)
            .build_cartesian_2d((0..count - 1).into_segmented(), 0.0..most.max(f64::MIN_POSITIVE))?;
        let label = |at: &SegmentValue<i32>| match at {
            SegmentValue::CenterOf(at) => usize::try_from(*at)
                .ok()
                .and_then(|at| self.bars.get(at))
                .map_or_else(String::new, |(name, _, _)| name.clone()),
            _ => String::new(),
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .y_max_light_lines(0)
            .x_labels(self.bars.len())
            .x_label_formatter(&label)
            .draw()?;
        for (at, (_, value, own)) in (0..).zip(&self.bars) {
            let (left, right) = (SegmentValue::Exact(at), SegmentValue::Exact(at + 1));
            let colour = if *own { OURS } else { OTHERS };
            let mut bar = Rectangle::new([(left, 0.0), (right, *value)], colour.filled());
            bar.set_margin(0, 0, 24, 24);
            chart.draw_series(std::iter::once(bar))?;
            let text = format!("{value:.*}", self.digits);
            let style = ("sans-serif", 14).into_text_style(area).pos(Pos::new(HPos::Center, VPos::Bottom));
            chart.draw_series(std::iter::once(Text::new(
                text,
                (SegmentValue::CenterOf(at), *value),
                style,
            )))?;
        }
        if let Some(limit) = self.limit {
            let ends = [(SegmentValue::Exact(0), limit), (SegmentValue::Exact(count), limit)];
            chart.draw_series(LineSeries::new(ends, LIMIT.stroke_width(2)))?;
        }
        Ok(())
    }
}
