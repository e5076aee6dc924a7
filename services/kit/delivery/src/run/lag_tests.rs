use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn partition(number: i32) -> Partition {
    ("outcomes.trait.v1".into(), number)
}

fn read_to(number: i32, fetched: i64) -> FetchProgress {
    let (topic, next) = ("outcomes.trait.v1".into(), Some(NextOffset(fetched)));
    FetchProgress { topic, partition: number, fetched: next, taken: next, queued: 0 }
}

/// A watch of two partitions, and where they end.
struct World {
    watch: LagWatch,
    ends: [i64; 2],
}

impl World {
    fn new(ends: [i64; 2]) -> Self {
        Self { watch: LagWatch::new(Limits::default()), ends }
    }

    /// So many seconds of polling; the ends are heard each second.
    fn poll(&mut self, seconds: u64, read: [i64; 2]) -> Verdict {
        for _ in 0..seconds {
            self.poll_unheard(1, read);
            let ends = (0..).zip(self.ends).map(|(number, end)| (partition(number), Some(NextOffset(end))));
            self.watch.heard(ends.collect());
        }
        self.watch.verdict()
    }

    fn poll_unheard(&mut self, seconds: u64, read: [i64; 2]) -> Verdict {
        for _ in 0..seconds {
            let progress = (0..).zip(read).map(|(number, offset)| read_to(number, offset)).collect();
            self.watch.polled(SECOND, &[partition(0), partition(1)], progress);
            self.watch.passed(SECOND);
        }
        self.watch.verdict()
    }
}

#[test]
fn e4_a_fetch_that_silently_stops_is_named_and_then_renewed() {
    let mut world = World::new([10, 90]);
    assert_eq!(world.poll(60, [10, 30]), Verdict::Flowing);
    let Verdict::Stalled(cause) = world.poll(10, [10, 30]) else { panic!("60 s without progress") };
    assert!(cause.contains("60 records of outcomes.trait.v1[1] wait"), "{cause}");
    assert!(matches!(world.poll(40, [10, 30]), Verdict::Stalled(_)));
    assert!(matches!(world.poll(20, [10, 30]), Verdict::Renew(_)));
}

#[test]
fn a_partition_that_moves_is_never_stalled_however_far_behind() {
    let mut world = World::new([10, 1_000_000]);
    for read in 0..100 {
        assert_eq!(world.poll(50, [10, read]), Verdict::Flowing);
    }
    let lags: Vec<u64> = world.watch.lags().into_iter().map(|lag| lag.records).collect();
    assert_eq!(lags, [0, 999_901]);
}

#[test]
fn a_quiet_topic_is_ready_for_ever() {
    let mut world = World::new([10, 0]);
    assert_eq!(world.poll(10_000, [10, 0]), Verdict::Flowing);
}

/// Without a broker nobody knows whether records wait: the sink mustn't claim that none do.
#[test]
fn e4_a_sink_to_which_no_broker_answers_is_not_ready() {
    let mut world = World::new([10, 10]);
    assert_eq!(world.poll(5, [10, 10]), Verdict::Flowing);
    assert_eq!(world.poll_unheard(59, [10, 10]), Verdict::Flowing);
    let Verdict::Stalled(cause) = world.poll_unheard(500, [10, 10]) else { panic!("silence for 60 s") };
    assert!(cause.contains("no broker answers"), "{cause}");
    assert_eq!(world.poll(1, [10, 10]), Verdict::Flowing);
}

/// The group takes a silent member's partitions away: then there is nothing left that could lag.
#[test]
fn e4_a_sink_that_lost_its_partitions_in_an_outage_is_not_ready() {
    let mut world = World::new([10, 10]);
    world.poll(5, [10, 10]);
    for _ in 0..60 {
        world.watch.polled(SECOND, &[], Vec::new());
        world.watch.passed(SECOND);
    }
    assert!(matches!(world.watch.verdict(), Verdict::Stalled(_)));
    world.watch.heard(vec![(partition(0), Some(NextOffset(10)))]);
    assert_eq!(world.watch.verdict(), Verdict::Flowing);
}

#[test]
fn e4_a_partition_without_a_leader_is_named() {
    let mut world = World::new([10, 10]);
    for _ in 0..60 {
        world.poll_unheard(1, [10, 10]);
        world.watch.heard(vec![(partition(0), Some(NextOffset(10))), (partition(1), None)]);
    }
    let Verdict::Stalled(cause) = world.watch.verdict() else { panic!("no end for 60 s") };
    assert!(cause.contains("where outcomes.trait.v1[1] ends"), "{cause}");
}

#[test]
fn a_partition_whose_start_is_never_found_is_stalled() {
    let mut world = World::new([0, 7]);
    for _ in 0..90 {
        world.watch.polled(SECOND, &[partition(1)], Vec::new());
        world.watch.heard(vec![(partition(1), Some(NextOffset(7)))]);
    }
    assert!(matches!(world.watch.verdict(), Verdict::Stalled(_)));
}

#[test]
fn what_is_known_of_a_partition_ends_with_its_assignment() {
    let mut world = World::new([10, 90]);
    assert!(matches!(world.poll(100, [10, 30]), Verdict::Stalled(_)));
    world.watch.polled(SECOND, &[partition(0)], vec![read_to(0, 10)]);
    assert_eq!(world.watch.verdict(), Verdict::Flowing);
    assert_eq!(world.watch.lags().len(), 1);
}
