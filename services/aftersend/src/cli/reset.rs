use clap::{Args, Subcommand, ValueEnum};

/// A role that can be reset.
#[derive(Debug, Subcommand)]
pub(crate) enum Reset {
    /// The processor's state, while no processor runs. Prints what it would do, and does it only with --yes.
    Processor(ResetProcessor),
}

/// A reset of the processor.
#[derive(Debug, Args)]
pub(crate) struct ResetProcessor {
    /// What is given up.
    pub(crate) given_up: GivenUp,
    /// Only this partition; may be given several times.
    #[arg(long = "partition", value_name = "PARTITION")]
    pub(crate) partitions: Vec<i32>,
    /// Do it. A reset cannot be undone.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// What a reset gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GivenUp {
    /// Input that was deleted before it was read, and ids that the dedupe changelog has lost. Customers are
    /// kept.
    AcceptLoss,
    /// Every customer and every id. The input is read again from its beginning, and its outcomes are emitted
    /// again.
    StartOver,
}
