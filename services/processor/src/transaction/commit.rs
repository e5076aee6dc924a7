//! The commit protocol, whole. Read it top to bottom.
//!
//! ```text
//!   T0 begin ── T1 outputs ── T2 changelogs ── T3 flush ── T4 offsets ── T5 commit ── T6 disk
//!   │                                           │            │             │            │
//!   └── kill here: the broker or the successor's│            │             │            └ C7 C8: each partition's batch is
//!       init aborts the transaction; nobody saw │            │             │              whole or absent; replay brings it
//!       its records (C0 C1 C2)                  │            │             └ C6: committed, not on disk: the successor
//!                                               │            │               replays one transaction from the changelogs
//!                                               │            └ C3 C4 C5: undecided until the coordinator decides; the
//!                                               │              successor's offset fetch waits for that (KIP-447)
//!                                               └ everything is below the changelogs' high watermark from here on,
//!                                                 so a successor that reads to it misses nothing
//! ```
//!
//! Four rules make it exactly once:
//!
//! * **The disk comes last** (P2). RocksDB holds only what is committed; a kill costs a replay of the tail (P3).
//! * **Every transaction carries the offset of every partition that it touches**, fenced by the member's generation. Without
//!   offsets, nothing would stop a zombie.
//! * **The number of the transaction travels in the offset's metadata.** Whoever comes next knows from it which
//!   transaction was the last to be committed.
//! * **A doubt is resolved by starting over.** Whatever fails after T0, this process forgets its partitions, ends the
//!   transaction by `init_transactions` with the same id, and restores like any successor would. There is one way to
//!   recover, and it is the one that every start takes.

use std::time::Duration;

use kafka::transaction::{Member, Position, Refusal, Transactional};
use kafka::{Outgoing, PublishError};
use schemas::topic::{Topic, Topics};
use thiserror::Error;

use super::drill::{Drill, Point};
use super::step::Step;
use crate::state::changelog;
use crate::state::store::{PartitionStore, StoreError};

/// How long the brokers have to take all records of a transaction.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one request of the protocol may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the commit may take: longer than the transaction lives.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(30);

/// A partition's share of the transaction, and where it goes after the commit.
#[derive(Debug)]
pub struct Share<'a> {
    /// The partition.
    pub partition: i32,
    /// What is to be committed.
    pub step: &'a Step,
    /// The partition's disk.
    pub store: &'a PartitionStore,
}

/// The protocol stopped. Start over.
#[derive(Debug, Error)]
pub enum CommitError {
    /// A record was not queued.
    #[error("output not queued")]
    Output(#[from] PublishError),
    /// The transaction did not go on.
    #[error(transparent)]
    Transaction(#[from] Refusal),
    /// It is committed, and the disk failed.
    #[error("transaction is committed, and the disk failed")]
    Apply(#[from] StoreError),
}

/// Commits `shares` in one transaction, and then writes them to disk.
///
/// # Errors
/// See [`CommitError`]. Nothing of it may be used any more then: partitions, member and producer are started anew.
pub fn commit(
    producer: &Transactional,
    member: &Member,
    topics: &Topics,
    shares: &[Share<'_>],
    drill: &Drill,
) -> Result<(), CommitError> {
    // T0
    producer.begin()?;
    drill.reached(Point::Begun);

    // T1, T2
    for share in shares {
        send_outputs(producer, topics, share)?;
        send_changelogs(producer, topics, share)?;
    }
    drill.reached(Point::Sent);

    // T3
    producer.flush(FLUSH_TIMEOUT)?;
    drill.reached(Point::Flushed);

    // T4: refused where the member's generation is no longer the group's, or where it never joined.
    let positions: Vec<Position> = shares.iter().map(position).collect();
    producer.send_offsets(&positions, member, REQUEST_TIMEOUT)?;
    drill.reached(Point::OffsetsSent);

    // T5
    producer.commit(COMMIT_TIMEOUT)?;
    drill.reached(Point::Committed);

    // T6
    for share in shares {
        share.store.apply(&share.step.overlay)?;
        drill.reached(Point::Applied);
    }
    Ok(())
}

fn position(share: &Share<'_>) -> Position {
    let meta = share.step.overlay.meta();
    Position { partition: share.partition, next: meta.src_next(), metadata: meta.offset_metadata() }
}

fn send_outputs(producer: &Transactional, topics: &Topics, share: &Share<'_>) -> Result<(), PublishError> {
    for output in &share.step.outputs {
        let headers: Vec<(&str, &[u8])> =
            output.headers.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        producer.send(&Outgoing {
            topic: topics.name(output.topic),
            partition: Some(share.partition),
            key: output.key.as_deref(),
            value: Some(&output.value),
            headers: &headers,
        })?;
    }
    Ok(())
}

/// The meta comes last in its changelog: a reader that has it has everything before it.
fn send_changelogs(producer: &Transactional, topics: &Topics, share: &Share<'_>) -> Result<(), PublishError> {
    let overlay = &share.step.overlay;
    let send = |topic: Topic, key: &[u8], value: &[u8]| {
        let (topic, partition) = (topics.name(topic), Some(share.partition));
        producer.send(&Outgoing { topic, partition, key: Some(key), value: Some(value), headers: &[] })
    };
    for (key, value) in overlay.customers() {
        send(Topic::State, &changelog::customer_key(key), value)?;
    }
    send(Topic::Dedupe, changelog::META_KEY, &overlay.chunk().encode())?;
    send(Topic::State, changelog::META_KEY, &changelog::encode_meta(overlay.meta()))
}
