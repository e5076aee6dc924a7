//! How an owner brings its disk to where the partition's last committed transaction left it: R1, R2, R4 to
//! R6.

use super::broker::Broker;
use super::owner::{Disk, Owner, Part, Why};
use super::{Breakage, Scene};

/// Whether the next step of `part`, a partition `p`, can be taken now.
pub(crate) fn can_go_on(part: Part, broker: &Broker, scene: &Scene, p: usize) -> bool {
    let stable = || !broker.is_unstable(p) || scene.has(Breakage::UnstableFetch);
    match part {
        Part::Asking if scene.has(Breakage::WatermarkFirst) => true,
        Part::Asking | Part::Measured(_) => stable(),
        Part::Asked(_) => true,
        Part::Waiting(_, high) => broker.stable_end(p) >= high,
        Part::Absent | Part::Running | Part::Leaving | Part::Stopped(_) => false,
    }
}

/// Takes the next step with partition `p` of `owner`, who is number `o`.
pub(crate) fn step(owner: &mut Owner, broker: &Broker, scene: &Scene, p: usize) {
    let committed = broker.committed[p].map(|told| told.mark);
    owner.parts[p] = match owner.parts[p] {
        Part::Asking if scene.has(Breakage::WatermarkFirst) => Part::Measured(broker.end(p)),
        // R1
        Part::Asking => Part::Asked(committed),
        Part::Measured(high) => Part::Waiting(committed, high),
        // R2
        Part::Asked(committed) if scene.has(Breakage::ReplayToStableEnd) => {
            Part::Waiting(committed, broker.stable_end(p))
        }
        Part::Asked(committed) => Part::Waiting(committed, broker.end(p)),
        // R4 is over: R5, R6.
        Part::Waiting(told, high) => {
            let end = if scene.has(Breakage::ReplayToStableEnd) { high } else { broker.stable_end(p) };
            replay(&mut owner.disks[p], broker, p, end);
            let mark = owner.disks[p].mark;
            if told.unwrap_or_default() == mark || scene.has(Breakage::NoComparison) {
                Part::Running
            } else if (committed != told || broker.is_unstable(p)) && !scene.has(Breakage::RefusalAtOnce) {
                // Somebody else went on: asked again, by an owner who will soon hear that the partition is
                // gone.
                Part::Asking
            } else {
                Part::Stopped(Why::Disagree)
            }
        }
        part @ (Part::Absent | Part::Running | Part::Leaving | Part::Stopped(_)) => part,
    };
}

/// R5: what it reads is absolute, so that reading it again changes nothing.
fn replay(disk: &mut Disk, broker: &Broker, p: usize, end: u8) {
    let from = disk.upto.min(end);
    for entry in &broker.logs[p][from.into()..end.into()] {
        if entry.committed {
            *disk = Disk { mark: entry.after, ids: disk.ids | entry.events, upto: disk.upto };
        }
    }
    disk.upto = disk.upto.max(end);
}
