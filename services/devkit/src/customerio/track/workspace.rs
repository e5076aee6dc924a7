//! All profiles, and what operations do to them. No clock and no network.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::identifier::Identifier;
use super::operation::{Action, Operation};
use super::profile::{Profile, Write};

/// What the workspace counted. Every operation that passed the checks is counted in `operations`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Requests to `batch` and `entity`, refused ones included.
    pub requests: u64,
    /// Operations taken from them.
    pub operations: u64,
    /// Of these, identifies that reached a profile.
    pub identifies: u64,
    /// Of these, events (`event`, `page`, `screen`) that reached a profile.
    pub events: u64,
    /// Of these, events whose id had been seen.
    pub duplicate_events: u64,
    /// Profiles created by operations.
    pub created: u64,
    /// Attribute writes ignored because a newer one had been there: a sender that keeps a person's writes in
    /// order causes none.
    pub stale_attributes: u64,
    /// Failed attribute changes: `_update: true` for a person who isn't there, an identifier that belongs to
    /// somebody else, one attribute too many. The API answers 200 to each, as the vendor does.
    pub failed_changes: u64,
    /// Operations dropped in silence: by a cio_id that isn't there, or for a suppressed person.
    pub dropped: u64,
    /// Items answered with an entry in a 207, or a 400 of their own.
    pub rejected: u64,
    /// Requests answered 400 as a whole.
    pub malformed: u64,
    /// Requests answered 401.
    pub unauthorized: u64,
    /// Requests over the rate limit, answered 429.
    pub limited: u64,
    /// Requests that a [`Fault`](super::Fault) answered.
    pub injected: u64,
    /// Requests for a path this stand-in doesn't have.
    pub unknown: u64,
}

/// A profile destroyed, and by what.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Destruction {
    /// `delete`, `suppress` or `merge`.
    pub action: &'static str,
    /// Whom it named.
    pub identifier: Identifier,
}

/// The workspace: its people and its numbers.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    profiles: HashMap<String, Profile>,
    by_id: HashMap<String, String>,
    by_email: HashMap<String, String>,
    suppressed: HashSet<Identifier>,
    event_ids: HashSet<String>,
    pub(super) destroyed: Vec<Destruction>,
    pub(super) counts: Counts,
}

impl Workspace {
    /// The profile of that person.
    pub(super) fn profile(&self, identifier: &Identifier) -> Option<&Profile> {
        self.profiles.get(self.cio_id(identifier)?)
    }

    /// All profiles, in no order.
    pub(super) fn profiles(&self) -> impl Iterator<Item = &Profile> {
        self.profiles.values()
    }

    /// Puts a profile in.
    pub(super) fn insert(&mut self, profile: Profile) {
        if let Some(id) = &profile.id {
            self.by_id.insert(id.clone(), profile.cio_id.clone());
        }
        if let Some(email) = &profile.email {
            self.by_email.insert(email.to_lowercase(), profile.cio_id.clone());
        }
        self.profiles.insert(profile.cio_id.clone(), profile);
    }

    /// Carries an operation out. `now_s` stands in for a missing timestamp.
    pub(super) fn apply(&mut self, operation: Operation, now_s: i64) {
        self.counts.operations += 1;
        let Operation { identifier, action, timestamp_s } = operation;
        if self.suppressed.contains(&identifier) && !matches!(action, Action::Unsuppress) {
            self.counts.dropped += 1;
            return;
        }
        match action {
            Action::Identify { attributes, update_only } => {
                self.identify(&identifier, attributes, update_only, timestamp_s.unwrap_or(now_s));
            }
            Action::Event { id } => self.event(&identifier, id),
            Action::Delete => self.destroy("delete", identifier),
            Action::Suppress => self.suppress(identifier),
            Action::Unsuppress => {
                self.suppressed.remove(&identifier);
            }
            Action::Merge { secondary } => {
                if self.profile(&identifier).is_some() {
                    self.destroy("merge", secondary);
                }
            }
            Action::Other => {}
        }
    }

    fn cio_id<'a>(&'a self, identifier: &'a Identifier) -> Option<&'a String> {
        match identifier {
            Identifier::Id(id) => self.by_id.get(id),
            Identifier::Email(email) => self.by_email.get(email),
            Identifier::CioId(cio_id) => Some(cio_id),
        }
    }

    fn identify(
        &mut self,
        identifier: &Identifier,
        attributes: Map<String, Value>,
        update_only: bool,
        timestamp_s: i64,
    ) {
        if update_only && self.profile(identifier).is_none() {
            self.counts.failed_changes += 1;
            return;
        }
        let Some(cio_id) = self.reach(identifier) else { return };
        self.counts.identifies += 1;
        for (name, value) in attributes {
            match name.as_str() {
                "id" | "email" | "cio_id" => self.name(&cio_id, identifier, &name, &value),
                "_timestamp" | "anonymous_id" | "cio_relationships" => {}
                _ => self.write(&cio_id, &name, value, timestamp_s),
            }
        }
        if let Some(profile) = self.profiles.get_mut(&cio_id) {
            profile.identifies += 1;
        }
    }

    fn write(&mut self, cio_id: &str, name: &str, value: Value, timestamp_s: i64) {
        let Some(profile) = self.profiles.get_mut(cio_id) else { return };
        match profile.write(name, value, timestamp_s) {
            Write::Taken => {}
            Write::Stale => self.counts.stale_attributes += 1,
            Write::Refused => self.counts.failed_changes += 1,
        }
    }

    /// Gives a profile an identifier it didn't have. One that belongs to another profile, or would replace
    /// one of its own, fails, unless the person was named by cio_id.
    fn name(&mut self, cio_id: &str, named_by: &Identifier, field: &str, value: &Value) {
        let value = value.as_str().unwrap_or_default();
        let (identifier, email) = match field {
            "id" => (Identifier::id(value), false),
            "email" => (Identifier::email(value), true),
            _ => (Identifier::cio_id(value), false),
        };
        let owner = self.profile(&identifier).map(|profile| profile.cio_id.clone());
        if owner.as_deref() == Some(cio_id) {
            return;
        }
        let Some(mut profile) = self.profiles.get(cio_id).cloned() else { return };
        let held = if email { &mut profile.email } else { &mut profile.id };
        let replaces = held.is_some() && !matches!(named_by, Identifier::CioId(_));
        if field == "cio_id" || owner.is_some() || replaces {
            self.counts.failed_changes += 1;
            return;
        }
        let former = held.replace(value.to_owned());
        match former {
            Some(former) if email => self.by_email.remove(&former.to_lowercase()),
            Some(former) => self.by_id.remove(&former),
            None => None,
        };
        self.insert(profile);
    }

    fn event(&mut self, identifier: &Identifier, id: Option<String>) {
        if id.is_some_and(|id| !self.event_ids.insert(id)) {
            self.counts.duplicate_events += 1;
            return;
        }
        let Some(cio_id) = self.reach(identifier) else { return };
        self.counts.events += 1;
        if let Some(profile) = self.profiles.get_mut(&cio_id) {
            profile.events += 1;
        }
    }

    /// The person's cio_id; an id or an address that nobody has makes a new person, a cio_id doesn't.
    fn reach(&mut self, identifier: &Identifier) -> Option<String> {
        if let Some(profile) = self.profile(identifier) {
            return Some(profile.cio_id.clone());
        }
        let mut profile = Profile::default();
        match identifier {
            Identifier::Id(id) => profile.id = Some(id.clone()),
            Identifier::Email(email) => profile.email = Some(email.clone()),
            Identifier::CioId(_) => {
                self.counts.dropped += 1;
                return None;
            }
        }
        self.counts.created += 1;
        profile.cio_id = format!("ffffff{:06x}", self.counts.created);
        let cio_id = profile.cio_id.clone();
        self.insert(profile);
        Some(cio_id)
    }

    /// Both of a person's identifiers are ignored from then on, whichever was named.
    fn suppress(&mut self, identifier: Identifier) {
        let names = self.profile(&identifier).map(|profile| (profile.id.clone(), profile.email.clone()));
        let (id, email) = names.unwrap_or_default();
        self.suppressed.extend(id.map(Identifier::Id));
        self.suppressed.extend(email.map(|email| Identifier::email(&email)));
        self.suppressed.insert(identifier.clone());
        self.destroy("suppress", identifier);
    }

    /// Recorded whether or not there was such a person: that it was asked for is what matters.
    fn destroy(&mut self, action: &'static str, identifier: Identifier) {
        let cio_id = self.cio_id(&identifier).cloned();
        if let Some(profile) = cio_id.and_then(|cio_id| self.profiles.remove(&cio_id)) {
            self.by_id.retain(|_, cio_id| *cio_id != profile.cio_id);
            self.by_email.retain(|_, cio_id| *cio_id != profile.cio_id);
        }
        self.destroyed.push(Destruction { action, identifier });
    }
}
