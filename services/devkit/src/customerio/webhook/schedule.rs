//! In which order outcomes are sent, and which of them more than once.

use std::sync::Arc;

use crate::customerio::population::Outcome;
use crate::customerio::population::dice::Dice;

/// How far the sending order strays from the order of time.
#[derive(Clone, Copy, Debug)]
pub struct Disorder {
    /// Extra copies per outcome: 0.2 sends 1,000 outcomes as 1,200 calls. Which are copied is drawn, so some
    /// come three times.
    pub duplicates: f64,
    /// By how many places an outcome may be early or late; 0 and 1 keep the order.
    pub window: usize,
    /// Decides both draws.
    pub seed: u64,
}

/// Outcomes in the order of their sending.
#[derive(Clone, Debug)]
pub struct Schedule {
    outcomes: Arc<[Outcome]>,
    order: Arc<[usize]>,
}

impl Schedule {
    /// Plans the sending of `outcomes`, given in order of time: each once, and `duplicates` as many again.
    /// A copy comes after its original, anywhere up to the end.
    #[must_use]
    pub fn new(outcomes: Vec<Outcome>, disorder: &Disorder) -> Schedule {
        let order = order(outcomes.len(), disorder);
        Schedule { outcomes: outcomes.into(), order: order.into() }
    }

    /// The outcomes in order of time, each once: what a receiver must end up with.
    #[must_use]
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// The calls in order of sending, as places in [`Schedule::outcomes`].
    #[must_use]
    pub fn order(&self) -> &[usize] {
        &self.order
    }
}

/// Each outcome gets a place drawn from the window behind its own; a copy one from anywhere after that
/// window.
fn order(count: usize, disorder: &Disorder) -> Vec<usize> {
    let mut dice = Dice::new(disorder.seed, 3);
    let window = disorder.window.max(1);
    let mut places: Vec<(usize, usize)> =
        (0..count).map(|index| (index + dice.below(window), index)).collect();
    for _ in 0..copies(count, disorder.duplicates) {
        let index = dice.below(count);
        places.push((index + window + dice.below(count - index), index));
    }
    places.sort_by_key(|(place, _)| *place);
    places.into_iter().map(|(_, index)| index).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of events, never negative"
)]
fn copies(count: usize, duplicates: f64) -> usize {
    if count == 0 { 0 } else { (count as f64 * duplicates.max(0.0)).round() as usize }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strayed(order: &[usize]) -> usize {
        order.iter().enumerate().map(|(place, index)| place.abs_diff(*index)).max().unwrap_or(0)
    }

    #[test]
    fn without_disorder_the_order_of_time_is_kept() {
        let disorder = Disorder { duplicates: 0.0, window: 0, seed: 1 };
        assert_eq!(order(1_000, &disorder), (0..1_000).collect::<Vec<_>>());
        assert!(order(0, &Disorder { duplicates: 0.5, ..disorder }).is_empty());
    }

    #[test]
    fn an_outcome_strays_less_than_the_window() {
        let disorder = Disorder { duplicates: 0.0, window: 50, seed: 1 };
        let order = order(1_000, &disorder);
        assert!((10..50).contains(&strayed(&order)), "{}", strayed(&order));
    }

    #[test]
    fn each_outcome_is_sent_and_the_fraction_again_later() {
        let disorder = Disorder { duplicates: 0.2, window: 50, seed: 1 };
        let order = order(1_000, &disorder);
        assert_eq!(order.len(), 1_200);
        let first = |index: usize| order.iter().position(|sent| *sent == index);
        assert!((0..1_000).all(|index| first(index).is_some()));
    }

    #[test]
    fn the_seed_alone_decides() {
        let plan = |seed| order(500, &Disorder { duplicates: 0.3, window: 20, seed });
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
    }
}
