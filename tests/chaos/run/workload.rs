//! Events without end, each decided by the seed and its number.

use kafka::Outgoing;
use schemas::codec;
use schemas::id::EventId;
use schemas::key::{CustomerKey, Identifiers, Person};
use schemas::record::RawRecord;
use schemas::token::TokenKey;
use serde_json::{Map, Value, json};

use super::dice::Dice;

/// Metrics, more often in the list where more often in life.
const METRICS: [&str; 24] = [
    "sent",
    "sent",
    "sent",
    "delivered",
    "delivered",
    "delivered",
    "delivered",
    "opened",
    "opened",
    "opened",
    "clicked",
    "clicked",
    "bounced",
    "bounced",
    "bounced",
    "spammed",
    "unsubscribed",
    "subscribed",
    "converted",
    "failed",
    "dropped",
    "deferred",
    "attempted",
    UNTYPED,
];
/// The one metric of which the vendor leaves the type out.
const UNTYPED: &str = "cio_subscription_preferences_changed";
const HOUR_S: u64 = 3_600;
const DAY_S: u64 = 24 * HOUR_S;
/// Dice of the order keep apart from those of the events, which are numbered from 0.
const ORDER: u64 = u64::MAX;
/// How far an event may stray from its place.
const ASTRAY: u64 = 64;

/// What is sent in one run.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    seed: u64,
    people: u64,
    /// The beginning, Unix seconds: times lie around it.
    begun_s: i64,
}

/// One event, as it goes to raw.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// The vendor's JSON.
    pub(crate) body: Vec<u8>,
    /// The raw record's key.
    pub(crate) key: Vec<u8>,
    /// The raw record's value.
    pub(crate) value: Vec<u8>,
}

impl Event {
    /// The record on `topic`, which has `partitions` partitions.
    pub(crate) fn record<'a>(&'a self, topic: &'a str, partitions: u32) -> Outgoing<'a> {
        let partition = Some(schemas::partition::of(&self.key, partitions));
        Outgoing { topic, partition, key: Some(&self.key), value: Some(&self.value), headers: &[] }
    }
}

impl Workload {
    /// Of so many people.
    pub(crate) fn new(seed: u64, people: u64) -> Workload {
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("the clock is past 1970");
        Workload { seed, people, begun_s: i64::try_from(since.as_secs()).expect("seconds fit") }
    }

    /// The event of that number.
    pub(crate) fn event(&self, number: u64) -> Event {
        let mut dice = Dice::new(self.seed, number);
        let id = match dice.percent(50) {
            true => uuid(dice.number()),
            false => format!("chaos-{:x}-{number}", self.seed),
        };
        let (metric, second) = (dice.one_of(&METRICS), self.second(&mut dice));
        let who = Who::of(&mut dice, self.people, number, metric);
        let mut data = who.data();
        if dice.percent(30) {
            data.insert(
                dice.one_of(&["machine", "prefetched", "proxied"]).to_owned(),
                json!(dice.percent(50)),
            );
        }
        let mut event = json!({ "event_id": id, "metric": metric, "timestamp": second, "data": data });
        if metric != UNTYPED {
            event["object_type"] = json!(who.channel);
        }
        let body = event.to_string().into_bytes();
        Event { key: who.key(&id), value: raw(&id, second, &body), body }
    }

    /// In which order the events from `from` up to and without `to` are sent, by their numbers: each a little
    /// astray, and some once more, a little or much later.
    pub(crate) fn order(&self, from: u64, to: u64) -> Vec<u64> {
        let mut dice = Dice::new(self.seed ^ from, ORDER);
        let mut places: Vec<(u64, u64)> =
            (from..to).map(|number| (number + dice.below(ASTRAY), number)).collect();
        for number in from..to {
            if dice.percent(15) {
                let later = if dice.percent(50) { ASTRAY } else { to - from };
                let copied = if dice.percent(70) { number } else { dice.below(number + 1) };
                places.push((number + ASTRAY + dice.below(later), copied));
            }
        }
        places.sort_unstable();
        places.into_iter().map(|(_, number)| number).collect()
    }

    /// Most a little before the beginning, whole minutes so that many are the same; some days ago, some long
    /// past the window, some a little ahead.
    fn second(&self, dice: &mut Dice) -> i64 {
        let past = match dice.below(100) {
            0..70 => dice.below(60) * 60,
            70..88 => dice.below(8 * DAY_S),
            88..96 => dice.below(60 * DAY_S),
            96..98 => dice.below(900 * DAY_S),
            _ => return self.begun_s + i64::try_from(dice.below(20 * HOUR_S)).expect("hours fit"),
        };
        self.begun_s - i64::try_from(past).expect("days fit")
    }
}

/// Whom an event is about.
struct Who {
    channel: &'static str,
    id: Option<String>,
    cio_id: Option<String>,
    email: Option<String>,
    recipient: String,
    delivery: Option<String>,
}

impl Who {
    fn of(dice: &mut Dice, people: u64, number: u64, metric: &str) -> Who {
        let person = dice.below(people);
        // A few have changed their address.
        let address = format!("p{person}{}@example.com", if dice.percent(10) { ".new" } else { "" });
        let channel = match dice.percent(85) {
            _ if metric == UNTYPED => "customer",
            true => "email",
            false => dice.one_of(&["push", "sms", "customer"]),
        };
        let (known, kind) = (person.checked_rem(10), |last| person % 10 == last);
        Who {
            channel,
            id: known.filter(|last| *last < 7).map(|_| format!("u{person}")),
            cio_id: (kind(7) || person.is_multiple_of(3) && !kind(8) && !kind(9))
                .then(|| format!("c{person}")),
            email: kind(8).then(|| format!("p{person}@example.com")),
            // Of nobody known only where the channel isn't e-mail: an address would name them.
            recipient: if channel == "email" { address } else { format!("device-{person}") },
            delivery: dice.percent(90).then(|| format!("d{}", number / 4)),
        }
    }

    fn data(&self) -> Map<String, Value> {
        let mut data = Map::new();
        data.insert(
            "identifiers".to_owned(),
            json!({ "id": self.id, "cio_id": self.cio_id, "email": self.email }),
        );
        data.insert("recipient".to_owned(), json!(self.recipient));
        if let Some(delivery) = &self.delivery {
            data.insert("delivery_id".to_owned(), json!(delivery));
        }
        data
    }

    fn key(&self, event_id: &str) -> Vec<u8> {
        let identifiers = Identifiers {
            id: self.id.as_deref(),
            cio_id: self.cio_id.as_deref(),
            email: self.email.as_deref(),
        };
        let person = Person {
            identifiers: Some(identifiers),
            email_recipient: (self.channel == "email").then_some(&self.recipient),
            ..Person::default()
        };
        let key =
            CustomerKey::of(&person, self.delivery.as_deref(), event_id, &TokenKey::development().into());
        key.as_bytes().to_vec()
    }
}

/// A raw record as the gateway would write it.
pub(crate) fn raw(id: &str, second: i64, body: &[u8]) -> Vec<u8> {
    let record = RawRecord {
        kind: "webhook".to_owned(),
        id: EventId::of("default", Some(id), body).dedupe.0.to_vec(),
        event_id: id.to_owned(),
        source: "default".to_owned(),
        verified_by: "v0".to_owned(),
        received_at: second * 1_000,
        verified_at: second * 1_000,
        bytes: body.to_vec(),
        ..RawRecord::default()
    };
    codec::encode(&record).expect("a raw record encodes")
}

fn uuid(bits: u128) -> String {
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_seed_decides_everything_but_the_time() {
        let (one, other) = (Workload::new(7, 50), Workload { begun_s: 0, ..Workload::new(7, 50) });
        assert_eq!(one.order(0, 500), other.order(0, 500));
        assert_eq!(one.event(3).key, other.event(3).key);
        assert_ne!(one.order(0, 500), Workload::new(8, 50).order(0, 500));
    }

    #[test]
    fn everything_is_sent_and_some_of_it_twice() {
        let order = Workload::new(7, 50).order(100, 1_100);
        let distinct: BTreeSet<u64> = order.iter().copied().collect();
        assert!((100..1_100).all(|number| distinct.contains(&number)));
        assert!(order.len() > 1_100 && distinct.iter().any(|number| *number < 100));
    }
}
