//! The gateway as its sender sees it, in front of a real broker.

mod endpoint;
mod harness;
mod outage;
