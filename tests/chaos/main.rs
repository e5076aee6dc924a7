//! Exactly once, whatever happens: the real binary on a real Kafka, seeded faults, and a judge that shares nothing with it.

mod arena;
mod fault;
mod scenario;
mod storm;
