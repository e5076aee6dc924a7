//! What became of the messages, as a stream without end.

mod delivery;
mod failure;
mod funnel;
mod matrix;
mod payload;

use std::collections::VecDeque;

use bytes::Bytes;

pub use self::matrix::MATRIX;

use self::delivery::Delivery;
use self::funnel::{Channel, PATHS, Path, Step};
use self::payload::payload;
use super::Population;
use super::dice::Dice;
use super::person::Person;

/// One event, as the vendor would report it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The event's id, a ULID; unique among the outcomes of one seed.
    pub event_id: String,
    /// The body's `object_type`; none where the body misspells that field or leaves it out.
    pub object_type: Option<&'static str>,
    /// The body's `metric`.
    pub metric: &'static str,
    /// When it happened: the body's `timestamp`, Unix seconds.
    pub timestamp_s: i64,
    /// Whom it concerns: a place in [`Population::people`]; none for a message about nobody.
    pub person: Option<usize>,
    /// The exact bytes of the request: one JSON object, without a line end.
    pub body: Bytes,
}

/// The outcomes of a population's messages, delivery after delivery, without end and without repetition.
///
/// The first 52 deliveries go every way there is, one each; from then on each way is as frequent as its
/// weight. All happen in the three days before `now`.
#[derive(Debug)]
pub struct Outcomes<'a> {
    population: &'a Population,
    dice: Dice,
    now_s: i64,
    deliveries: usize,
    weight_total: usize,
    ready: VecDeque<Outcome>,
}

/// How far back the first event may lie.
const WINDOW_S: i64 = 3 * 24 * 3_600;

impl<'a> Outcomes<'a> {
    /// The outcomes of that seed. `now_s` is the present in Unix seconds: no event lies after it.
    #[must_use]
    pub fn new(population: &'a Population, seed: u64, now_s: i64) -> Outcomes<'a> {
        Outcomes {
            population,
            dice: Dice::new(seed, 2),
            now_s,
            deliveries: 0,
            weight_total: funnel::weight_total(),
            ready: VecDeque::new(),
        }
    }

    fn deliver(&mut self) {
        let path =
            PATHS.get(self.deliveries).unwrap_or_else(|| funnel::path_at(self.dice.below(self.weight_total)));
        self.deliveries += 1;
        let place = self.recipient(path);
        let person = place.map(|place| &self.population.people()[place]);
        let seconds = self.seconds(path);
        let delivery = Delivery::new(path.channel, person, seconds[0], &mut self.dice);
        for (step, second) in path.steps.iter().zip(seconds) {
            let outcome = outcome(&delivery, place, *step, second, &mut self.dice);
            self.ready.push_back(outcome);
        }
    }

    /// When each step happens: the gaps come from the dice, then the whole is placed inside the window.
    fn seconds(&mut self, path: &Path) -> Vec<i64> {
        let mut elapsed = 0;
        let offsets: Vec<i64> = path
            .steps
            .iter()
            .map(|step| {
                elapsed += self.dice.between(funnel::gap_s(*step));
                elapsed
            })
            .collect();
        let begin = self.now_s - elapsed - self.dice.between((0, (WINDOW_S - elapsed).max(0)));
        offsets.into_iter().map(|offset| begin + offset).collect()
    }

    /// Whom the delivery is for: some people get much more than others. Now and then nobody: a test e-mail,
    /// or a Slack or webhook message that is about no person.
    fn recipient(&mut self, path: &Path) -> Option<usize> {
        let nobody_percent = match path.channel {
            Channel::Email if self.deliveries > PATHS.len() => 1,
            Channel::Slack | Channel::Webhook => 20,
            _ => 0,
        };
        if nobody_percent > 0 && self.dice.percent(nobody_percent) {
            return None;
        }
        let people = self.population.people();
        let first = self.dice.below(people.len()).min(self.dice.below(people.len()));
        let reachable = |person: &Person| path.channel != Channel::Email || person.email.is_some();
        (0..people.len()).map(|step| (first + step) % people.len()).find(|place| reachable(&people[*place]))
    }
}

impl Iterator for Outcomes<'_> {
    type Item = Outcome;

    fn next(&mut self) -> Option<Outcome> {
        while self.ready.is_empty() {
            self.deliver();
        }
        self.ready.pop_front()
    }
}

fn outcome(
    delivery: &Delivery<'_>,
    person: Option<usize>,
    step: Step,
    second: i64,
    dice: &mut Dice,
) -> Outcome {
    let event_id = dice.ulid(second);
    let payload = payload(delivery, step, &event_id, second, dice);
    let (Step::Message(metric) | Step::Person(metric)) = step;
    Outcome {
        event_id,
        object_type: payload.object_type,
        metric,
        timestamp_s: second,
        person,
        body: payload.body,
    }
}
