//! One run: a Kafka, topics of its own, a steady load of events, processors, faults, and at the end a
//! verification.

pub(crate) mod counts;
pub(crate) mod dice;
pub(crate) mod instance;
mod kafka;
mod load;
mod progress;
mod verification;
mod wall_clock;
pub(crate) mod workload;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aftersend_tests::deployment::Deployment;
use aftersend_tests::wait::{PATIENCE, await_until};

pub(crate) use self::kafka::Kafka;
use counts::{Counts, say};
use instance::Instance;
use load::{LoadGenerator, Sender};
use progress::GroupProgress;
use workload::Workload;

/// How long partitions may take to find an owner and get going: a session, a transaction's timeout and a
/// restore, on a busy machine.
const RECOVERY_MAX: Duration = PATIENCE;

/// How a run is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Seed of everything that is drawn at random.
    pub(crate) seed: u64,
    /// Partitions of each topic.
    pub(crate) partitions: u32,
    /// Processors.
    pub(crate) instances: usize,
    /// Workers of each.
    pub(crate) workers: usize,
    /// Records of a transaction, at most.
    pub(crate) batch: usize,
    /// Events a second.
    pub(crate) pace: u64,
    /// In a long run, the number of kills that was asked for. A long run takes all faults of a scenario.
    pub(crate) kills: Option<u64>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            seed: dice::seed(),
            partitions: 4,
            instances: 1,
            workers: 2,
            batch: 40,
            pace: 400,
            kills: dice::kills(),
        }
    }
}

/// One run.
pub(crate) struct ChaosRun {
    /// The processors, running or not. First, so that they are dropped before Kafka.
    pub(crate) instances: Vec<Instance>,
    pub(crate) deployment: Deployment,
    pub(crate) kafka: Kafka,
    pub(crate) plan: Plan,
    pub(crate) counts: Counts,
    /// Counts of all verified runs of this test process. They include this run once it is verified.
    pub(crate) total: Counts,
    /// Writes to raw.
    pub(crate) sender: Sender,
    /// Reads how far the group has come.
    pub(crate) progress: GroupProgress,
    /// How many dead letters there must be in the end.
    pub(crate) expected_dead_letters: usize,
    workload: Workload,
    load: Option<LoadGenerator>,
    /// Events that raw has from earlier load generators.
    events_sent: u64,
    /// Marker files that were named so far.
    markers: u32,
}

impl ChaosRun {
    /// Topics on `kafka`, and processors that are not started yet.
    pub(crate) fn new(name: &str, kafka: Kafka, plan: Plan) -> ChaosRun {
        let (seed, kills) = (plan.seed, plan.kills.map(|kills| kills.to_string()).unwrap_or_default());
        say(format_args!("{name}: {plan:?}; again: make chaos KILLS={kills} SEED={seed} ARGS={name}"));
        let deployment = Deployment::on(kafka.direct(), "chaos", plan.partitions);
        let instances =
            (0..plan.instances).map(|number| Instance::new(&deployment, &kafka, number, &plan)).collect();
        ChaosRun {
            instances,
            plan,
            counts: Counts::default(),
            total: Counts::default(),
            sender: Sender::new(&deployment),
            progress: GroupProgress::new(&deployment),
            expected_dead_letters: 0,
            workload: Workload::new(plan.seed, 150),
            load: None,
            events_sent: 0,
            markers: 0,
            kafka,
            deployment,
        }
    }

    /// Adds a processor, which is not started yet. Returns its number.
    pub(crate) fn add_instance(&mut self) -> usize {
        let number = self.instances.len();
        self.instances.push(Instance::new(&self.deployment, &self.kafka, number, &self.plan));
        number
    }

    /// Starts the load and every processor that does not run, and waits until every partition has an owner.
    pub(crate) fn begin(&mut self) {
        self.start_load();
        (0..self.instances.len()).for_each(|who| self.start(who));
        self.await_owned();
    }

    /// Starts the load if it does not run.
    pub(crate) fn start_load(&mut self) {
        if self.load.is_none() {
            self.load =
                Some(LoadGenerator::start(&self.sender, &self.workload, self.events_sent, self.plan.pace));
        }
    }

    /// Starts a processor if it does not run.
    pub(crate) fn start(&mut self, who: usize) {
        self.instances[who].start(&self.deployment, None);
    }

    /// Starts a processor that will pause at the nth time that it reaches a point. Returns the marker file
    /// that it makes there. The processor goes on once the file is removed.
    pub(crate) fn start_drilled(&mut self, who: usize, point: &str, nth: u32) -> PathBuf {
        self.markers += 1;
        let marker = self.deployment.path(&format!("{point}-{who}-{}", self.markers));
        assert!(!marker.exists(), "a marker that exists already would prove nothing");
        self.instances[who].start(&self.deployment, Some(format!("{point}:{nth}:{}", marker.display())));
        marker
    }

    /// Does the same, and waits until the processor has paused.
    pub(crate) fn start_until(&mut self, who: usize, point: &str, nth: u32) -> PathBuf {
        let marker = self.start_drilled(who, point, nth);
        self.await_marker(who, &marker);
        marker
    }

    /// Waits until a processor has paused.
    pub(crate) fn await_marker(&mut self, who: usize, marker: &Path) {
        let what = format!("{} to make {}", self.instances[who].name(), marker.display());
        await_until(&what, RECOVERY_MAX, || {
            self.instances[who].assert_alive();
            marker.exists().then_some(())
        });
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, who: usize) {
        self.counts.kills += 1;
        self.instances[who].collect_counts(&mut self.counts);
        self.instances[who].kill();
    }

    /// Waits until a processor has committed something since its start.
    pub(crate) fn await_commit(&mut self, who: usize) {
        let what = format!("{} to commit", self.instances[who].name());
        await_until(&what, RECOVERY_MAX, || {
            self.instances[who].assert_alive();
            (self.instances[who].committed() > 0).then_some(())
        });
    }

    /// Waits until every partition has reached the present end of raw. There is no limit as long as a
    /// partition moves on.
    pub(crate) fn await_caught_up(&mut self) {
        let ends = self.progress.ends();
        let mut behind = self.progress.behind(&ends);
        while !behind.is_empty() {
            let since = Instant::now();
            let now = await_until("the group to move on, or to be stuck", RECOVERY_MAX * 2, || {
                self.instances.iter_mut().for_each(Instance::assert_alive);
                let now = self.progress.behind(&ends);
                (now != behind || since.elapsed() > RECOVERY_MAX).then_some(now)
            });
            assert!(now != behind, "stuck: {behind:?} of {ends:?}; {}", self.describe());
            behind = now;
        }
    }

    /// What the processors report of themselves.
    fn describe(&self) -> String {
        let describe =
            |one: &Instance| format!("{} has {}, says {}", one.name(), one.owned(), one.readiness().trim());
        self.instances.iter().filter(|one| one.runs()).map(describe).collect::<Vec<_>>().join("; ")
    }

    /// Waits until every partition is owned by one of the processors that run.
    pub(crate) fn await_owned(&mut self) {
        let wanted = u64::from(self.plan.partitions);
        await_until("every partition to have an owner", RECOVERY_MAX, || {
            self.instances.iter_mut().for_each(Instance::assert_alive);
            (self.instances.iter().map(Instance::owned).sum::<u64>() == wanted).then_some(())
        });
    }

    /// Waits until the processors that run have committed `more` transactions.
    pub(crate) fn await_commits(&mut self, more: u64) {
        let committed = |run: &ChaosRun| run.instances.iter().map(Instance::committed).sum::<u64>();
        let before = committed(self);
        await_until("transactions to be committed", RECOVERY_MAX, || {
            self.instances.iter_mut().for_each(Instance::assert_alive);
            (committed(self) >= before + more).then_some(())
        });
    }

    /// Stops every processor with SIGTERM.
    pub(crate) fn stop(&mut self) {
        for instance in &mut self.instances {
            instance.collect_counts(&mut self.counts);
            instance.stop();
        }
    }
}
