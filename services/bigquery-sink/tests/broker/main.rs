//! The sink against a real Kafka: killed and resumed (S1), fed with what it can't store (S4), and with a
//! fresh file.

mod bench;
mod child;
mod gap;
mod group;
mod kill;
mod poison;
