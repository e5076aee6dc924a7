use thiserror::Error;

/// Why the gateway can't run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// Kafka's client can't be made, or failed for good.
    #[error("kafka can't be used")]
    Kafka(#[source] kafka::Error),
    /// A topic it writes to isn't there.
    #[error("topic {topic} is missing: run `aftersend bootstrap`")]
    TopicMissing {
        /// The topic's name.
        topic: String,
    },
    /// The dead letters have not as many partitions as raw.
    #[error(
        "topic {topic} has {dead} partitions and raw has {raw}: they must be equal; recreate {topic} with {raw}"
    )]
    CountsDiffer {
        /// Raw's.
        raw: u32,
        /// The dead letters'.
        dead: u32,
        /// The dead letters' topic.
        topic: String,
    },
    /// A task of it was ended from outside, as by the end of its runtime.
    #[error("gateway was interrupted")]
    Interrupted,
}
