//! Exactly once, whatever happens: the real binary on a real Kafka, seeded faults, and a judge that shares
//! nothing with it.

mod fault;
mod run;
mod scenario;
mod storm;
