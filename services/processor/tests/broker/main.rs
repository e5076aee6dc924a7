//! The processor against a real Kafka: each event once, across restarts, kills, lost disks, outages and
//! refusals.

mod bench;
mod crash;
mod guard;
mod outage;
mod refusal;
mod restart;
mod timer;
