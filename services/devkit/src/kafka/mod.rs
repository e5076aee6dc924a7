//! A Kafka cluster for one machine: Apache Kafka itself (KRaft), started, killed and restarted as its user
//! wishes.
//!
//! Everything here blocks and wants no runtime; call it from a thread. Read `node.rs` first, then what it is
//! made of: `jars.rs` (what it runs on), and in `node/` `config` (its settings), `process` (how it lives and
//! dies) and `probe` (when it serves). Then `cluster.rs` (several of them) and `proxy.rs` (what can happen on
//! the way to them).

pub use broker::Broker;
pub use cluster::Cluster;
pub use error::Error;
pub use jars::{VERSION, jars};
pub use node::{Acl, AclResource, Node};
pub use port::free as free_ports;
pub use proxy::Proxy;

mod broker;
mod cluster;
mod error;
mod jars;
mod node;
mod port;
pub mod proxy;
mod wire;
