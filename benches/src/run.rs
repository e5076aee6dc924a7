//! One run: everything on one broker, in one order.

mod half_load;
mod peer;
mod processor;

use std::fs;
use std::path::Path;

use anyhow::Context;
use devkit::customerio::population::Population;
use devkit::kafka::Broker;

use crate::measure::{Positions, Speed, Throughput, commit_floor, outputs, saturate};
use crate::plan::{Plan, Scenario};
use crate::report::{self, Figures, PeerFigures};
use crate::screen::Screen;
use crate::subject::pass_through::PassThrough;
use crate::workload::{Events, Journal, Raw, now_ms};

/// Measures everything, writes the report and prints it.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<()> {
    let results = plan.results.clone().unwrap_or_else(|| devkit::cache_dir().join("bench"));
    let folder = std::path::absolute(results.join(now_ms().to_string()))?;
    let work = folder.join("work");
    fs::create_dir_all(&work).with_context(|| format!("{} can't be made", work.display()))?;
    let screen = Screen::new(steps(plan));
    let figures = Bench::start(plan, &screen, &work)?.measure()?;
    if !plan.keep {
        fs::remove_dir_all(&work)?;
    }
    let report = report::write(&figures, &folder)?;
    println!("\n{report}\nwritten to {}", folder.display());
    Ok(())
}

/// How many steps the screen will show.
fn steps(plan: &Plan) -> usize {
    let of_scenario = |scenario: Scenario| if scenario.ids > 0 { 11 } else { 8 };
    let peer = if plan.without_peer { 0 } else { 7 + usize::from(plan.peer_ids > 0) };
    4 + peer + plan.scenarios().into_iter().map(of_scenario).sum::<usize>()
}

/// What every measurement needs.
struct Bench<'a> {
    plan: &'a Plan,
    screen: &'a Screen,
    work: &'a Path,
    /// Before every topic's name: on a cluster of your own, each run has topics of its own.
    prefix: String,
    population: Population,
    journal: Journal,
    broker: Broker,
}

impl<'a> Bench<'a> {
    fn start(plan: &'a Plan, screen: &'a Screen, work: &'a Path) -> anyhow::Result<Self> {
        let step = screen.step("starting Kafka");
        let existing = std::env::var("AFTERSEND_KAFKA").ok();
        let broker = Broker::obtain_lasting(existing.as_deref(), &work.join("kafka"), &|_| ())?;
        step.done(broker.bootstrap());
        let population = Population::new(plan.seed, plan.customers());
        let step = screen.step(format!("making {} events", plan.events));
        let events = Events::new(&population, plan.seed);
        let journal = Journal::write(&work.join("events"), events, plan.events, &step)?;
        step.done(&format!("{} bytes each", journal.bytes / journal.events.max(1)));
        let prefix = format!("bench-{}.", now_ms());
        Ok(Self { plan, screen, work, prefix, population, journal, broker })
    }

    fn measure(&self) -> anyhow::Result<Figures> {
        let mut scenarios = self.plan.scenarios().into_iter();
        let first = scenarios.next().context("no scenario is asked for")?;
        let mut stored = self.stored(0, first)?;
        let step = self.screen.step("counting what was written");
        let written = outputs(&stored.subject.raw, &stored.subject.topics)?;
        step.done("");
        let mut pass_through = self.pass_through(0, &stored.subject.raw, written.sizes)?;
        let (peer, peer_failure) = self.peer_or_why_not(&stored.subject.raw);
        let mut processor = Vec::new();
        for (number, scenario) in (1..).zip(scenarios) {
            processor.push(self.at_half_load(stored, pass_through)?);
            stored = self.stored(number, scenario)?;
            pass_through = self.pass_through(number, &stored.subject.raw, written.sizes)?;
        }
        processor.push(self.at_half_load(stored, pass_through)?);
        let step = self.screen.step("committing small transactions");
        let floor = commit_floor(&kafka::Connection::plain(self.broker.bootstrap()), &self.prefix)?;
        step.done("");
        Ok(Figures {
            plan: self.plan.clone(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            raw_bytes: self.journal.bytes / self.journal.events.max(1),
            outputs: written,
            peer,
            peer_failure,
            processor,
            floor,
        })
    }

    /// The peer's figures, or why there are none. A peer that dies ends nothing: what the processor does is
    /// measured without it.
    fn peer_or_why_not(&self, raw: &Raw) -> (Option<PeerFigures>, Option<String>) {
        if self.plan.without_peer {
            return (None, None);
        }
        match self.peer(raw) {
            Ok(figures) => (Some(figures), None),
            Err(error) => {
                let why = format!("{error:#}");
                eprintln!("Kafka Streams failed: {why}");
                (None, Some(why))
            }
        }
    }

    /// Right after a processor and over the same records: the machine's speed changes within minutes, and a
    /// ratio must not.
    fn pass_through(
        &self,
        number: usize,
        raw: &Raw,
        sizes: [usize; 3],
    ) -> anyhow::Result<(Throughput, Speed)> {
        let prefix = format!("{}pass-{number}.", self.prefix);
        let topics = peer::output_topics(raw, &prefix)?;
        let settings = PassThrough {
            bootstrap: self.broker.bootstrap().to_owned(),
            group: format!("{prefix}group"),
            raw: raw.topic.clone(),
            outputs: topics.to_vec(),
            sizes: sizes.to_vec(),
            records: self.plan.pass_through_records,
        };
        let step = self.screen.step("pass-through: working the backlog off");
        let positions = Positions::of(raw, &settings.group)?;
        let (throughput, machine) = Speed::around(|| {
            let mut child = settings.start(&self.work.join(format!("pass-through-{number}.log")))?;
            let throughput = saturate(&mut child, &positions, self.plan.warm(), self.plan.events, &step)?;
            child.kill()?;
            Ok(throughput)
        })?;
        step.done(&told(&throughput));
        Ok((throughput, machine))
    }
}

/// Throughput in a few words.
fn told(throughput: &Throughput) -> String {
    let (per_cpu_second, per_second) = (throughput.per_cpu_second(), throughput.per_second());
    format!("{per_cpu_second:.0} events per CPU-second, {per_second:.0}/s")
}
