use thiserror::Error;

/// Why the gateway can't run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The Kafka client can't be made, or failed for good.
    #[error("kafka can't be used")]
    Kafka(#[source] kafka::Error),
    /// A topic that the gateway writes to is missing.
    #[error("topic {topic} is missing: run `aftersend bootstrap`")]
    TopicMissing {
        /// The topic's name.
        topic: String,
    },
    /// The dead letters' topic and raw do not have the same number of partitions.
    #[error(
        "topic {topic} has {dead} partitions and raw has {raw}: they must be equal; recreate {topic} with {raw}"
    )]
    CountsDiffer {
        /// Raw's partition count.
        raw: u32,
        /// The dead letters' partition count.
        dead: u32,
        /// The name of the dead letters' topic.
        topic: String,
    },
    /// A task of the gateway was ended from outside, for example by the end of its runtime.
    #[error("gateway was interrupted")]
    Interrupted,
}
