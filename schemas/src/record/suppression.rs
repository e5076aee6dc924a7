use serde::{Deserialize, Serialize};

use super::Record;

/// A customer's whole set of suppression entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Suppression {
    /// The customer key.
    pub customer_id: String,
    /// The append time that caused this record. It never goes back. Unix milliseconds.
    pub as_of: i64,
    /// Every entry, active and lifted. Unix milliseconds.
    pub entries: Vec<SuppressionEntry>,
}

/// One reason not to send.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SuppressionEntry {
    /// A word of [`scope`](crate::vocabulary::scope).
    pub scope: String,
    /// The channel that it holds for: a word of [`channel`](crate::vocabulary::channel); `all` for a person.
    pub channel: String,
    /// The address's token, for scope address.
    pub token: Option<String>,
    /// A word of [`reason`](crate::vocabulary::reason), or another.
    pub reason: String,
    /// A word of [`class`](crate::vocabulary::class), or another.
    pub class: String,
    /// The policy's rule that made it.
    pub rule: String,
    /// The policy's version.
    pub policy_version: String,
    /// A word of [`origin`](crate::vocabulary::origin).
    pub origin: String,
    /// Ids of the events that caused it.
    pub evidence: Vec<String>,
    /// When it began. Unix milliseconds.
    pub since: i64,
    /// When it lifts or was lifted; null where it stays. Unix milliseconds.
    pub until: Option<i64>,
    /// A word of [`state`](crate::vocabulary::state).
    pub state: String,
    /// Why it was lifted: a word of [`lift_reason`](crate::vocabulary::lift_reason), or another.
    pub lift_reason: Option<String>,
    /// Ids of the events that lifted it.
    pub lift_evidence: Vec<String>,
}

impl Record for Suppression {
    const SCHEMA: &'static str = include_str!("../../avro/suppression.avsc");
    const VERSIONS: &'static [&'static str] = &[include_str!("../../avro/history/suppression/1.avsc")];
}
