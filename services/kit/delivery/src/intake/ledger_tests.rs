use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn partition(number: i32) -> Partition {
    (Arc::from("outcomes.trait.v1"), number)
}

#[derive(Debug, Clone)]
enum Step {
    Assign(i32),
    Revoke(i32),
    /// The next record, so many offsets further: transactions and compaction leave gaps.
    Begin(i32, i64),
    /// Completes one of all tickets ever handed out.
    Complete(prop::sample::Index),
    Commit,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        1 => (0..3).prop_map(Step::Assign),
        1 => (0..3).prop_map(Step::Revoke),
        6 => (0..3, 1_i64..4).prop_map(|(number, gap)| Step::Begin(number, gap)),
        6 => any::<prop::sample::Index>().prop_map(Step::Complete),
        1 => Just(Step::Commit),
    ];
    proptest::collection::vec(step, 0..120)
}

/// The oracle keeps every offset of the current epoch for ever, and looks through all of them.
#[derive(Default)]
struct Model {
    begun: BTreeSet<i64>,
    complete: BTreeSet<i64>,
}

impl Model {
    fn done_before(&self) -> Option<i64> {
        let hole = self.begun.difference(&self.complete).next().copied().unwrap_or(i64::MAX);
        self.begun.range(..hole).next_back().map(|last| last + 1)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// S3, against completions in any order, gaps, revocations and completions of epochs that have ended.
    #[test]
    fn s3_only_what_lies_behind_everything_done_is_committable(steps in steps()) {
        let mut ledger = Ledger::default();
        let mut models: BTreeMap<i32, Model> = BTreeMap::new();
        let mut committed: BTreeMap<i32, i64> = BTreeMap::new();
        let mut positions = [0_i64; 3];
        let mut tickets: Vec<(Ticket, bool)> = Vec::new();
        for step in steps {
            match step {
                Step::Assign(number) => {
                    retire(&mut tickets, number);
                    ledger.assign(partition(number));
                    models.insert(number, Model::default());
                    // The next owner reads again what was not committed, so offsets come back in a new epoch.
                    positions[usize::try_from(number).expect("small")] = 0;
                    committed.remove(&number);
                }
                Step::Revoke(number) => {
                    retire(&mut tickets, number);
                    ledger.revoke(&partition(number));
                    models.remove(&number);
                    committed.remove(&number);
                }
                Step::Begin(number, gap) => {
                    let position = &mut positions[usize::try_from(number).expect("small")];
                    *position += gap;
                    let begun = ledger.begin(&partition(number), RecordOffset(*position));
                    prop_assert_eq!(begun.is_ok(), models.contains_key(&number));
                    if let Ok(ticket) = begun {
                        models.get_mut(&number).expect("assigned").begun.insert(*position);
                        tickets.push((ticket, true));
                    }
                }
                Step::Complete(index) if !tickets.is_empty() => {
                    let (ticket, current) = index.get(&tickets);
                    prop_assert_eq!(ledger.holds(ticket), *current);
                    ledger.complete(ticket);
                    if *current {
                        models.get_mut(&ticket.partition.1).expect("assigned").complete.insert(ticket.offset.0);
                    }
                }
                Step::Complete(_) => {}
                Step::Commit => {
                    let offsets = ledger.committable();
                    committed.extend(offsets.iter().map(|(_, number, next)| (*number, next.0)));
                    ledger.committed(&offsets);
                    prop_assert!(ledger.committable().is_empty());
                }
            }
            let found: BTreeMap<i32, i64> = ledger.committable().into_iter().map(|(_, number, next)| (number, next.0)).collect();
            let expected: BTreeMap<i32, i64> = models
                .iter()
                .filter_map(|(number, model)| Some((*number, model.done_before()?)))
                .filter(|(number, next)| committed.get(number) != Some(next))
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}

/// Tickets of an epoch that ends must complete nothing.
fn retire(tickets: &mut [(Ticket, bool)], number: i32) {
    for (ticket, current) in tickets {
        *current &= ticket.partition.1 != number;
    }
}

#[test]
fn a_record_read_twice_in_one_epoch_is_declined() {
    let mut ledger = Ledger::default();
    ledger.assign(partition(0));
    ledger.begin(&partition(0), RecordOffset(7)).expect("new");
    assert_eq!(ledger.begin(&partition(0), RecordOffset(7)), Err(Declined::Repeated));
    assert_eq!(ledger.begin(&partition(1), RecordOffset(7)), Err(Declined::NotAssigned));
}

#[test]
fn a_stopped_partition_takes_nothing_until_it_is_assigned_again() {
    let mut ledger = Ledger::default();
    ledger.assign(partition(0));
    let ticket = ledger.begin(&partition(0), RecordOffset(7)).expect("new");
    ledger.stop(&partition(0));
    assert_eq!(ledger.begin(&partition(0), RecordOffset(8)), Err(Declined::Stopped));
    ledger.complete(&ticket);
    assert_eq!(ledger.committable(), [(partition(0).0, 0, NextOffset(8))]);
    ledger.assign(partition(0));
    assert!(ledger.begin(&partition(0), RecordOffset(8)).is_ok());
}
