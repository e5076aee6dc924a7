//! An event's fields, looked up where senders put them.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{Device, Ids};
use crate::field::{Field, Level};
use crate::object::{Found, Object, text};
use crate::rest::{Leftover, Rest};

/// Message bodies: not read, and not among the rest.
pub(super) const BODIES: [Field; 3] = [Field::Content, Field::Headers, Field::Body];

/// Where fields are looked for: the vendor's `data`, then the top level.
pub(super) struct Fields<'a> {
    pub(super) data: Level<'a>,
    pub(super) top: Level<'a>,
    pub(super) identifiers_rest: Rest<'a>,
}

impl<'a> Fields<'a> {
    pub(super) fn read<T>(&mut self, field: Field, read: impl Fn(&'a str) -> Option<T>) -> Option<T> {
        self.data.take(field, &read).value().or_else(|| self.top.take(field, &read).value())
    }

    pub(super) fn text(&mut self, field: Field) -> Option<Cow<'a, str>> {
        self.read(field, text)
    }

    /// Takes all that is there: left over, a push token would be taken for a text.
    pub(super) fn devices(&mut self) -> Vec<Device<'a>> {
        let [data, top] = [&mut self.data, &mut self.top].map(|level| {
            level.take(Field::Recipients, |json| Some(devices(json))).value().unwrap_or_default()
        });
        if data.is_empty() { top } else { data }
    }

    /// Takes the three that make a customer key; others (a phone) stay in `rest` under the same name.
    pub(super) fn identifiers(&mut self) -> Option<Ids<'a>> {
        let mut object = self.read(Field::Identifiers, Object::read)?;
        let ids = Ids {
            id: object.take("id", text).value(),
            email: object.take("email", text).value(),
            cio_id: object.take("cio_id", text).value(),
        };
        self.identifiers_rest = object.rest();
        Some(ids)
    }

    /// A failure message that is an object or a list, as text. The member itself stays in the rest.
    pub(super) fn failure_of_parts(&self) -> Option<Cow<'a, str>> {
        let levels = [&self.data, &self.top];
        let first = levels.into_iter().filter_map(|level| level.all(Field::FailureMessage).next());
        first.filter_map(joined).next().map(Cow::Owned)
    }

    pub(super) fn holds(&self, field: Field) -> bool {
        self.data.all(field).chain(self.top.all(field)).any(|json| json != "null")
    }

    pub(super) fn rest(self, except: &[Field]) -> Rest<'a> {
        let mut rest: Rest<'a> = self.data.leave(except).chain(self.top.leave(except)).collect();
        if !self.identifiers_rest.is_empty() {
            rest.add("identifiers", Leftover::Members(self.identifiers_rest));
        }
        rest
    }
}

fn devices(json: &str) -> Vec<Device<'_>> {
    let items = serde_json::from_str::<Vec<&RawValue>>(json);
    let items = items.map_or_else(|_| vec![json], |items| items.into_iter().map(RawValue::get).collect());
    items.into_iter().map(device).filter(|device| *device != Device::default()).collect()
}

fn device(json: &str) -> Device<'_> {
    match Object::read(json) {
        Some(mut object) => Device {
            device_id: object.take("device_id", text).value(),
            platform: object.take("device_platform", text).value(),
            failure_message: object
                .take("failure_message", |json| text(json).or_else(|| joined(json).map(Cow::Owned)))
                .value(),
        },
        None => Device { device_id: Found::of(Some(json), text).value(), ..Device::default() },
    }
}

/// How deep a failure message's objects and lists are read.
const DEPTH_MAX: usize = 16;

/// The texts and numbers of an object or a list, as written, with blanks between; `None` where there are
/// none.
fn joined(json: &str) -> Option<String> {
    let mut parts = Vec::new();
    if json.starts_with(['{', '[']) {
        gather(json, DEPTH_MAX, &mut parts);
    }
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn gather<'a>(json: &'a str, depth: usize, parts: &mut Vec<Cow<'a, str>>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    if let Some(object) = Object::read(json) {
        object.members().iter().for_each(|member| gather(member.json, depth, parts));
    } else if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(json) {
        items.into_iter().for_each(|item| gather(item.get(), depth, parts));
    } else {
        parts.extend(text(json).filter(|text| !text.is_empty()));
    }
}
