//! When a node serves: it answers Kafka's own Metadata request with *our* cluster id, live brokers, and a
//! leader for every partition. A port that only accepts connections may belong to another program, or to a
//! broker that is still reading its logs.
//!
//! The bytes are Metadata version 4, the oldest that Kafka 4 is asked for here.

use crate::kafka::wire::{Fields, read_frame};
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(2);
const METADATA: i16 = 3;
const METADATA_VERSION: i16 = 4;

/// What a broker knows of its cluster, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) cluster_id: Option<String>,
    /// Ids of the brokers that may serve (KRaft calls them unfenced).
    pub(super) live: Vec<i32>,
    pub(super) topics: Vec<String>,
    partitions: Vec<Partition>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Partition {
    leader: i32,
    replicas: Vec<i32>,
    in_sync: Vec<i32>,
}

/// The state that is awaited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) cluster_id: &'a str,
    /// The node that is asked.
    pub(super) node: i32,
    /// Nodes that it must know as live.
    pub(super) live: &'a [i32],
}

/// Why it isn't ready, or `None` when it is.
pub(super) fn missing(address: SocketAddr, wanted: Wanted<'_>) -> Option<String> {
    match metadata(address) {
        Err(error) => Some(format!("no answer: {error}")),
        Ok(metadata) => lack(&metadata, wanted),
    }
}

fn lack(metadata: &Metadata, wanted: Wanted<'_>) -> Option<String> {
    if metadata.cluster_id.as_deref() != Some(wanted.cluster_id) {
        return Some("another cluster answers on its port".to_owned());
    }
    if let Some(absent) = wanted.live.iter().find(|id| !metadata.live.contains(id)) {
        return Some(format!("broker {absent} is not yet registered"));
    }
    // A copy that is missing because another node is down does not count against this node.
    let complete =
        metadata.partitions.iter().filter(|it| it.replicas.iter().all(|id| metadata.live.contains(id)));
    let waiting = complete.filter(|it| it.leader < 0 || it.lacks(wanted.node)).count();
    (waiting > 0).then(|| format!("{waiting} partitions have no leader yet, or are behind"))
}

impl Partition {
    /// Whether `node` has a copy that is behind.
    fn lacks(&self, node: i32) -> bool {
        self.replicas.contains(&node) && !self.in_sync.contains(&node)
    }
}

/// A request for all topics.
pub(super) fn metadata(address: SocketAddr) -> io::Result<Metadata> {
    // All topics (a null array), none to be created.
    let answer = call(address, METADATA, METADATA_VERSION, &[0xff, 0xff, 0xff, 0xff, 0])?;
    parse(&answer).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not Kafka's"))
}

/// Sends one request on a new connection. Returns the frame of the answer.
pub(super) fn call(address: SocketAddr, api: i16, version: i16, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    request.extend(api.to_be_bytes());
    request.extend(version.to_be_bytes());
    request.extend(1_i32.to_be_bytes()); // correlation id
    request.extend((-1_i16).to_be_bytes()); // no client id
    request.extend(body);

    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let length = u32::try_from(request.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(&request)?;
    read_frame(&mut stream)
}

fn parse(answer: &[u8]) -> Option<Metadata> {
    let mut rest = Fields::of_frame(answer);
    rest.int32()?; // correlation id
    rest.int32()?; // throttle time
    let live = rest.array(|broker| {
        let id = broker.int32()?;
        broker.string()?; // host
        broker.int32()?; // port
        broker.string()?; // rack
        Some(id)
    })?;
    let cluster_id = rest.string()?;
    rest.int32()?; // controller
    let topics = rest.array(|topic| {
        topic.int16()?;
        let name = topic.string()?.unwrap_or_default();
        topic.int8()?; // internal or not
        let partitions = topic.array(|partition| {
            partition.take(6)?; // error, index
            Some(Partition {
                leader: partition.int32()?,
                replicas: partition.array(Fields::int32)?,
                in_sync: partition.array(Fields::int32)?,
            })
        })?;
        Some((name, partitions))
    })?;
    let (topics, partitions): (Vec<_>, Vec<_>) = topics.into_iter().unzip();
    Some(Metadata { cluster_id, live, topics, partitions: partitions.concat() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lack_of(live: &[i32], leader: i32, in_sync: &[i32]) -> Option<String> {
        let partition = Partition { leader, replicas: vec![1, 2], in_sync: in_sync.to_vec() };
        let metadata = Metadata {
            cluster_id: Some("ours".to_owned()),
            live: live.to_vec(),
            topics: vec!["topic".to_owned()],
            partitions: vec![partition],
        };
        lack(&metadata, Wanted { cluster_id: "ours", node: 1, live: &[1] })
    }

    #[test]
    fn a_node_serves_once_it_is_live_and_its_copies_are_in_sync() {
        assert_eq!(lack_of(&[1, 2], 2, &[1, 2]), None);
        assert!(lack_of(&[2], 2, &[2]).unwrap().contains("broker 1"));
        assert!(lack_of(&[1, 2], 2, &[2]).unwrap().contains("behind"));
        assert!(lack_of(&[1, 2], -1, &[1, 2]).unwrap().contains("no leader"));
    }

    #[test]
    fn a_partition_that_waits_for_another_node_is_not_waited_for() {
        assert_eq!(lack_of(&[1], -1, &[2]), None);
    }
}
