use clap::ValueEnum;

/// A destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sink {
    /// Traits and suppressions to Customer.io.
    Customerio,
    /// Outcomes to the warehouse.
    Bigquery,
}

/// A role whose settings can be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// `aftersend gateway`
    Gateway,
    /// `aftersend processor`
    Processor,
    /// `aftersend sink customerio`
    SinkCustomerio,
    /// `aftersend sink bigquery`
    SinkBigquery,
}

impl Role {
    /// Every role.
    pub(crate) const ALL: [Self; 4] =
        [Self::Gateway, Self::Processor, Self::SinkCustomerio, Self::SinkBigquery];
}

/// How ACLs are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AclForm {
    /// Commands for `kafka-acls.sh`.
    Commands,
    /// A Markdown table.
    Table,
}
