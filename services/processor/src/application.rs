//! The application: every name by which Kafka and the disk tell one processor's work from another's.
//!
//! All processors of one application share their work. Two applications share raw and nothing else, so that a
//! second one can read the same input for a replay or a comparison. Everything derives from the id, so that
//! no two settings can disagree: two groups on the same changelogs would count each event twice.

use schemas::topic::Topics;
use settings::Value;

use crate::state::meta::OffsetMark;

/// The consumer group of the default application, before the prefix.
const GROUP: &str = "aftersend.processor";
/// What the text beside an offset of another application than the default one begins with.
const MARK: &str = "2";

/// Names an application.
///
/// It has no `-`, which separates the parts of a transactional id, and no `.`, which separates those of a
/// group's and a topic's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationId(String);

impl Value for ApplicationId {
    const SHAPE: &'static str = "1 to 32 of the characters a to z and 0 to 9";

    fn parse(text: &str) -> Result<Self, String> {
        let is_sound = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !is_sound || !(1..=32).contains(&text.len()) {
            return Err(format!("{} bytes", text.len()));
        }
        Ok(Self(text.to_owned()))
    }
}

/// An application under a topic prefix.
#[derive(Debug, Clone)]
pub struct Application {
    /// Empty for the default application.
    id: String,
    group: String,
    topics: Topics,
}

impl Application {
    /// The application `id` under `prefix`, which may be empty. Without an id it is the default application.
    #[must_use]
    pub fn new(prefix: &str, id: Option<&ApplicationId>) -> Self {
        let text = id.map_or("", |id| id.0.as_str());
        let group = format!("{prefix}{}", group(id));
        Self { id: text.to_owned(), group, topics: Topics::of_application(prefix, text) }
    }

    /// The id. Empty for the default application.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The consumer group, prefix included.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.group
    }

    /// The names of its topics.
    #[must_use]
    pub fn topics(&self) -> &Topics {
        &self.topics
    }

    /// The static member id of `instance`.
    pub(crate) fn member_id(&self, instance: &str) -> String {
        format!("{}-{instance}", self.group)
    }

    /// The transactional id of one `part` of `instance`, such as a worker's number.
    pub(crate) fn transactional_id(&self, instance: &str, part: &dyn std::fmt::Display) -> String {
        format!("{}-{instance}-{part}", self.group)
    }

    /// The transactional id of an operator's reset.
    pub(crate) fn reset_id(&self) -> String {
        format!("{}-reset", self.group)
    }

    /// The folder of the stores of `input`, inside the state folder.
    pub(crate) fn store_folder(&self, input: &str) -> String {
        if self.id.is_empty() { input.to_owned() } else { format!("{input}.{}", self.id) }
    }

    /// The text to commit beside an offset: `mark`, and whose it is. Only the default application's is `mark`
    /// as it is.
    pub(crate) fn offset_metadata(&self, mark: &str) -> String {
        if self.id.is_empty() { mark.to_owned() } else { format!("{MARK}:{}:{mark}", self.id) }
    }

    /// The mark in a text that [`Self::offset_metadata`] made for this application; `None` for any other
    /// text.
    pub(crate) fn own_mark<'a>(&self, metadata: &'a str) -> Option<&'a str> {
        if self.id.is_empty() {
            return (!metadata.starts_with(&format!("{MARK}:"))).then_some(metadata);
        }
        let after = metadata.strip_prefix(MARK)?.strip_prefix(':')?;
        after.strip_prefix(&self.id)?.strip_prefix(':')
    }

    /// What the text beside a committed offset says to this application.
    pub(crate) fn read_mark(&self, metadata: &str) -> OffsetMark {
        match self.own_mark(metadata) {
            _ if metadata.is_empty() => OffsetMark::Bare,
            Some(mark) => OffsetMark::parse(mark),
            None => OffsetMark::Alien,
        }
    }
}

/// The consumer group of an application, before the prefix.
pub(crate) fn group(id: Option<&ApplicationId>) -> String {
    id.map_or_else(|| GROUP.to_owned(), |ApplicationId(id)| format!("{GROUP}.{id}"))
}

#[cfg(test)]
mod tests {
    use schemas::topic::Topic;

    use super::*;
    use crate::state::meta::{Incarnation, Meta};
    use kafka::NextOffset;

    fn application(id: &str) -> Application {
        let id = (!id.is_empty()).then(|| ApplicationId::parse(id).expect("sound"));
        Application::new("acme.", id.as_ref())
    }

    /// A running fleet must find its group, its changelogs, its disks and its offsets again.
    #[test]
    fn the_default_application_has_the_names_of_before_there_were_applications() {
        let default = application("");
        assert_eq!(default.group(), "acme.aftersend.processor");
        assert_eq!(default.member_id("pod-0"), "acme.aftersend.processor-pod-0");
        assert_eq!(default.transactional_id("pod-0", &3), "acme.aftersend.processor-pod-0-3");
        assert_eq!(default.topics().name(Topic::State), "acme.outcomes.processor.state.v1");
        assert_eq!(default.store_folder("acme.outcomes.raw.v1"), "acme.outcomes.raw.v1");
        assert_eq!(default.offset_metadata("1:x:7"), "1:x:7");
    }

    #[test]
    fn two_applications_share_no_name() {
        let names = |id: &str| {
            let of = application(id);
            let topics =
                [Topic::State, Topic::Dedupe, Topic::Meta].map(|topic| of.topics().name(topic).to_owned());
            let ids = [of.group().to_owned(), of.member_id("a"), of.transactional_id("a", &0), of.reset_id()];
            [&topics[..], &ids[..], &[of.store_folder("raw"), of.offset_metadata("1:x:7")][..]].concat()
        };
        let all: Vec<String> = ["", "a", "b", "a0"].into_iter().flat_map(names).collect();
        let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "{all:?}");
    }

    #[test]
    fn an_offset_of_another_application_is_nobody_s_own() {
        let meta = Meta::beginning(Incarnation::new([7; 16]), NextOffset(3));
        let ours = OffsetMark::parse(&meta.offset_metadata());
        for one in ["", "a", "ab"] {
            for other in ["", "a", "ab"] {
                let text = application(one).offset_metadata(&meta.offset_metadata_of(9));
                let wanted = if one == other { ours } else { OffsetMark::Alien };
                assert_eq!(application(other).read_mark(&text), wanted, "{text} read by {other:?}");
            }
            assert_eq!(application(one).read_mark(""), OffsetMark::Bare);
        }
    }

    #[test]
    fn an_id_has_no_separator_of_any_name() {
        for unsound in ["", "A", "a-b", "a.b", "a_b", "a:b", "ä", &"a".repeat(33)] {
            assert!(ApplicationId::parse(unsound).is_err(), "{unsound:?}");
        }
        assert!(ApplicationId::parse(&"a0".repeat(16)).is_ok());
    }
}
