//! Which fault comes next.

use std::time::Duration;

use devkit::kafka::proxy::{Action, Api};

use super::{Damage, Fault, How, Then};
use crate::run::dice::Dice;

/// Points at which a processor under load comes by again and again.
const POINTS: [&str; 6] = ["begun", "sent", "flushed", "offsets_sent", "committed", "applied"];
/// Requests that a processor under load sends again and again.
pub(crate) const REQUESTS: [Api; 8] = [
    Api::PRODUCE,
    Api::FETCH,
    Api::LIST_OFFSETS,
    Api::HEARTBEAT,
    Api::ADD_PARTITIONS_TO_TXN,
    Api::ADD_OFFSETS_TO_TXN,
    Api::TXN_OFFSET_COMMIT,
    Api::END_TXN,
];

impl Fault {
    /// One that a run of so many processors can bear at any time, on a Kafka of which so many nodes may be
    /// broken.
    pub(crate) fn draw(dice: &mut Dice, processors: usize, nodes: usize) -> Fault {
        if nodes > 0 && dice.percent(35) { network(dice, nodes) } else { process(dice, processors) }
    }
}

fn process(dice: &mut Dice, processors: usize) -> Fault {
    let who = dice.place(processors);
    let then = match dice.below(100) {
        0..55 => Then::SameDisk,
        55..75 => Then::LostDisk,
        75..90 => Then::OldDisk,
        _ if processors > 1 => Then::TakenOver,
        _ => Then::SameDisk,
    };
    let nth = 1 + u32::try_from(dice.below(12)).unwrap_or_default();
    let point = dice.one_of(&POINTS);
    match dice.below(100) {
        0..45 => Fault::Kill { who, after: dice.millis(0, 1_500), then },
        45..60 => Fault::KillTwice { who, again: dice.millis(0, 1_200), then },
        60..85 => Fault::Crash { who, point, nth, then },
        85..90 => Fault::Pause { who, time: dice.millis(100, 9_000) },
        90..94 if processors > 1 => Fault::Zombie { who, point, nth },
        94..97 => Fault::Damaged { who, damage: dice.one_of(&Damage::ALL), dice: dice.below(u64::MAX) },
        _ => Fault::Restart { who },
    }
}

fn network(dice: &mut Dice, nodes: usize) -> Fault {
    let node = dice.place(nodes);
    let time = dice.millis(200, 9_000);
    let how = match dice.below(3) {
        0 => How::Killed,
        1 => How::Stopped,
        _ => How::Paused(time),
    };
    match dice.below(100) {
        0..40 => {
            let late = Action::Delay(Duration::from_millis(dice.below(3_000)));
            Fault::Lost {
                api: dice.one_of(&REQUESTS),
                action: dice.one_of(&[Action::Drop, Action::LoseReply, late]),
            }
        }
        40..55 => Fault::Late { after: dice.millis(0, 800) },
        55..65 => Fault::Cut,
        65..80 => Fault::Parted { node: dice.percent(60).then_some(node), time },
        80..90 => Fault::Broker { node, how },
        _ => Fault::BrokerAt { api: dice.one_of(&[Api::END_TXN, Api::TXN_OFFSET_COMMIT, Api::PRODUCE]), how },
    }
}
