//! Real nodes and a real client (librdkafka) against what the devkit promises of both.

mod client;
mod cluster;
mod proxy;
