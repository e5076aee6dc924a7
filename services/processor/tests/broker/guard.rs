//! What stops a zombie, tried on a real broker: positions go into a transaction only with a living
//! membership.

use std::time::Duration;

use kafka::consumer::Group;
use kafka::transaction::{Member, Position, Rebalanced, TransactionError, TransactionLimits, Transactional};
use kafka::{Connection, Error, NextOffset, Outgoing};
use schemas::topic::Topic;

use crate::bench::{Bench, until};

const SESSION: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(30);

impl Bench {
    fn member(&self, connection: &Connection) -> Member {
        let group = Group { id: self.group(), instance: Some("only".to_owned()), session_timeout: SESSION };
        Member::join(connection, &group, self.topics.name(Topic::Raw), 1 << 20).expect("a member")
    }

    fn assigned(&self) -> Member {
        let member = self.member(&self.connection);
        let assigned = || {
            let events = member.poll(Duration::from_millis(100)).expect("polls");
            matches!(events.as_slice(), [Rebalanced::Assigned(partitions)] if partitions.len() == 3)
        };
        until("partitions are assigned", assigned);
        member
    }

    fn producer(&self) -> Transactional {
        self.producer_within(SESSION)
    }

    fn producer_within(&self, timeout: Duration) -> Transactional {
        let limits = TransactionLimits::within(timeout, 16 << 20);
        Transactional::init(&self.connection, &self.group(), &limits, TIMEOUT).expect("a producer")
    }

    fn send_one(&self, producer: &Transactional) {
        let topic = self.topics.name(Topic::Warehouse);
        let record = Outgoing { topic, partition: Some(0), key: None, value: Some(b"x"), headers: &[] };
        producer.send(&record).expect("queues");
        producer.flush(TIMEOUT).expect("flushes");
    }
}

fn position() -> Position {
    Position { partition: 0, next: NextOffset(7), metadata: "1:test:1".to_owned() }
}

/// A consumer that never joined has no generation; librdkafka sends its positions nevertheless, and the
/// broker takes them without a check.
#[test]
fn p2_positions_of_a_consumer_that_never_joined_are_refused() {
    let bench = Bench::new("never-joined.");
    // It can't join, however fast the broker is: there is none where it asks.
    let (producer, member) = (bench.producer(), bench.member(&Connection::plain("127.0.0.1:1")));
    producer.begin().expect("begins");
    bench.send_one(&producer);
    let refused = producer.send_offsets(&[position()], &member, TIMEOUT);
    assert_eq!(refused, Err(TransactionError::Abort { code: "NotAMember" }));
    drop(producer);
    // Its successor ends the transaction.
    drop(bench.producer());
    assert_eq!(bench.committed(0).next, None);
    assert_eq!(bench.records(Topic::Warehouse).len(), 0);
}

/// Without positions nothing is sent to the group's coordinator, and so nothing would fence the transaction.
#[test]
fn p2_a_transaction_without_positions_is_refused() {
    let bench = Bench::new("no-positions.");
    let (producer, member) = (bench.producer(), bench.assigned());
    producer.begin().expect("begins");
    assert_eq!(
        producer.send_offsets(&[], &member, TIMEOUT),
        Err(TransactionError::Abort { code: "NoOffsets" })
    );
}

#[test]
fn a_transaction_commits_records_and_positions_with_their_text() {
    let bench = Bench::new("commits.");
    let (producer, member) = (bench.producer(), bench.assigned());
    producer.begin().expect("begins");
    bench.send_one(&producer);
    assert_eq!(bench.committed(0).next, None);
    producer.send_offsets(&[position()], &member, TIMEOUT).expect("accepted");
    producer.commit(TIMEOUT).expect("commits");
    let committed = bench.committed(0);
    assert_eq!((committed.next, committed.metadata.as_str()), (Some(NextOffset(7)), "1:test:1"));
    assert_eq!(bench.records(Topic::Warehouse).len(), 1);
}

/// A member whose place somebody else has taken can't move the group's positions any more.
#[test]
fn p1_positions_of_a_member_that_was_replaced_are_refused() {
    let bench = Bench::new("replaced.");
    let (producer, zombie) = (bench.producer(), bench.assigned());
    let _successor = bench.assigned();
    producer.begin().expect("begins");
    bench.send_one(&producer);
    assert!(matches!(
        producer.send_offsets(&[position()], &zombie, TIMEOUT),
        Err(TransactionError::Abort { .. })
    ));
    drop(producer);
    drop(bench.producer());
    assert_eq!(bench.committed(0).next, None);
    // The client tells once, by an error like any other, and then nothing for ever.
    until("the zombie hears that it is one", || {
        matches!(zombie.poll(Duration::from_millis(100)), Err(Error::Fatal { .. }))
    });
}

/// A producer whose name somebody else has taken can't commit any more.
#[test]
fn p1_a_producer_that_was_replaced_is_fenced() {
    let bench = Bench::new("fenced.");
    let (zombie, member) = (bench.producer(), bench.assigned());
    zombie.begin().expect("begins");
    bench.send_one(&zombie);
    zombie.send_offsets(&[position()], &member, TIMEOUT).expect("accepted");
    let _successor = bench.producer();
    assert!(zombie.commit(TIMEOUT).is_err());
    assert_eq!(bench.committed(0).next, None);
    assert_eq!(bench.records(Topic::Warehouse).len(), 0);
}

/// Nobody else is there. The brokers abort a transaction that is open for too long, and say of its producer
/// what they say of a fenced one.
#[test]
fn a_transaction_that_has_timed_out_is_not_taken_for_a_rivals_fence() {
    const OPEN_MAX: Duration = Duration::from_secs(2);
    let bench = Bench::new("expired.");
    let (producer, member) = (bench.producer_within(OPEN_MAX), bench.assigned());
    producer.begin().expect("begins");
    bench.send_one(&producer);
    producer.send_offsets(&[position()], &member, TIMEOUT).expect("accepted");
    assert_eq!(bench.records(Topic::Warehouse).len(), 0, "read once the brokers have aborted it");
    let refused = producer.commit(TIMEOUT);
    assert!(
        matches!(refused, Err(TransactionError::Expired { timeout: OPEN_MAX, age, .. }) if age > OPEN_MAX),
        "{refused:?}"
    );
    // A rival is still known as one: the transaction is young.
    let zombie = bench.producer();
    zombie.begin().expect("begins");
    bench.send_one(&zombie);
    zombie.send_offsets(&[position()], &member, TIMEOUT).expect("accepted");
    let _rival = bench.producer();
    assert!(matches!(zombie.commit(TIMEOUT), Err(TransactionError::Fenced { .. })));
}
