//! From a verified body to acknowledged records: what is written, where, and what happens to what Kafka won't take.

pub(crate) mod outbound;
pub(crate) mod partition;
pub(crate) mod publish;
pub(crate) mod translate;
