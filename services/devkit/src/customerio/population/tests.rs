use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;

use super::{MATRIX, Outcome, Outcomes, Population, Shape};

const NOW_S: i64 = 1_767_225_600;

fn outcomes(count: usize) -> Vec<Outcome> {
    Population::new(1, 500).outcomes(1, count, NOW_S)
}

fn json(outcome: &Outcome) -> Value {
    serde_json::from_slice(&outcome.body).unwrap()
}

/// Follows a path of keys, such as `data.identifiers.id`.
fn at<'a>(event: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(event, |value, key| value.get(key))
}

#[test]
fn the_seed_alone_decides() {
    let bodies = |seed: u64| -> Vec<_> {
        Population::new(seed, 100)
            .outcomes(seed, 500, NOW_S)
            .into_iter()
            .map(|outcome| outcome.body)
            .collect()
    };
    assert_eq!(bodies(7), bodies(7));
    assert_ne!(bodies(7), bodies(8));
}

/// Guards reproducibility across machines and versions: a failed run's seed must replay elsewhere. Each id is
/// drawn after all that came before, so it tells of every draw. If the generator is changed on purpose, so
/// are these.
#[test]
fn a_seed_draws_the_same_on_every_machine() {
    let population = Population::new(1, 500);
    let ids: Vec<String> =
        Outcomes::new(&population, 1, NOW_S).take(5_000).map(|outcome| outcome.event_id).collect();
    assert_eq!([&ids[0], &ids[4_999]], ["01KDQF5YGHRN6163X3NEX9CTY5", "01KDMNNDMDQXH3WBZNTJM5AJ6R"]);
}

#[test]
fn every_documented_pair_of_type_and_metric_appears_in_5000() {
    for seed in 1..6 {
        let outcomes = Population::new(seed, 500).outcomes(seed, 5_000, NOW_S);
        let seen: HashSet<_> = outcomes.iter().map(|outcome| (outcome.object_type, outcome.metric)).collect();
        for (object_type, metrics) in MATRIX {
            for metric in *metrics {
                assert!(seen.contains(&(Some(*object_type), *metric)), "{object_type}/{metric}, seed {seed}");
            }
        }
    }
}

#[test]
fn every_message_pair_appears_in_the_first_200() {
    let seen: HashSet<_> =
        outcomes(200).iter().map(|outcome| (outcome.object_type, outcome.metric)).collect();
    for (object_type, metrics) in MATRIX.iter().filter(|(object_type, _)| *object_type != "customer") {
        assert!(metrics.iter().all(|metric| seen.contains(&(Some(*object_type), *metric))), "{object_type}");
    }
}

/// Written from the facts: 14 e-mail, 11 push, 8 in-app, 11 SMS, 12 WhatsApp, 7 Slack, 7 webhook, 3 customer.
#[test]
fn the_matrix_is_whole() {
    let sizes: BTreeMap<_, _> = MATRIX.iter().map(|(name, metrics)| (*name, metrics.len())).collect();
    let expected = [
        ("customer", 3),
        ("email", 14),
        ("in_app", 8),
        ("push", 11),
        ("slack", 7),
        ("sms", 11),
        ("webhook", 7),
        ("whatsapp", 12),
    ];
    assert_eq!(sizes, BTreeMap::from(expected));
}

#[test]
fn there_are_exactly_as_many_as_asked_for_each_with_its_own_ulid() {
    let outcomes = outcomes(20_000);
    let ids: HashSet<_> = outcomes.iter().map(|outcome| outcome.event_id.as_str()).collect();
    assert_eq!((outcomes.len(), ids.len()), (20_000, 20_000));
    assert!(ids.iter().all(|id| ulid::Ulid::from_string(id).is_ok()));
}

#[test]
fn what_is_handed_out_is_what_the_body_says() {
    for outcome in outcomes(5_000) {
        let event = json(&outcome);
        assert_eq!(at(&event, "event_id").unwrap(), outcome.event_id.as_str());
        assert_eq!(at(&event, "metric").unwrap(), outcome.metric);
        assert_eq!(at(&event, "timestamp").unwrap(), outcome.timestamp_s);
        assert_eq!(at(&event, "object_type").and_then(Value::as_str), outcome.object_type);
        assert!(at(&event, "data").unwrap().is_object());
    }
}

#[test]
fn events_lie_in_the_three_days_before_now_in_order() {
    let outcomes = outcomes(5_000);
    assert!(outcomes.iter().all(|outcome| (NOW_S - 3 * 86_400..=NOW_S).contains(&outcome.timestamp_s)));
    assert!(outcomes.is_sorted_by_key(|outcome| outcome.timestamp_s));
}

#[test]
fn a_delivery_is_delivered_after_it_was_sent_and_clicked_after_that() {
    let mut deliveries: BTreeMap<String, Vec<(i64, &str)>> = BTreeMap::new();
    let outcomes = outcomes(5_000);
    for outcome in &outcomes {
        if let Some(id) = at(&json(outcome), "data.delivery_id") {
            deliveries.entry(id.to_string()).or_default().push((outcome.timestamp_s, outcome.metric));
        }
    }
    let time =
        |events: &[(i64, &str)], metric| events.iter().find(|(_, is)| *is == metric).map(|(at, _)| *at);
    for events in deliveries.values() {
        for (earlier, later) in [("sent", "delivered"), ("delivered", "clicked"), ("sent", "bounced")] {
            if let (Some(earlier), Some(later)) = (time(events, earlier), time(events, later)) {
                assert!(earlier <= later, "{events:?}");
            }
        }
    }
}

#[test]
fn every_quirk_of_the_vendor_occurs() {
    let events: Vec<Value> = outcomes(5_000).iter().map(json).collect();
    let occurs = |what: &str, holds: &dyn Fn(&Value) -> bool| {
        assert!(events.iter().any(holds), "{what} doesn't occur");
    };
    occurs("the misspelt type field", &|event| event.get("object_type_type").is_some());
    occurs("no type field", &|event| {
        event.get("object_type").is_none() && event.get("object_type_type").is_none()
    });
    occurs("an id as a string", &|event| at(event, "data.campaign_id").is_some_and(Value::is_string));
    occurs("an id as a number", &|event| at(event, "data.campaign_id").is_some_and(Value::is_number));
    occurs("a message by trigger name", &|event| {
        at(event, "data.transactional_message_id") == Some(&"password-reset".into())
    });
    occurs("a blank customer_id", &|event| at(event, "data.customer_id") == Some(&"".into()));
    occurs("no customer_id", &|event| at(event, "data.customer_id").is_none());
    occurs("a customer_id that isn't the id", &|event| {
        let id = |path| at(event, path).and_then(Value::as_str).filter(|id| !id.is_empty());
        id("data.customer_id").zip(id("data.identifiers.id")).is_some_and(|(one, other)| one != other)
    });
    occurs("a null id with an address", &|event| {
        at(event, "data.identifiers.id") == Some(&Value::Null)
            && at(event, "data.identifiers.email").is_some_and(Value::is_string)
    });
    occurs("a deleted person", &|event| at(event, "data.identifiers.email") == Some(&Value::Null));
    occurs("an id alone", &|event| {
        at(event, "data.identifiers").and_then(Value::as_object).is_some_and(|is| is.len() == 1)
    });
    occurs("empty identifiers", &|event| at(event, "data.identifiers") == Some(&serde_json::json!({})));
    occurs("no identifiers", &|event| at(event, "data.identifiers").is_none());
    for mark in ["proxied", "prefetched", "synthetic"] {
        for value in [None, Some(Value::Bool(false)), Some(Value::Bool(true))] {
            occurs(mark, &|event| {
                let open = event["object_type"] == "email" && event["metric"] == "opened";
                open && at(event, &format!("data.{mark}")) == value.as_ref()
            });
        }
    }
    occurs("a machine's click", &|event| at(event, "data.machine") == Some(&true.into()));
    occurs("an address in a failure", &|event| {
        at(event, "data.failure_message").and_then(Value::as_str).is_some_and(|text| text.contains('@'))
    });
    occurs("a failure of one device", &|event| {
        at(event, "data.recipients.0").is_none()
            && event.to_string().contains(r#""failure_message":"Unregistered""#)
    });
    occurs("preferences as JSON in a string", &|event| {
        at(event, "data.content").and_then(Value::as_str).is_some_and(|text| text.starts_with(r#"{"topics""#))
    });
    occurs("an unsubscribe that names a delivery", &|event| {
        event["metric"] == "unsubscribed" && at(event, "data.delivery_id").is_some()
    });
    occurs("an unsubscribe of the same type that names none", &|event| {
        event["metric"] == "unsubscribed"
            && event["object_type"] == "email"
            && at(event, "data.delivery_id").is_none()
    });
}

#[test]
fn fifty_people_have_every_shape_and_nobody_shares_an_identifier() {
    let population = Population::new(3, 50);
    let shapes: HashSet<Shape> = population.people().iter().map(|person| person.shape).collect();
    assert_eq!(shapes.len(), 8);

    let population = Population::new(3, 2_000);
    let distinct = |names: Vec<String>| names.len() == names.iter().collect::<BTreeSet<_>>().len();
    let all = |name: &dyn Fn(&super::Person) -> Option<String>| -> Vec<String> {
        population.people().iter().filter_map(name).collect()
    };
    assert!(distinct(all(&|person| person.id.clone())));
    assert!(distinct(all(&|person| person.email.as_ref().map(|email| email.to_lowercase()))));
    assert!(distinct(all(&|person| Some(person.cio_id.clone()))));
}

#[test]
fn the_stream_has_no_end() {
    let population = Population::new(1, 10);
    assert_eq!(Outcomes::new(&population, 1, NOW_S).take(100_000).count(), 100_000);
}
