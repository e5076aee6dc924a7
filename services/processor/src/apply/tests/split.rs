//! Where the stream is cut into transactions depends on time and load; what comes out must not.

use std::collections::{BTreeMap, BTreeSet};

use kafka::Incoming;
use proptest::prelude::*;
use schemas::record::{CustomerTraits, DeadLetter, MessageOutcome, Suppression};

use super::world::{World, encoded, event, incoming, raw};
use crate::domain::customer::Customer;

const CUSTOMERS: [&str; 4] = ["u1", "u2", "~cio:7", "~dlv:d"];
const METRICS: [&str; 8] =
    ["sent", "delivered", "bounced", "spammed", "opened", "clicked", "unsubscribed", "subscribed"];

/// One record: a customer, an event id out of few, or something broken.
#[derive(Debug, Clone)]
enum Given {
    Event {
        customer: usize,
        id: u8,
    },
    /// The same id, and another metric.
    Reuse {
        customer: usize,
        id: u8,
    },
    Broken {
        customer: usize,
        id: u8,
    },
}

fn given() -> impl Strategy<Value = Given> {
    let place = || (0..CUSTOMERS.len(), 0u8..20);
    prop_oneof![
        8 => place().prop_map(|(customer, id)| Given::Event { customer, id }),
        2 => place().prop_map(|(customer, id)| Given::Reuse { customer, id }),
        1 => place().prop_map(|(customer, id)| Given::Broken { customer, id }),
    ]
}

/// Copies of one event are alike, as the sender's are.
fn record(nth: usize, given: &Given) -> Incoming {
    let nth = i64::try_from(nth).expect("small");
    match given {
        Given::Event { customer, id } | Given::Reuse { customer, id } => {
            let is_reuse = matches!(given, Given::Reuse { .. });
            let metric = if is_reuse { "deferred" } else { METRICS[usize::from(*id) % METRICS.len()] };
            let event = event(&format!("e{id}"), metric, i64::from(*id) * 37 % 11);
            incoming(nth, Some(CUSTOMERS[*customer]), Some(encoded(&event)))
        }
        Given::Broken { customer, id } => {
            let broken = raw(&format!("e{id}"), b"{".to_vec());
            incoming(nth, Some(CUSTOMERS[*customer]), Some(encoded(&broken)))
        }
    }
}

/// What the world sees in the end; numbers and times that name a transaction are left out.
#[derive(Debug, PartialEq)]
struct Seen {
    outcomes: Vec<MessageOutcome<'static>>,
    dead_letters: Vec<DeadLetter>,
    traits: BTreeMap<String, CustomerTraits>,
    suppressions: BTreeMap<String, Suppression>,
    customers: Vec<Option<Customer<'static>>>,
    counts: (u64, u64, u64),
    clock_ms: i64,
    src_next: i64,
}

fn run(records: &[Incoming], cuts: &BTreeSet<usize>) -> Seen {
    let mut world = World::new();
    let mut counts = (0, 0, 0);
    let ends = cuts.iter().copied().chain([records.len()]);
    let mut from = 0;
    for end in ends.filter(|end| *end <= records.len()) {
        let applied = world.commit(&records[from..end]);
        counts.0 += applied.counts.unique;
        counts.1 += applied.counts.duplicate;
        counts.2 += applied.counts.dead_lettered.values().sum::<u64>();
        from = end;
    }
    let latest = |traits: CustomerTraits| {
        let settled = CustomerTraits { revision: 0, as_of: 0, changed: Vec::new(), ..traits };
        (settled.customer_id.clone(), settled)
    };
    let suppression = |given: Suppression| (given.customer_id.clone(), Suppression { as_of: 0, ..given });
    let dead_letter = |letter| DeadLetter { kept_at: 0, ..letter };
    Seen {
        outcomes: world.outcomes(),
        dead_letters: world.dead_letters().into_iter().map(dead_letter).collect(),
        traits: world.traits().into_iter().map(latest).collect(),
        suppressions: world.suppressions().into_iter().map(suppression).collect(),
        customers: CUSTOMERS
            .iter()
            .map(|key| world.customer(key).map(|customer| Customer { revision: 0, ..customer }))
            .collect(),
        counts,
        clock_ms: world.meta.clock_ms,
        src_next: world.meta.src_next().0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// P2: however the same records are cut into transactions, the same comes out in the end.
    #[test]
    fn any_cut_of_the_same_records_comes_to_the_same(
        given in proptest::collection::vec(given(), 1..60),
        cuts in proptest::collection::btree_set(1usize..60, 0..20),
    ) {
        let records: Vec<Incoming> = given.iter().enumerate().map(|(nth, given)| record(nth, given)).collect();
        let whole = run(&records, &BTreeSet::new());
        prop_assert_eq!(&run(&records, &cuts), &whole);
        prop_assert_eq!(&run(&records, &(1..records.len()).collect()), &whole);

        // Counted without the processor: distinct pairs of customer and event (P1), and every record once
        // (E1). The first event with an id says what its copies say.
        let mut first = BTreeMap::new();
        let (mut duplicates, mut dead) = (0, 0);
        for given in &given {
            let (pair, is_reuse) = match given {
                Given::Event { customer, id } => ((*customer, *id), false),
                Given::Reuse { customer, id } => ((*customer, *id), true),
                Given::Broken { .. } => {
                    dead += 1;
                    continue;
                }
            };
            match first.get(&pair) {
                None => drop(first.insert(pair, is_reuse)),
                Some(said) if *said == is_reuse => duplicates += 1,
                Some(_) => dead += 1,
            }
        }
        prop_assert_eq!(whole.counts, (first.len() as u64, duplicates, dead));
        prop_assert_eq!(whole.outcomes.len(), first.len());
    }
}
