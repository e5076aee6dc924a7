use std::time::Duration;

use kafka::{Cluster, TopicRequest};
use schemas::topic::{Topic, Topics};

use super::half_load::HalfLoad;
use super::{Bench, told};
use crate::measure::{Positions, Speed, WRITTEN, outputs, saturate};
use crate::report::PeerFigures;
use crate::subject::{Streams, build_streams};
use crate::workload::{Raw, preload};

const WINDOW: Duration = Duration::from_hours(30 * 24);

/// Makes the three output topics under `prefix`, with the same settings as ours; answers their names.
pub(super) fn output_topics(raw: &Raw, prefix: &str) -> anyhow::Result<[String; 3]> {
    let (topics, cluster) = (Topics::new(prefix), Cluster::connect(&raw.connection)?);
    for topic in WRITTEN {
        let settings = topic.settings(WINDOW);
        let (name, partitions) = (topics.name(topic), raw.partitions);
        cluster.create(&TopicRequest { name, partitions, replication: 1, settings: &settings })?;
    }
    Ok(WRITTEN.map(|topic: Topic| topics.name(topic).to_owned()))
}

impl Bench<'_> {
    /// Kafka Streams on the same raw records: throughput, latency, and a kill.
    pub(super) fn peer(&self, raw: &Raw) -> anyhow::Result<PeerFigures> {
        let step = self.screen.step("building the Kafka Streams job with Maven");
        let built = build_streams(&devkit::cache_dir().join("peer"))?;
        step.done("");
        let prefix = format!("{}peer.", self.prefix);
        output_topics(raw, &prefix)?;
        let subject = Streams::prepare(&built, raw, &prefix, self.work)?;
        if self.plan.peer_ids > 0 {
            let millions = self.plan.peer_ids as f64 / 1e6;
            let step = self.screen.step(format!("writing {millions} million ids for Kafka Streams"));
            preload::window_store(raw, &subject.changelog(), self.plan.peer_ids, &step)?;
            step.done("");
        }
        let step = self.screen.step("Kafka Streams: restoring, and working the backlog off");
        let positions = Positions::of(raw, &subject.application)?;
        let ((throughput, child), full) = Speed::around(|| {
            let mut child = subject.start()?;
            Ok((saturate(&mut child, &positions, self.plan.warm(), self.plan.events, &step)?, child))
        })?;
        let written = outputs(raw, &subject.topics)?;
        step.done(&told(&throughput));
        let half_load = HalfLoad {
            raw,
            topics: &subject.topics,
            group: &subject.application,
            name: "Kafka Streams",
            ceiling: throughput.per_second(),
        };
        let found = half_load.measure(self, Ok(child), &|| subject.start(), || Ok(()))?;
        let (latency, restart, peak_bytes) = (found.latency, found.restart, found.peak_bytes);
        let machine = [full, found.machine];
        Ok(PeerFigures { throughput, outputs: written, latency, restart, peak_bytes, machine })
    }
}
