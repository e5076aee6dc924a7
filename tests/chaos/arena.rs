//! Where faults happen: a Kafka, topics of their own, events that keep coming, processors, and in the end a judge.

pub(crate) mod dice;
mod eye;
mod feed;
pub(crate) mod instance;
mod judgement;
mod kafka;
pub(crate) mod tally;
mod wall_clock;
pub(crate) mod workload;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aftersend_tests::wait::{PATIENCE, await_until};
use aftersend_tests::world::World;

pub(crate) use self::kafka::Kafka;
use eye::Eye;
use feed::{Feed, Sender};
use instance::Instance;
use tally::{Tally, say};
use workload::Workload;

/// How long partitions may take to find an owner and get going: a session, a transaction's timeout and a restore, on a busy
/// machine.
const RECOVERY_MAX: Duration = PATIENCE;

/// What an arena is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Decides everything that is drawn.
    pub(crate) seed: u64,
    /// Partitions of each topic.
    pub(crate) partitions: u32,
    /// Processors.
    pub(crate) instances: usize,
    /// Workers of each.
    pub(crate) workers: usize,
    /// Records of a transaction at most.
    pub(crate) batch: usize,
    /// Events a second.
    pub(crate) pace: u64,
    /// Kills that are asked for where this is a long run: it takes all of a scenario's faults.
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
pub(crate) struct Arena {
    /// The processors, running or not. First, so that they end before what they run on.
    pub(crate) instances: Vec<Instance>,
    pub(crate) world: World,
    pub(crate) kafka: Kafka,
    pub(crate) plan: Plan,
    pub(crate) tally: Tally,
    /// Of every run of this process that was judged, this one included once it is.
    pub(crate) total: Tally,
    /// Writes to raw.
    pub(crate) sender: Sender,
    /// Sees how far the group has come.
    pub(crate) eye: Eye,
    /// How many dead letters there must be in the end.
    pub(crate) expected_dead_letters: usize,
    workload: Workload,
    feed: Option<Feed>,
    /// Events that raw has from earlier feeds.
    fed: u64,
    /// Markers that drills were given.
    markers: u32,
}

impl Arena {
    /// Topics on `kafka`, and processors that are not started yet.
    pub(crate) fn new(name: &str, kafka: Kafka, plan: Plan) -> Arena {
        let (seed, kills) = (plan.seed, plan.kills.map(|kills| kills.to_string()).unwrap_or_default());
        say(format_args!("{name}: {plan:?}; again: make chaos KILLS={kills} SEED={seed} ARGS={name}"));
        let world = World::on(kafka.direct(), "chaos", plan.partitions);
        let instances =
            (0..plan.instances).map(|number| Instance::new(&world, &kafka, number, &plan)).collect();
        let (sender, eye, workload) = (Sender::new(&world), Eye::new(&world), Workload::new(plan.seed, 150));
        let (tally, total, expected_dead_letters, feed, fed, markers) = Default::default();
        Arena {
            kafka,
            world,
            plan,
            instances,
            tally,
            total,
            sender,
            eye,
            expected_dead_letters,
            workload,
            feed,
            fed,
            markers,
        }
    }

    /// One more processor, that is not started yet.
    pub(crate) fn enlist(&mut self) -> usize {
        let number = self.instances.len();
        self.instances.push(Instance::new(&self.world, &self.kafka, number, &self.plan));
        number
    }

    /// Starts every processor that doesn't run, lets events come, and waits until some are worked off.
    pub(crate) fn begin(&mut self) {
        self.feed();
        (0..self.instances.len()).for_each(|who| self.start(who));
        self.await_owned();
    }

    /// Lets events come, where they don't.
    pub(crate) fn feed(&mut self) {
        if self.feed.is_none() {
            self.feed = Some(Feed::start(&self.sender, &self.workload, self.fed, self.plan.pace));
        }
    }

    /// Starts a processor, where it doesn't run.
    pub(crate) fn start(&mut self, who: usize) {
        self.instances[who].start(&self.world, None);
    }

    /// Starts a processor that will stand still at the nth time of a point; answers the marker that tells, and that is to be removed.
    pub(crate) fn start_drilled(&mut self, who: usize, point: &str, nth: u32) -> PathBuf {
        self.markers += 1;
        let marker = self.world.path(&format!("{point}-{who}-{}", self.markers));
        assert!(!marker.exists(), "a marker that is there already tells nothing");
        self.instances[who].start(&self.world, Some(format!("{point}:{nth}:{}", marker.display())));
        marker
    }

    /// The same, and waits until it does.
    pub(crate) fn start_until(&mut self, who: usize, point: &str, nth: u32) -> PathBuf {
        let marker = self.start_drilled(who, point, nth);
        self.await_marker(who, &marker);
        marker
    }

    /// Waits until a processor stands still.
    pub(crate) fn await_marker(&mut self, who: usize, marker: &Path) {
        let what = format!("{} to make {}", self.instances[who].name(), marker.display());
        await_until(&what, RECOVERY_MAX, || {
            self.instances[who].assert_alive();
            marker.exists().then_some(())
        });
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, who: usize) {
        self.tally.kills += 1;
        self.instances[who].harvest(&mut self.tally);
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

    /// Waits until every partition has come to where raw ends now. As long as one moves on, there is time.
    pub(crate) fn await_caught_up(&mut self) {
        let ends = self.eye.ends();
        let mut behind = self.eye.behind(&ends);
        while !behind.is_empty() {
            let since = Instant::now();
            let now = await_until("the group to move on, or to be stuck", RECOVERY_MAX * 2, || {
                self.instances.iter_mut().for_each(Instance::assert_alive);
                let now = self.eye.behind(&ends);
                (now != behind || since.elapsed() > RECOVERY_MAX).then_some(now)
            });
            assert!(now != behind, "stuck: {behind:?} of {ends:?}; {}", self.told());
            behind = now;
        }
    }

    /// What the processors say of themselves.
    fn told(&self) -> String {
        let told =
            |one: &Instance| format!("{} has {}, says {}", one.name(), one.owned(), one.readiness().trim());
        self.instances.iter().filter(|one| one.runs()).map(told).collect::<Vec<_>>().join("; ")
    }

    /// Waits until every partition is worked on by one of the processors that run.
    pub(crate) fn await_owned(&mut self) {
        let wanted = u64::from(self.plan.partitions);
        await_until("every partition to have an owner", RECOVERY_MAX, || {
            self.instances.iter_mut().for_each(Instance::assert_alive);
            (self.instances.iter().map(Instance::owned).sum::<u64>() == wanted).then_some(())
        });
    }

    /// Waits until the processors that run have committed so many transactions more.
    pub(crate) fn await_commits(&mut self, more: u64) {
        let committed = |arena: &Arena| arena.instances.iter().map(Instance::committed).sum::<u64>();
        let before = committed(self);
        await_until("transactions to be committed", RECOVERY_MAX, || {
            self.instances.iter_mut().for_each(Instance::assert_alive);
            (committed(self) >= before + more).then_some(())
        });
    }

    /// Stops every processor kindly.
    pub(crate) fn stop(&mut self) {
        for instance in &mut self.instances {
            instance.harvest(&mut self.tally);
            instance.stop();
        }
    }
}
