use clap::Args;

use super::AclForm;

/// How the topics are prepared.
#[derive(Debug, Args)]
pub(crate) struct Bootstrap {
    /// First tests whether the cluster keeps what exactly-once processing requires. If it does not, nothing
    /// is created and the exit code is 1. Takes about a minute, and removes what it made.
    #[arg(long)]
    pub(crate) probe: bool,
    /// Creates no topic: compares those that are there with what is wanted, for platforms that own their
    /// topics. Exit code 1 with every difference. With none, it writes the record that the roles ask for.
    #[arg(long, conflicts_with = "probe")]
    pub(crate) check: bool,
    /// Only prints the ACLs that each role needs, under the names of these settings.
    #[arg(
        long,
        value_name = "FORM",
        num_args = 0..=1,
        default_missing_value = "commands",
        conflicts_with_all = ["probe", "check"]
    )]
    pub(crate) acls: Option<AclForm>,
}
