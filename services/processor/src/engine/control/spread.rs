//! How partitions are spread over workers.

use std::collections::BTreeMap;

/// The worker with the fewest partitions, of so many.
pub(super) fn least_busy(placed: &BTreeMap<i32, usize>, workers: usize) -> usize {
    let loads = loads(placed, workers);
    (0..workers).min_by_key(|worker| loads[*worker]).unwrap_or_default()
}

/// A partition that should move to another worker: its own has at least two more than the least busy. So it
/// is after a part of the partitions was revoked. `None` where the spread is even.
pub(super) fn to_move(placed: &BTreeMap<i32, usize>, workers: usize) -> Option<i32> {
    let loads = loads(placed, workers);
    let busiest = (0..workers).max_by_key(|worker| loads[*worker])?;
    let is_uneven = loads[busiest] > loads[least_busy(placed, workers)] + 1;
    let last = placed.iter().rev().find(|(_, worker)| **worker == busiest);
    last.filter(|_| is_uneven).map(|(partition, _)| *partition)
}

fn loads(placed: &BTreeMap<i32, usize>, workers: usize) -> Vec<usize> {
    let mut loads = vec![0; workers];
    placed.values().for_each(|worker| loads[*worker] += 1);
    loads
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_end_in_an_even_spread_and_an_even_spread_stays() {
        // Of eight partitions on four workers, those of two workers were revoked.
        let mut placed: BTreeMap<i32, usize> = (0..8).zip((0..4).cycle()).collect();
        placed.retain(|_, worker| *worker < 2);
        let mut moves = 0;
        while let Some(partition) = to_move(&placed, 4) {
            placed.remove(&partition).expect("placed");
            let worker = least_busy(&placed, 4);
            placed.insert(partition, worker);
            moves += 1;
        }
        assert_eq!((moves, loads(&placed, 4)), (2, vec![1; 4]));
        assert_eq!(to_move(&BTreeMap::from([(0, 0), (1, 1), (2, 0)]), 2), None, "one more is even");
        assert_eq!(to_move(&BTreeMap::new(), 2), None);
    }
}
