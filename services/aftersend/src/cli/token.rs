use clap::{Args, ValueEnum};
use schemas::token;

/// Addresses to turn into tokens. The secret is `AFTERSEND_TOKEN_KEY`.
#[derive(Debug, Args)]
pub(crate) struct Token {
    /// E-mail addresses, or what `--kind` says. Each token is a line of standard output, in the same order.
    #[arg(required = true, value_name = "ADDRESS")]
    pub(crate) addresses: Vec<String>,
    /// What kind of address each is.
    #[arg(long, default_value = "email")]
    pub(crate) kind: AddressKind,
}

/// The kinds of addresses that stand on the public topics as tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AddressKind {
    /// An e-mail address.
    Email,
    /// A telephone number in E.164.
    Phone,
    /// A push device's token.
    Device,
}

impl From<AddressKind> for token::Kind {
    fn from(kind: AddressKind) -> Self {
        match kind {
            AddressKind::Email => Self::Email,
            AddressKind::Phone => Self::Phone,
            AddressKind::Device => Self::Device,
        }
    }
}
