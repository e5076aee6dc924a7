use clap::{Args, Subcommand};

/// What else can be done with processors.
#[derive(Debug, Subcommand)]
pub(crate) enum Processor {
    /// Takes instances that have stopped for good out of the consumer group. Others get their partitions in
    /// seconds, and not when the session times out. Without flags it is the instance of these settings.
    Leave(Leave),
}

/// Which instances leave.
#[derive(Debug, Args)]
pub(crate) struct Leave {
    /// Every instance whose name is this and a number of at least --from: what a scale-in has stopped.
    #[arg(long, value_name = "PREFIX", requires = "from")]
    pub(crate) instance_prefix: Option<String>,
    /// The least number.
    #[arg(long, value_name = "NUMBER", requires = "instance_prefix")]
    pub(crate) from: Option<u64>,
}
