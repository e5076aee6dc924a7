use std::fmt;

use serde::{Deserialize, Serialize};

use super::Record;

/// What another team asks of a customer's record.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Command {
    /// consent, activity, suppress, unsuppress or erase.
    pub kind: String,
    /// The issuer's id of this command; commands without one are told apart by their position.
    pub command_id: Option<String>,
    /// The team or system that asks.
    pub issuer: String,
    /// The customer's id; exactly one of customer_id, cio_id and email is given.
    pub customer_id: Option<String>,
    /// The customer's Customer.io id, without prefix.
    pub cio_id: Option<String>,
    /// The customer's e-mail address.
    pub email: Option<String>,
    /// When the fact came true, by the issuer's clock. Unix milliseconds.
    pub occurred_at: i64,
    /// A word of [`channel`](crate::vocabulary::channel); null for all channels.
    pub channel: Option<String>,
    /// For consent: whether it is given.
    pub granted: Option<bool>,
    /// For activity: visit, purchase or another name.
    pub activity: Option<String>,
    /// Why, in the issuer's words; required for suppress and unsuppress.
    pub reason: Option<String>,
    /// For erase: forget the opt-out too.
    pub forget_opt_out: bool,
}

impl Record for Command {
    const SCHEMA: &'static str = include_str!("../../avro/command.avsc");
    const VERSIONS: &'static [&'static str] = &[include_str!("../../avro/history/command/1.avsc")];
}

/// Lengths instead of contents: a payload or an address has no place in a log or a panic (E2).
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("kind", &self.kind)
            .field("command_id", &self.command_id)
            .field("issuer", &self.issuer)
            .field("occurred_at", &self.occurred_at)
            .finish_non_exhaustive()
    }
}
