//! Message bodies inside an event, and the event without them.

use crate::object::Object;

/// Members that hold a message's body: `content` and `headers` come where the workspace sends body content,
/// `body` from other senders.
pub(crate) const BODIES: [&str; 3] = ["content", "headers", "body"];

/// The event without its message bodies, at the top level and in `data`; `None` where there is nothing to
/// take out.
///
/// For an event that a topic cannot hold (G7). All other values keep their bytes; only the whitespace between
/// members and the escapes in their names may change.
#[must_use]
pub fn strip(bytes: &[u8]) -> Option<Vec<u8>> {
    let json = std::str::from_utf8(bytes).ok()?;
    let top = Object::read(json)?;
    let data = top.all("data").next().and_then(Object::read);
    if !holds_body(&top) && !data.as_ref().is_some_and(holds_body) {
        return None;
    }
    let data = data.map(|data| write(data.members().iter().map(|member| (&*member.name, member.json))));
    let members = top.members().iter().map(|member| match &data {
        Some(data) if member.name == "data" => (&*member.name, data.as_str()),
        _ => (&*member.name, member.json),
    });
    Some(write(members).into_bytes())
}

fn holds_body(object: &Object<'_>) -> bool {
    BODIES.iter().any(|name| object.all(name).next().is_some())
}

fn write<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut json = String::from("{");
    for (name, value) in members.filter(|(name, _)| !BODIES.contains(name)) {
        if json.len() > 1 {
            json.push(',');
        }
        json.push_str(&serde_json::Value::from(name).to_string());
        json.push(':');
        json.push_str(value);
    }
    json.push('}');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_go_and_every_other_byte_of_a_value_stays() {
        let event = br#"{"metric" : "sent", "data":{ "n": 1.50 ,"content":"<html>","headers":{"X":["1"]},"s":"\u00e9"},"body":"b"}"#;
        let stripped = strip(event).expect("has bodies");
        assert_eq!(stripped, br#"{"metric":"sent","data":{"n":1.50,"s":"\u00e9"}}"#);
        assert_eq!(strip(&stripped), None);
    }

    #[test]
    fn what_holds_no_body_is_left_alone() {
        for event in [&br#"{"metric":"sent","data":{"subject":"content"}}"#[..], b"[1]", b"\xff", b""] {
            assert_eq!(strip(event), None);
        }
    }
}
