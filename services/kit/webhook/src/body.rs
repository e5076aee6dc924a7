//! A request's body: one event, or a batch of them.

use serde_json::value::RawValue;
use thiserror::Error;

use crate::event::{Event, NotUnderstood, Oddity};
use crate::object::Object;

/// One event as it stands in a body.
#[derive(Debug, Clone, PartialEq)]
pub struct Item<'a> {
    /// The exact slice of the body, from the event's `{` to its `}`. Of an item that is no object, the whole
    /// value.
    pub bytes: &'a [u8],
    /// The event, or why it is none. A batch's other items are not touched by it.
    pub event: Result<Event<'a>, NotUnderstood<'a>>,
}

/// Why a body as a whole can't be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// Not a single byte but whitespace.
    #[error("the body is empty")]
    Empty,
    /// The vendor sends UTF-8, as RFC 8259 wants.
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// Not JSON, or more than one value.
    #[error("the body is not JSON")]
    MalformedJson,
    /// JSON, but neither an event nor a batch.
    #[error("the body is not a JSON object or array")]
    NotAnObject,
}

impl Unreadable {
    /// Every kind, for tables and metric labels.
    pub const ALL: [Self; 4] = [Self::Empty, Self::NotUtf8, Self::MalformedJson, Self::NotAnObject];

    /// The dead letter's reason.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty_body",
            Self::NotUtf8 => "not_utf8",
            Self::MalformedJson => "malformed_json",
            Self::NotAnObject => "not_an_object",
        }
    }
}

/// Splits a body into its events.
///
/// An object with an `events` array and no `metric` is a batch, which may be empty; any other object is one
/// event. A bare array is a batch too: some relays collect events so, and nothing in it is ambiguous. Each of
/// its events is marked odd. Where `events` is repeated, the items of all of them count: an event must not
/// get lost in a sender's slip.
///
/// # Errors
/// Only where the whole is no JSON object and no array, see [`Unreadable`].
pub fn items(body: &[u8]) -> Result<Vec<Item<'_>>, Unreadable> {
    let json =
        std::str::from_utf8(body).map_err(|_| Unreadable::NotUtf8)?.trim_matches([' ', '\t', '\r', '\n']);
    if json.is_empty() {
        return Err(Unreadable::Empty);
    }
    if json.starts_with('[') {
        let values = serde_json::from_str::<Vec<&RawValue>>(json).map_err(|_| Unreadable::MalformedJson)?;
        return Ok(values.into_iter().map(|value| bare_item(value.get())).collect());
    }
    let Some(object) = Object::read(json) else {
        let is_json = serde_json::from_str::<&RawValue>(json).is_ok();
        return Err(if is_json { Unreadable::NotAnObject } else { Unreadable::MalformedJson });
    };
    Ok(match batch(&object) {
        Some(values) => values.into_iter().map(|value| item(value.get())).collect(),
        None => vec![item(json)],
    })
}

fn batch<'a>(object: &Object<'a>) -> Option<Vec<&'a RawValue>> {
    if object.all("metric").next().is_some() {
        return None;
    }
    let arrays = object.all("events").map(|events| serde_json::from_str::<Vec<&RawValue>>(events).ok());
    let arrays = arrays.collect::<Option<Vec<_>>>()?;
    (!arrays.is_empty()).then(|| arrays.concat())
}

fn item(json: &str) -> Item<'_> {
    Item { bytes: json.as_bytes(), event: Event::parse(json.as_bytes()) }
}

/// An item of a bare array.
fn bare_item(json: &str) -> Item<'_> {
    let mut item = item(json);
    if let Ok(event) = &mut item.event {
        event.oddities.add(Oddity::BareArray);
    }
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_no_object_is_unreadable_as_a_whole() {
        for (body, why) in [
            (&b""[..], Unreadable::Empty),
            (b" \r\n", Unreadable::Empty),
            (b"\xff{}", Unreadable::NotUtf8),
            (b"{\"metric\":\"\xc3\"}", Unreadable::NotUtf8),
            (b"{\"metric\":\"sent\"", Unreadable::MalformedJson),
            (b"{\"metric\":\"sent\"}{}", Unreadable::MalformedJson),
            (b"\xef\xbb\xbf{}", Unreadable::MalformedJson),
            (b"[{\"metric\":\"sent\"}", Unreadable::MalformedJson),
            (b"[{\"metric\":\"sent\"}]{}", Unreadable::MalformedJson),
            (b"null", Unreadable::NotAnObject),
            (b"\"{}\"", Unreadable::NotAnObject),
        ] {
            assert_eq!(items(body), Err(why), "{body:?}");
        }
    }

    #[test]
    fn an_item_that_is_not_understood_is_so_alone() {
        let body = br#" { "events" : [ {"metric":"sent"} , 7 , {"metric":""} , {"x":1} , null , {"metric":"opened" } ] } "#;
        let items = items(body).expect("a batch");
        let read = items.iter().map(|item| {
            (std::str::from_utf8(item.bytes).expect("JSON"), item.event.as_ref().map_err(NotUnderstood::code))
        });
        let read = read.map(|(bytes, event)| (bytes, event.map(|event| event.metric.as_ref())));
        assert_eq!(
            read.collect::<Vec<_>>(),
            [
                (r#"{"metric":"sent"}"#, Ok("sent")),
                ("7", Err("not_an_object")),
                (r#"{"metric":""}"#, Err("no_metric")),
                (r#"{"x":1}"#, Err("no_metric")),
                ("null", Err("not_an_object")),
                (r#"{"metric":"opened" }"#, Ok("opened")),
            ]
        );
    }

    #[test]
    fn a_bare_array_is_a_batch() {
        let items = items(b" [ {\"metric\":\"sent\"} , 7,{\"metric\":\"opened\"}] ").expect("a batch");
        let read = items.iter().map(|item| {
            let oddities = item.event.as_ref().map(|event| event.oddities.iter().collect::<Vec<_>>());
            (std::str::from_utf8(item.bytes).expect("JSON"), oddities.map_err(NotUnderstood::code))
        });
        assert_eq!(
            read.collect::<Vec<_>>(),
            [
                (r#"{"metric":"sent"}"#, Ok(vec![Oddity::BareArray])),
                ("7", Err("not_an_object")),
                (r#"{"metric":"opened"}"#, Ok(vec![Oddity::BareArray])),
            ]
        );
        assert_eq!(super::items(b"[]"), Ok(vec![]));
    }

    #[test]
    fn a_batch_may_be_empty_and_an_event_may_have_a_field_named_events() {
        assert_eq!(items(br#"{"events":[]}"#), Ok(vec![]));
        assert_eq!(items(br#"{"metric":"sent","events":[1,2]}"#).expect("an event").len(), 1);
        assert_eq!(items(br#"{"events":7}"#).expect("an object").len(), 1);
        assert_eq!(items(br#"{"events":[{}],"events":[{},{}]}"#).expect("a batch").len(), 3);
    }
}
