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
    /// How new the stored formats may be that roles write: `aftersend finalize-upgrade` raises it. Versions
    /// that don't know this field know the first level only.
    #[serde(default = "first_level")]
    pub formats: u32,
}

fn first_level() -> u32 {
    1
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The record of a version that wrote no level yet.
    #[test]
    fn topics_of_the_version_before_stay_at_the_first_level_of_formats() {
        let stored = r#"{"partitions":6,"framing":"single-object","token_key":"k","tokenised_ids":false}"#;
        let stored: Topology = serde_json::from_str(stored).expect("reads");
        assert_eq!(stored.formats, 1);
        // The level is raised on its own, and is no setting that a role could differ in.
        assert!(stored.differences(&Topology { formats: 9, ..stored.clone() }).is_empty());
    }
}
