//! When a node serves: it answers Kafka's own Metadata request with *our* cluster id, a live broker and a leader for
//! every partition. A port that merely accepts connections may be somebody else's, or a broker that is still reading its logs.
//!
//! The bytes are Metadata version 4, the oldest that Kafka 4 is asked for here, by
//! <https://kafka.apache.org/protocol.html#The_Messages_Metadata>.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(2);
const RESPONSE_BYTES_MAX: usize = 16 << 20;
const METADATA: i16 = 3;
const METADATA_VERSION: i16 = 4;

/// What the broker knows, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cluster {
    pub(super) id: Option<String>,
    /// Brokers that may serve (KRaft calls them unfenced).
    pub(super) brokers: usize,
    pub(super) topics: Vec<String>,
    pub(super) leaderless_partitions: usize,
}

/// Why it isn't ready, or `None` when it is.
pub(super) fn missing(address: SocketAddr, cluster_id: &str) -> Option<String> {
    match cluster(address) {
        Err(error) => Some(format!("no answer: {error}")),
        Ok(cluster) => lack(&cluster, cluster_id),
    }
}

fn lack(cluster: &Cluster, cluster_id: &str) -> Option<String> {
    match cluster {
        Cluster { id, .. } if id.as_deref() != Some(cluster_id) => {
            Some("another cluster answers on its port".to_owned())
        }
        Cluster { brokers: 0, .. } => Some("the broker is not yet registered".to_owned()),
        Cluster { leaderless_partitions: 0, .. } => None,
        Cluster { leaderless_partitions, .. } => {
            Some(format!("{leaderless_partitions} partitions have no leader yet"))
        }
    }
}

/// Asks for everything.
pub(super) fn cluster(address: SocketAddr) -> io::Result<Cluster> {
    // All topics (a null array), none to be created.
    let response = call(address, METADATA, METADATA_VERSION, &[0xff, 0xff, 0xff, 0xff, 0])?;
    parse(&response).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not Kafka's"))
}

/// One request on a connection of its own; the answer without its length and correlation id.
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

    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?;
    if !(4..=RESPONSE_BYTES_MAX).contains(&length) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer's length is not Kafka's"));
    }
    let mut response = vec![0; length];
    stream.read_exact(&mut response)?;
    Ok(response.split_off(4))
}

fn parse(response: &[u8]) -> Option<Cluster> {
    let mut rest = Fields(response);
    rest.int32()?; // throttle time
    let brokers = rest.array(|broker| {
        broker.int32()?;
        broker.string()?;
        broker.int32()?;
        broker.string()
    })?;
    let id = rest.string()?;
    rest.int32()?; // controller
    let topics = rest.array(|topic| {
        topic.int16()?;
        let name = topic.string()?.unwrap_or_default();
        topic.take(1)?; // internal or not
        let leaders = topic.array(|partition| {
            partition.take(6)?; // error, index
            let leader = partition.int32()?;
            partition.array(Fields::int32)?; // replicas
            partition.array(Fields::int32)?; // in sync
            Some(leader)
        })?;
        Some((name, leaders))
    })?;
    let leaderless_partitions =
        topics.iter().flat_map(|(_, leaders)| leaders).filter(|leader| **leader < 0).count();
    let topics = topics.into_iter().map(|(name, _)| name).collect();
    Some(Cluster { id, brokers: brokers.len(), topics, leaderless_partitions })
}

/// What is left to read of an answer.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn int16(&mut self) -> Option<i16> {
        self.take(2)?.try_into().ok().map(i16::from_be_bytes)
    }

    fn int32(&mut self) -> Option<i32> {
        self.take(4)?.try_into().ok().map(i32::from_be_bytes)
    }

    /// `Some(None)` is Kafka's null.
    #[expect(clippy::option_option, reason = "absent and unreadable differ")]
    fn string(&mut self) -> Option<Option<String>> {
        match usize::try_from(self.int16()?) {
            Err(_) => Some(None),
            Ok(length) => Some(String::from_utf8(self.take(length)?.to_vec()).ok()),
        }
    }

    fn array<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = self.int32()?;
        (0..length).map(|_| item(self)).collect()
    }
}
