//! A Kafka cluster for one machine: Apache Kafka itself (KRaft), started, killed and restarted as its user wishes.
//!
//! Everything here blocks and wants no runtime; call it from a thread. Read `node.rs` first, then what it is made of: `jars.rs`
//! (what it runs on), and in `node/` `config` (its settings), `port`, `process` (how it lives and dies) and `probe` (when it serves).

pub use broker::Broker;
pub use error::Error;
pub use jars::{VERSION, jars};
pub use node::Node;

mod broker;
mod error;
mod jars;
mod node;
