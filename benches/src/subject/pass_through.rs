//! The least that an exactly-once processor of this shape can cost: the same client, three outputs a record,
//! no state.
//!
//! Everything here that depends on the client's transactional classes is in this file.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use kafka::consumer::Group;
use kafka::transaction::{
    Arrival, Member, PartitionQueue, Position, Rebalanced, TransactionLimits, Transactional,
};
use kafka::{Connection, Incoming, NextOffset, Outgoing};

use super::Child;

const SESSION: Duration = Duration::from_secs(45);
const TIMEOUT: Duration = Duration::from_secs(30);
/// What is fetched ahead, and what may be on its way out, at most: several transactions.
const QUEUE_BYTES: u64 = 256 << 20;
/// As the processor's `commit_interval`.
const GATHER_MAX: Duration = Duration::from_millis(100);

/// What the child is told.
#[derive(Debug, Clone, Args)]
pub(crate) struct PassThrough {
    /// Bootstrap servers.
    #[arg(long)]
    pub(crate) bootstrap: String,
    /// Consumer group, and the name of everything else.
    #[arg(long)]
    pub(crate) group: String,
    /// The raw topic.
    #[arg(long)]
    pub(crate) raw: String,
    /// The three topics to write to.
    #[arg(long, value_delimiter = ',')]
    pub(crate) outputs: Vec<String>,
    /// Bytes of the value written to each.
    #[arg(long, value_delimiter = ',')]
    pub(crate) sizes: Vec<usize>,
    /// Records in a transaction at most.
    #[arg(long)]
    pub(crate) records: usize,
}

impl PassThrough {
    /// Starts it.
    pub(crate) fn start(&self, log: &Path) -> anyhow::Result<Child> {
        let sizes: Vec<String> = self.sizes.iter().map(usize::to_string).collect();
        let mut command = Command::new(std::env::current_exe().context("this program can't be found")?);
        command
            .args([
                "pass-through",
                "--bootstrap",
                &self.bootstrap,
                "--group",
                &self.group,
                "--raw",
                &self.raw,
            ])
            .args(["--outputs", &self.outputs.join(","), "--sizes", &sizes.join(",")])
            .args(["--records", &self.records.to_string()]);
        Child::start(&command, "the pass-through", log)
    }
}

/// The child: consumes, sends three records for each, commits; until it is killed.
pub(crate) fn serve(settings: &PassThrough) -> anyhow::Result<()> {
    let connection = Connection::plain(&settings.bootstrap);
    let group = Group {
        id: settings.group.clone(),
        instance: Some(settings.group.clone()),
        session_timeout: SESSION,
    };
    let limits = TransactionLimits::within(SESSION, QUEUE_BYTES);
    let producer = Transactional::init(&connection, &settings.group, &limits, TIMEOUT)?;
    let member = Member::join(&connection, &group, &settings.raw, QUEUE_BYTES)?;
    let inbox = member.partition_queue();
    loop {
        let batch = gather(&member, &inbox, settings.records)?;
        if !batch.is_empty() {
            transact(settings, &producer, &member, &batch)?;
        }
    }
}

fn gather(member: &Member, inbox: &PartitionQueue, records_max: usize) -> anyhow::Result<Vec<Incoming>> {
    // Between two transactions, so that a rebalance never meets an open one.
    for event in member.poll(Duration::ZERO)? {
        if let Rebalanced::Assigned(partitions) = event {
            partitions.into_iter().try_for_each(|partition| member.start(partition, NextOffset(0), inbox))?;
        }
    }
    let (mut batch, begun) = (Vec::new(), Instant::now());
    while batch.len() < records_max && begun.elapsed() < GATHER_MAX {
        if let Arrival::Record(record) = inbox.poll(GATHER_MAX.saturating_sub(begun.elapsed()))? {
            batch.push(record);
        }
    }
    Ok(batch)
}

fn transact(
    settings: &PassThrough,
    producer: &Transactional,
    member: &Member,
    batch: &[Incoming],
) -> anyhow::Result<()> {
    producer.begin()?;
    let mut positions: Vec<Position> = Vec::new();
    for record in batch {
        for (topic, size) in settings.outputs.iter().zip(&settings.sizes) {
            send(producer, topic, *size, record)?;
        }
        let (partition, next) = (record.partition, record.offset.next());
        match positions.iter_mut().find(|position| position.partition == partition) {
            Some(position) => position.next = next,
            None => positions.push(Position { partition, next, metadata: "1:pass-through:1".to_owned() }),
        }
    }
    producer.flush(TIMEOUT)?;
    producer.send_offsets(&positions, member, TIMEOUT)?;
    Ok(producer.commit(TIMEOUT)?)
}

/// A record of the size that the processor writes: the input's own bytes, so that they compress like real
/// ones.
fn send(producer: &Transactional, topic: &str, size: usize, record: &Incoming) -> anyhow::Result<()> {
    let bytes = record.value.as_deref().unwrap_or_default();
    let repeated: Vec<u8>;
    let value = match bytes.get(..size) {
        Some(value) => value,
        None => {
            repeated = bytes.iter().copied().cycle().take(if bytes.is_empty() { 0 } else { size }).collect();
            &repeated
        }
    };
    let (key, partition) = (record.key.as_deref(), Some(record.partition));
    Ok(producer.send(&Outgoing { topic, partition, key, value: Some(value), headers: &[] })?)
}
