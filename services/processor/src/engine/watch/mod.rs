//! Which threads are stuck, and for how long.
//!
//! A thread of its own watches them, because every other thread may wait: the control thread waits at the
//! gate for workers, and the end of a session waits for all threads.

use std::convert::Infallible;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lifecycle::Vital;
use tracing::error;

use self::activity::{Activity, ActivityAt, Task};
use super::report;
use crate::metric;

pub(super) mod activity;
pub(super) mod brokers;

/// How often all threads are observed.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A thread that has been at one task for longer than this is named in readiness, however often it has tried.
const STUCK_AFTER: Duration = Duration::from_secs(15);
/// How long the process may take to exit by itself.
const EXIT_MAX: Duration = Duration::from_secs(10);

/// Watches the threads of a session, from before the session begins until after it has ended.
pub(super) struct Watch<'a> {
    control: Activity,
    workers: Vec<Activity>,
    /// The threads that are stuck, and at what.
    stuck: Mutex<Vec<String>>,
    vital: &'a Vital,
    /// Ends the process, for a reason.
    give_up: &'a (dyn Fn(&str) + Sync),
    /// Whether any broker answers.
    brokers_answer: &'a (dyn Fn() -> bool + Sync),
}

/// How a thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Well,
    /// At one task for longer than it should take.
    Stuck(Task),
    /// In a call that should have returned long ago.
    Hopeless(Task, Duration),
}

/// What was observed of a thread. Ages are counted in observations, not by a clock: while the whole process
/// stands still (SIGSTOP, a virtual machine that is moved), no thread is late. While no broker answers, no
/// thread is late that may wait for a broker: librdkafka lets some calls wait past their timeout until a
/// broker is back. Such a thread can't do harm then, because what it does next needs a broker.
#[derive(Debug, Clone, Copy, Default)]
struct Observation {
    seen: ActivityAt,
    /// Observations at the same task.
    of_task: u32,
    /// Observations at the same try of it.
    of_try: u32,
}

impl Condition {
    /// What readiness and the log say about the thread `name`, if anything.
    fn describe(self, name: &str) -> Option<String> {
        match self {
            Self::Well => None,
            Self::Stuck(task) => Some(format!("{name} is stuck at {task:?}")),
            Self::Hopeless(task, age) => {
                Some(format!("{name} does not come back from {task:?} after {age:?}"))
            }
        }
    }
}

impl Observation {
    fn look(&mut self, now: ActivityAt, brokers_answer: bool) -> Condition {
        let is_late = u32::from(brokers_answer || !now.task.needs_brokers());
        self.of_task = if now.tasks == self.seen.tasks { self.of_task + 1 } else { 0 };
        self.of_try = if now.tries == self.seen.tries { self.of_try + is_late } else { 0 };
        self.seen = now;
        let (at_task, at_try) = (LOOK_EVERY * self.of_task, LOOK_EVERY * self.of_try);
        match now.task {
            Task::Nothing => Condition::Well,
            task if at_try > task.patience() => Condition::Hopeless(task, at_try),
            task if at_task > STUCK_AFTER => Condition::Stuck(task),
            _ => Condition::Well,
        }
    }
}

impl<'a> Watch<'a> {
    /// A watch over the control thread and `workers` workers. `give_up` must end the process.
    pub(super) fn new(
        workers: usize,
        vital: &'a Vital,
        give_up: &'a (dyn Fn(&str) + Sync),
        brokers_answer: &'a (dyn Fn() -> bool + Sync),
    ) -> Self {
        let workers = (0..workers).map(|_| Activity::default()).collect();
        Self {
            control: Activity::default(),
            workers,
            stuck: Mutex::default(),
            vital,
            give_up,
            brokers_answer,
        }
    }

    pub(super) fn control(&self) -> &Activity {
        &self.control
    }

    pub(super) fn workers(&self) -> &[Activity] {
        &self.workers
    }

    /// The threads that are stuck, for readiness.
    pub(super) fn stuck(&self) -> Vec<String> {
        self.locked().clone()
    }

    /// Watches while `session` runs, with one observation `every` so often. An observation counts as
    /// [`LOOK_EVERY`].
    pub(super) fn during<T>(&self, every: Duration, session: impl FnOnce() -> T) -> T {
        std::thread::scope(|scope| {
            // The sender is dropped when the session ends, also where it panics.
            let (_lasts, over) = channel::<Infallible>();
            let watch = move || {
                let mut observations = vec![Observation::default(); 1 + self.workers.len()];
                while over.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                    self.look(&mut observations);
                }
                report::stuck_workers(0);
            };
            let watchdog = std::thread::Builder::new().name("watchdog".to_owned());
            watchdog.spawn_scoped(scope, watch).expect("the system has room for a thread");
            session()
        })
    }

    fn look(&self, observations: &mut [Observation]) {
        let activities = std::iter::once(&self.control).chain(&self.workers);
        let brokers_answer = (self.brokers_answer)();
        let look = |(seen, now): (&mut Observation, &Activity)| seen.look(now.latest(), brokers_answer);
        let conditions: Vec<Condition> = observations.iter_mut().zip(activities).map(look).collect();
        let stuck: Vec<String> = conditions
            .iter()
            .enumerate()
            .filter_map(|(number, condition)| condition.describe(&name(number)))
            .collect();
        let is_stuck = |condition: &&Condition| **condition != Condition::Well;
        report::stuck_workers(conditions.iter().skip(1).filter(is_stuck).count());
        let before = std::mem::replace(&mut *self.locked(), stuck.clone());
        // Only if the control thread itself is stuck; otherwise it reports readiness. Report each cause once,
        // because `not_ready` counts as progress.
        if conditions.first().is_some_and(|control| is_stuck(&control)) && stuck != before {
            self.vital.not_ready(stuck.join("; "));
        }
        if conditions.iter().any(|condition| matches!(condition, Condition::Hopeless(..))) {
            (self.give_up)(&stuck.join("; "));
        }
    }

    fn locked(&self) -> MutexGuard<'_, Vec<String>> {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread's name for people. The control thread has number 0.
fn name(number: usize) -> String {
    number.checked_sub(1).map_or_else(|| "the control thread".to_owned(), |worker| format!("worker {worker}"))
}

/// Ends the process. A thread that hangs in a call can't be ended. While it lives, it could still commit for
/// a partition that has another owner by then. The process's supervisor starts a new process, which can work.
pub(super) fn give_up(why: &str) {
    error!(why, "processor gives up");
    metrics::counter!(metric::HOPELESS).increment(1);
    // At an exit, RocksDB waits for its own threads, which may hang at the same disk.
    std::thread::spawn(|| std::process::exit(1));
    std::thread::sleep(EXIT_MAX);
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use lifecycle::Health;

    use super::*;
    use crate::commit::gate::Gate;
    use crate::commit::protocol::Act;

    const LONG: Duration = Duration::from_hours(1);

    /// How a thread is after so many looks at it, with `between` two of them.
    fn seen(looks: u64, task: Task, between: impl Fn(&Activity)) -> Condition {
        seen_while(true, looks, task, between)
    }

    fn seen_while(brokers_answer: bool, looks: u64, task: Task, between: impl Fn(&Activity)) -> Condition {
        let (activity, mut observation) = (Activity::default(), Observation::default());
        activity.begins(task);
        observation.look(activity.latest(), brokers_answer);
        let look = |_| {
            between(&activity);
            observation.look(activity.latest(), brokers_answer)
        };
        (0..looks).map(look).last().expect("a look")
    }

    /// Hangs until it is given up.
    type Hang = Box<dyn FnOnce() + Send>;

    /// Lets `session` run with a watch of one worker, until it is given up for what is answered. A second
    /// passes in a millisecond.
    fn given_up(session: impl FnOnce(&Watch<'_>, Hang)) -> Option<String> {
        let (vital, (told, heard)) = (Health::new().component("processor", LONG), channel());
        let (release, released) = channel();
        let give_up = |why: &str| {
            // Told again at every look, until the session is over.
            let _ = (told.send(why.to_owned()), release.send(()));
        };
        let watch = Watch::new(1, &vital, &give_up, &|| true);
        let hang = Box::new(move || released.recv_timeout(Duration::from_secs(10)).unwrap_or_default());
        watch.during(Duration::from_millis(1), || session(&watch, hang));
        heard.try_recv().ok()
    }

    #[test]
    fn a_thread_that_tries_again_and_again_is_stuck_and_one_that_never_returns_is_hopeless() {
        let (short, long) = (STUCK_AFTER.as_secs(), 91);
        let renew = Task::Commit(Act::Renew);
        assert_eq!(seen(short, renew, |_| ()), Condition::Well);
        assert_eq!(seen(short + 1, renew, |_| ()), Condition::Stuck(renew));
        assert_eq!(seen(long, renew, |activity| activity.begins(renew)), Condition::Stuck(renew));
        assert_eq!(seen(long, renew, |_| ()), Condition::Hopeless(renew, Duration::from_secs(long)));
        assert_eq!(seen(long, Task::Nothing, |_| ()), Condition::Well);
        assert_eq!(
            seen(long, Task::Apply { partition: 3 }, |_| ()),
            Condition::Stuck(Task::Apply { partition: 3 })
        );
    }

    #[test]
    fn a_thread_that_gets_on_is_well_however_long_it_takes() {
        let next = |activity: &Activity| {
            activity.begins(Task::HandleCommands);
            activity.begins(Task::ReadInbox);
        };
        assert_eq!(seen(1_000, Task::ReadInbox, next), Condition::Well, "it has no partitions");
    }

    /// Ages are looks: what passes between two of them doesn't count, be it a pause of the process for hours.
    #[test]
    fn a_thread_is_late_by_what_was_watched_and_by_nothing_else() {
        let renew = Task::Commit(Act::Renew);
        assert_eq!(seen(90, renew, |_| ()), Condition::Stuck(renew));
        assert_eq!(seen(91, renew, |_| ()), Condition::Hopeless(renew, Duration::from_secs(91)));
    }

    /// A thread that waits for brokers is named, and waits on. A disk has no such excuse.
    #[test]
    fn no_thread_is_hopeless_for_brokers_that_are_gone() {
        let offsets = Task::Commit(Act::Offsets);
        assert_eq!(seen_while(false, 10_000, offsets, |_| ()), Condition::Stuck(offsets));
        assert_eq!(seen_while(false, 10_000, Task::TakeBack, |_| ()), Condition::Stuck(Task::TakeBack));
        let disk = Task::Commit(Act::Apply);
        assert!(matches!(seen_while(false, 10_000, disk, |_| ()), Condition::Hopeless(..)));
        assert!(matches!(seen_while(false, 10_000, Task::End, |_| ()), Condition::Hopeless(..)));
    }

    /// A new producer, T1 to T5, a new producer for the doubt, its outcome, a slow disk.
    #[test]
    fn the_control_thread_may_wait_for_the_most_patient_of_workers() {
        let patient = 130 + 75 + 130 + 123 + 300;
        assert_eq!(seen(patient, Task::TakeBack, |_| ()), Condition::Stuck(Task::TakeBack));
    }

    #[test]
    fn a_worker_that_hangs_inside_the_gate_is_given_up_while_the_control_thread_waits_for_it() {
        let gate = Gate::default();
        let holding = [(1, gate.take(1))];
        let (entered, is_inside) = channel();
        let why = given_up(|watch, hang| {
            let worker = || {
                let inside = gate.enter(holding.into_iter()).expect("ours");
                entered.send(()).expect("waited for");
                watch.workers()[0].begins(Task::Commit(Act::Commit));
                hang();
                drop(inside);
            };
            std::thread::scope(|scope| {
                watch.control().begins(Task::TakeBack);
                scope.spawn(worker);
                is_inside.recv().expect("it enters");
                gate.give_up(&[1]);
            });
        });
        let why = why.expect("given up");
        assert!(why.contains("worker 0 does not come back from Commit(Commit) after 91s"), "{why}");
        assert!(why.contains("the control thread is stuck at TakeBack"), "{why}");
    }

    #[test]
    fn a_session_whose_end_hangs_is_given_up() {
        let why = given_up(|watch, hang| {
            watch.control().begins(Task::End);
            hang();
        });
        assert_eq!(why.as_deref(), Some("the control thread does not come back from End after 181s"));
    }

    #[test]
    fn a_session_that_ends_is_not_given_up() {
        assert_eq!(given_up(|watch, _| watch.control().begins(Task::End)), None);
    }

    #[test]
    fn readiness_names_a_control_thread_that_cannot_report_it() {
        let health = Health::new();
        let vital = health.component("processor", LONG);
        let watch = Watch::new(0, &vital, &|_| (), &|| true);
        vital.ready();
        watch.control().begins(Task::Poll);
        let mut observations = [Observation::default()];
        (0..=16).for_each(|_| watch.look(&mut observations));
        let cause = health.ready().components[0].cause.clone();
        assert_eq!(cause.as_deref(), Some("the control thread is stuck at Poll"));
        assert_eq!(watch.stuck(), ["the control thread is stuck at Poll"]);
    }
}
