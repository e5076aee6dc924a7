//! E2: whatever is planted in whichever text of an event, none of it is on the public topic or in the
//! warehouse.

use schemas::id::DedupeId;
use schemas::record::{RawRecord, RawView};
use serde_json::{Value, json};

use super::*;
use crate::domain::event::normalise::message_outcome;

/// A way to write something that must not be told, and the parts of it that must be gone. All but the last
/// few are strangers': the event names none of them.
const PLANTS: &[(&str, &[&str])] = &[
    ("ada.l@victim.example", &["ada.l"]),
    ("Ada <ada.l@victim.example>", &["ada.l"]),
    ("https%3A%2F%2Fx.io%2F%3Fe%3Dada.l%2540victim.example", &["ada.l"]),
    ("bounce+ba54ad.ffa1a-ada.l=victim.example@cio12345.mail.example.org", &["ada.l", "victim"]),
    ("bounce+ada.l==a==victim.example==t1@lists.example.org", &["ada.l", "victim"]),
    ("\"ada l\"@victim.example", &["ada l"]),
    ("=?utf-8?Q?ada.l=40victim.example?=", &["ada.l"]),
    ("=?utf-8?B?YWRhLmxAdmljdGltLmV4YW1wbGU=?=", &["YWRhLmx"]),
    ("/C=US/A=ATT/P=Org/S=Lovelace/G=Adaline/", &["Lovelace", "Adaline"]),
    ("ada.l@[192.0.2.7]", &["ada.l", "192.0.2.7"]),
    ("ada.l＠victim.example", &["ada.l"]),
    ("ada.l&#64;victim.example", &["ada.l"]),
    ("ada.l at victim.example", &["ada.l"]),
    ("ada.l [at] victim [dot] example", &["ada.l"]),
    ("+15550100031", &["5550100031"]),
    ("+1 555 010 0032", &["555 010 0032"]),
    ("(555) 010-0033", &["010-0033"]),
    ("tel:+1-555-010-0034", &["555-010-0034"]),
    ("number 15550100035", &["15550100035"]),
    (
        "dQw4w9WgXcQ:APA91bHPRgkF3JUikC4ENAHEeMrd41Zxv3hVZjC9KtT8OvPVGJ-hQMRKRrZuJAEcl7B338qju59zJMjw2DELjzEvxwYv7hH5Ynpc1ODQ0aT4U4OFEeco8ohsN5PjL1iC2dNtk2BAokeMCg2ZXKqpc8FXKmhX94kIxQ",
        &["APA91b"],
    ),
    ("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", &["0123456789abcdef"]),
    ("https://hooks.slack.com/services/T0AAA/B0BBB/s3cr3t", &["T0AAA", "s3cr3t"]),
    ("https://app.example.org/reset?token=s3cr3t", &["s3cr3t"]),
    ("https://ada:s3cr3t@x.io/", &["s3cr3t"]),
    // What the event names itself.
    ("own.name victim.example", &["own.name"]),
    ("own.name%victim.example", &["own.name"]),
    ("victim.example!own.name", &["own.name"]),
    ("555 010 0099", &["010 0099"]),
    ("5550100099", &["5550100099"]),
    ("tok-bbbb", &["tok-bbbb"]),
];

/// Where an event's texts stand. The empty name stands for a member's own name.
const PLACES: &[&str] = &[
    "/data/subject",
    "/data/href",
    "/data/failure_message",
    "/data/campaign_id",
    "/data/action_id",
    "/data/broadcast_id",
    "/data/newsletter_id",
    "/data/transactional_message_id",
    "/data/content_id",
    "/data/link_id",
    "/data/trigger_id",
    "/data/nested/deep/0",
    "/data/recipients/0/failure_message",
    "/data/recipients/0/device_platform",
    "/data/identifiers/other",
    "/top",
    "/data/to",
    "/data/tracked_response",
    "/metric",
    "",
];

fn event(channel: &str) -> Value {
    let texts = [
        "subject",
        "href",
        "failure_message",
        "campaign_id",
        "action_id",
        "broadcast_id",
        "newsletter_id",
        "link_id",
    ];
    let mut event = json!({"event_id": "e", "object_type": channel, "metric": "bounced", "top": "", "data": {
        "customer_id": "u1", "email_address": "own.name@victim.example", "delivery_id": "d", "trigger_id": "",
        "identifiers": {"id": "u1", "email": "own.name@victim.example", "phone": "+15550100099", "other": ""},
        "recipients": [{"device_id": "tok-bbbb", "device_platform": "", "failure_message": ""}],
        "transactional_message_id": "", "content_id": "", "nested": {"deep": [""]}, "to": "", "tracked_response": "",
    }});
    for text in texts {
        event["data"][text] = json!("");
    }
    event
}

fn told(event: &Value) -> String {
    let raw = RawRecord { bytes: event.to_string().into_bytes(), ..RawRecord::default() };
    let event = Event::parse(&raw.bytes).expect("an event");
    let raw = RawView::from(&raw);
    let outcome = message_outcome(&event, &raw, "u1", DedupeId([7; 16]), 0, &TokenKey::development().into());
    serde_json::to_string(&outcome).expect("serialises")
}

#[test]
fn every_plant_is_gone_from_every_place() {
    for channel in ["email", "sms", "push", "webhook", "customer"] {
        for place in PLACES.iter().copied() {
            for (plant, parts) in PLANTS.iter().copied() {
                let mut event = event(channel);
                match event.pointer_mut(place) {
                    Some(field) if !place.is_empty() => *field = json!(plant),
                    _ => event["data"][plant] = json!(1),
                }
                let told = told(&event);
                let left = parts.iter().find(|part| told.contains(**part));
                assert_eq!(left, None, "{plant} at {place:?} of {channel}: {told}");
            }
        }
    }
}

proptest! {
    /// The same amid other text, and several at once.
    #[test]
    fn a_plant_is_gone_amid_other_text(
        one in 0..PLANTS.len(), other in 0..PLANTS.len(), place in 0..3_usize,
        before in "([a-z5]{1,6}[ :;,<(]{1,2}){0,3}", after in "([ :;,>)]{1,2}[a-z5]{1,6}){0,3}",
    ) {
        let ((one, one_parts), (other, other_parts)) = (PLANTS[one], PLANTS[other]);
        let mut event = event("email");
        *event.pointer_mut(PLACES[place]).expect("the place is there") = json!(format!("{before} {one} {after}, {other}"));
        let told = told(&event);
        for part in one_parts.iter().chain(other_parts) {
            prop_assert!(!told.contains(part), "{} left of {}", part, event);
        }
    }
}
