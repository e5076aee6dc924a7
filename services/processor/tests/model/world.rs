//! The world: a cluster, its owners, and everything that can happen next.

use processor::commit::protocol::{Act, Next, Reply};

pub(crate) mod broker;
pub(crate) mod choice;
mod driver;
pub(crate) mod owner;
mod restore;

use broker::{Broker, OWNERS, PARTITIONS, Phase, Request};
use driver::Driver;
use owner::{Disk, Life, Owner, Part, name};

/// How a request fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Luck {
    Good,
    /// Served; the client never hears of it.
    ReplyLost,
    /// The client gives it up, and the network delivers it later, or never.
    Late,
    /// The client's library sends it again on a new connection, and has its answer; the first copy comes
    /// later, or never.
    Twice,
}

/// What a driver, a restore or a broker may do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breakage {
    /// A partition is given back in the middle of a commit.
    NoGate,
    /// A commit without answer counts as aborted.
    DoubtAsAbort,
    /// A doubt that was not resolved does not end in a restore.
    MemoryAfterDoubt,
    DiskBeforeCommit,
    NoOffsets,
    /// The first partition's position is left out.
    OneOffsetOnly,
    /// The same producer after a disturbance.
    NoRenewal,
    CommitBeforeFlush,
    OffsetsBeforeFlush,
    /// R1 does not wait for pending positions.
    UnstableFetch,
    /// R2 before R1.
    WatermarkFirst,
    /// R5 to the last stable offset, without R4.
    ReplayToStableEnd,
    /// No R6.
    NoComparison,
    /// The text beside a position names the transaction, and not the attempt.
    NumberAlone,
    /// A start leaves what its predecessor left to the first transaction.
    LateInit,
    /// The broker leaves transactions open for ever.
    NoTimeout,
    /// A partition is given back while a transaction of it is under way, outside the gate.
    NoLettingGo,
    /// R6 refuses without asking again.
    RefusalAtOnce,
    /// Progress is noted before a commit proves that it was ours.
    ProgressBeforeProof,
    /// Positions bear no generation: a member that never joined.
    AnyGeneration,
}

/// What is explored.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) owners: usize,
    /// The event of each input record. The same event twice is a duplicate.
    pub(crate) ids: [Vec<u8>; PARTITIONS],
    /// Records of a partition in one transaction, at most.
    pub(crate) batch: u8,
    /// How much may go wrong.
    pub(crate) faults: u8,
    pub(crate) breakages: Vec<Breakage>,
}

impl Scene {
    pub(crate) fn has(&self, breakage: Breakage) -> bool {
        self.breakages.contains(&breakage)
    }

    pub(crate) fn partitions(&self) -> impl Iterator<Item = usize> + use<> {
        let used = self.ids.each_ref().map(|ids| !ids.is_empty());
        (0..PARTITIONS).filter(move |p| used[*p])
    }
}

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Move {
    Begin(u8, [u8; PARTITIONS]),
    /// The next act of its transaction, or a request of it.
    Turn(u8, Luck),
    Restore(u8, u8),
    Init(u8),
    /// A marker, to a partition's topics or to the group's positions.
    MarkData(u8, u8),
    MarkOffsets(u8),
    /// Gives up what the group wants back; and, if it was busy, lets go of it.
    Revoke(u8, u8),
    Assign(u8, u8),
    /// Hears that its session had ended: gives everything up, lets go of it, joins anew.
    Learn(u8),
    Restart(u8),
    Arrive,
    /// The transaction took too long.
    Timeout(u8),
    /// Its session ends.
    Expel(u8),
    /// A rebalance asks for a partition back, for another.
    Rebalance(u8, u8),
    Crash(u8),
    /// A copy of the disk is found that holds so many transactions; none is a new disk.
    OldDisk(u8, u8, u8),
    DiskFails(u8),
    GiveUp(u8),
}

/// Everything that is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) broker: Broker,
    pub(crate) owners: [Owner; OWNERS],
    /// How much may still go wrong.
    pub(crate) faults: u8,
}

impl World {
    /// All owners are up, and the first has every partition.
    pub(crate) fn new(scene: &Scene) -> Self {
        let mut world = Self { faults: scene.faults, ..Self::default() };
        for o in 0..scene.owners {
            world.owners[o].life = Life::Up;
            world.broker.coordinators[o].current = true;
            world.broker.member[o] = true;
        }
        for p in scene.partitions() {
            world.broker.assigned[p] = Some(0);
            world.owners[0].parts[p] = Part::Asking;
        }
        world
    }

    /// What owner `o` is to do next in its transaction.
    pub(crate) fn act(&self, o: usize) -> Option<Act> {
        match self.owners[o].transaction?.state.next() {
            Next::Act(act) => Some(act),
            Next::End(_) => None,
        }
    }

    fn is_starting(&self, o: usize) -> bool {
        self.owners[o].life == Life::Starting
    }

    /// Whether some partition of its transaction is still its own.
    fn holds_any(&self, o: usize) -> bool {
        self.owners[o].transaction.is_some_and(|it| it.shares.iter().flatten().any(|share| share.held))
    }

    /// Whether a rebalance must wait for owner `o`.
    pub(crate) fn is_gate_held(&self, o: usize, scene: &Scene) -> bool {
        let inside = self.owners[o].transaction.is_some_and(|it| it.is_inside_gate);
        inside && !scene.has(Breakage::NoGate)
    }

    /// Whether the act can be carried out now, or must wait for the cluster.
    pub(crate) fn can_act(&self, o: usize, act: Act) -> bool {
        let busy = self.broker.coordinators[o].is_busy();
        match act {
            Act::Flush | Act::Offsets | Act::Renew => !busy,
            Act::ReadCommitted => {
                let shares = self.owners[o].transaction.map(|it| it.shares).unwrap_or_default();
                !shares.iter().enumerate().any(|(p, share)| share.is_some() && self.broker.is_unstable(p))
            }
            _ => true,
        }
    }

    /// The world after `what`.
    pub(crate) fn after(&self, what: Move, scene: &Scene) -> Self {
        let mut world = self.clone();
        world.faults -= u8::from(choice::is_fault(self, what));
        world.happen(what, scene);
        world
    }

    fn happen(&mut self, what: Move, scene: &Scene) {
        let drive = |world: &mut Self, o: u8, with: &dyn Fn(&mut Driver<'_>)| {
            with(&mut Driver { world, scene, o: o.into() });
        };
        match what {
            Move::Begin(o, records) => drive(self, o, &|driver| driver.begin(records)),
            Move::Turn(o, luck) => drive(self, o, &|driver| driver.turn(luck)),
            Move::DiskFails(o) => drive(self, o, &|driver| driver.reply(Reply::Refused)),
            Move::GiveUp(o) if self.is_starting(o.into()) => self.init(o.into(), true),
            Move::GiveUp(o) => drive(self, o, &|driver| driver.reply(Reply::GivenUp)),
            Move::Restore(o, p) => {
                restore::step(&mut self.owners[usize::from(o)], &self.broker, scene, p.into());
            }
            Move::Init(o) => self.init(o.into(), scene.has(Breakage::LateInit)),
            Move::MarkData(o, p) => {
                for at in self.broker.mark_data(o.into(), p.into()) {
                    self.owners.iter_mut().for_each(|owner| owner.close_up(p.into(), at));
                }
            }
            Move::MarkOffsets(o) => self.broker.mark_offsets(o.into()),
            Move::Revoke(o, p) => self.revoke(o.into(), p.into(), !scene.has(Breakage::NoLettingGo)),
            Move::Assign(p, to) => self.assign(p.into(), to.into()),
            Move::Learn(o) => self.learn(o.into(), !scene.has(Breakage::NoLettingGo)),
            Move::Restart(o) => self.start(o.into()),
            Move::Arrive => self.broker.arrive(),
            Move::Timeout(o) => self.broker.fence(o.into()),
            Move::Expel(o) => self.expel(o.into()),
            Move::Rebalance(p, to) => {
                self.broker.moving[usize::from(p)] = Some(to);
                self.broker.rebalance();
            }
            Move::Crash(o) => self.crash(o.into()),
            Move::OldDisk(o, p, seq) => self.find_old_disk(o.into(), p.into(), seq),
        }
    }

    fn crash(&mut self, o: usize) {
        self.owners[o].die();
        self.broker.end_attempt(o);
        self.broker.coordinators[o].current = false;
    }

    /// A process joins at once; with the same static name, it has its partitions back.
    fn start(&mut self, o: usize) {
        self.owners[o].life = Life::Starting;
        if !self.broker.member[o] {
            return self.join(o);
        }
        self.broker.replace(o);
        for p in (0..PARTITIONS).filter(|p| self.broker.assigned[*p] == u8::try_from(o).ok()) {
            self.owners[o].parts[p] = Part::Asking;
        }
    }

    /// Ends what the predecessor left, or leaves that to the first transaction.
    fn init(&mut self, o: usize, later: bool) {
        if later || self.broker.serve(o, Request::Init, true) == Reply::Done {
            self.owners[o].life = Life::Up;
            self.owners[o].doubtful = later;
        }
    }

    fn join(&mut self, o: usize) {
        self.broker.member[o] = true;
        self.broker.rebalance();
    }

    /// The session ends, and another begins: as a crash, but for the process.
    pub(crate) fn start_over(&mut self, o: usize) {
        self.crash(o);
        self.start(o);
    }

    fn revoke(&mut self, o: usize, p: usize, waits: bool) {
        self.owners[o].give_up(p, waits);
        if self.owners[o].parts[p] == Part::Leaving {
            return;
        }
        self.broker.assigned[p] = None;
        let to = self.broker.moving[p].take().map(usize::from);
        if let Some(to) = to.filter(|to| self.broker.member[*to] && self.owners[*to].life != Life::Down) {
            self.assign(p, to);
        }
    }

    fn learn(&mut self, o: usize, waits: bool) {
        (0..PARTITIONS).for_each(|p| self.owners[o].give_up(p, waits));
        if !self.owners[o].parts.contains(&Part::Leaving) {
            self.join(o);
        }
    }

    fn assign(&mut self, p: usize, to: usize) {
        self.broker.assigned[p] = u8::try_from(to).ok();
        self.broker.rebalance();
        self.owners[to].parts[p] = Part::Asking;
    }

    fn expel(&mut self, o: usize) {
        self.broker.member[o] = false;
        self.broker.rebalance();
        for (assigned, moving) in self.broker.assigned.iter_mut().zip(&mut self.broker.moving) {
            if *assigned == u8::try_from(o).ok() {
                (*assigned, *moving) = (None, None);
            }
        }
    }

    /// What the disk was like after its transaction `seq`: it held what was committed, or the oracle would
    /// have said so.
    fn find_old_disk(&mut self, o: usize, p: usize, seq: u8) {
        let mut disk = Disk::default();
        let broker = &self.broker;
        for entry in broker.logs[p].iter().filter(|it| broker.is_decided(p, it) && it.after.seq <= seq) {
            disk = Disk { mark: entry.after, ids: disk.ids | entry.events, upto: 0 };
        }
        let held = broker.logs[p].iter().take_while(|it| it.committed && it.after.seq <= seq);
        disk.upto = held.map(|_| 1).sum();
        self.owners[o].disks[p] = disk;
    }

    /// Whether owner `o`'s transaction at its coordinator has nobody who would end it.
    pub(crate) fn is_orphaned(&self, o: usize) -> bool {
        let Owner { life, transaction, .. } = &self.owners[o];
        let open = self.broker.coordinators[o].phase == Phase::Ongoing;
        open && (*life == Life::Down || (*life == Life::Up && transaction.is_none()))
    }
}

impl std::fmt::Display for Move {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let by = |o: &u8| name(usize::from(*o));
        match self {
            Self::Begin(o, records) => write!(f, "{} gathers {records:?} records", by(o)),
            Self::Turn(o, Luck::Good) => write!(f, "{} goes on", by(o)),
            Self::Turn(o, Luck::ReplyLost) => write!(f, "{} goes on, and the reply is lost", by(o)),
            Self::Turn(o, Luck::Late) => write!(f, "{} goes on, and the request is held back", by(o)),
            Self::Turn(o, Luck::Twice) => {
                write!(f, "{} goes on, and the request is sent again: the first copy is held back", by(o))
            }
            Self::Restore(o, p) => write!(f, "{} restores partition {p}", by(o)),
            Self::Init(o) => write!(f, "{} asks for its producer id", by(o)),
            Self::MarkData(o, p) => write!(f, "the marker of {}'s transaction reaches partition {p}", by(o)),
            Self::MarkOffsets(o) => write!(f, "the marker of {}'s transaction reaches the positions", by(o)),
            Self::Revoke(o, p) => write!(f, "{} gives partition {p} back", by(o)),
            Self::Assign(p, to) => write!(f, "partition {p} is assigned to {}", by(to)),
            Self::Learn(o) => write!(f, "{} hears that its session ended, and joins again", by(o)),
            Self::Restart(o) => write!(f, "{} is started again", by(o)),
            Self::Arrive => write!(f, "the request that was held back arrives"),
            Self::Timeout(o) => write!(f, "the coordinator aborts {}'s transaction: it took too long", by(o)),
            Self::Expel(o) => write!(f, "{}'s session ends", by(o)),
            Self::Rebalance(p, to) => write!(f, "a rebalance wants partition {p} for {}", by(to)),
            Self::Crash(o) => write!(f, "{} is killed", by(o)),
            Self::OldDisk(o, p, seq) => {
                write!(f, "{}'s disk of partition {p} is replaced by one of transaction {seq}", by(o))
            }
            Self::DiskFails(o) => write!(f, "{}'s disk fails", by(o)),
            Self::GiveUp(o) => write!(f, "{} gives up", by(o)),
        }
    }
}
