//! What all roles must agree on before they start. It stands on the meta topic, under [`KEY`], as JSON.

use serde::{Deserialize, Serialize};

/// The key of the one record.
pub const KEY: &str = "topology";

/// Facts that must not change while data is on the topics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    /// Partitions of raw, and of every topic with raw's partitioning.
    pub partitions: u32,
    /// How values are framed: `single-object`, or `confluent` with a registry.
    pub framing: String,
    /// [`TokenKey::fingerprint`](crate::token::TokenKey::fingerprint) of the key that made the tokens.
    pub token_key: String,
    /// Whether ids that look like addresses are tokenised.
    pub tokenised_ids: bool,
    /// The processor's application whose topics these are. Empty for the default application.
    #[serde(default)]
    pub application_id: String,
}

impl Topology {
    /// How `self`, the stored topology, differs from what a role was `configured` with: a sentence for each
    /// difference, with what to do about it.
    #[must_use]
    pub fn differences(&self, configured: &Self) -> Vec<String> {
        let mut found = Vec::new();
        if self.partitions != configured.partitions {
            found.push(format!(
                "the topics have {} partitions and {} are configured: set partitions = {}, since a changed count would \
                 send customers to other partitions than their state",
                self.partitions, configured.partitions, self.partitions
            ));
        }
        if self.framing != configured.framing {
            found.push(format!(
                "the topics are framed as {} and {} is configured",
                self.framing, configured.framing
            ));
        }
        if self.token_key != configured.token_key {
            found.push(
                "AFTERSEND_TOKEN_KEY is not the key that made the tokens on the topics: use that key again, or another \
                 topic prefix"
                    .to_owned(),
            );
        }
        if self.tokenised_ids != configured.tokenised_ids {
            found.push(
                "tokenising of address-like ids was switched after data was written: switch it back"
                    .to_owned(),
            );
        }
        if self.application_id != configured.application_id {
            found.push(format!(
                "the topics belong to the application {:?} and {:?} is configured: set processor.application_id to what \
                 they were made for, and copy no topic under another application's name",
                self.application_id, configured.application_id
            ));
        }
        found
    }
}
