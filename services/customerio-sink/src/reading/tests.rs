use std::collections::BTreeSet;

use customerio::Attribute;
use kafka::RecordOffset;
use proptest::prelude::*;
use schemas::record::SuppressionEntry;

use super::*;

const HOUR_MS: i64 = 3_600_000;
const NOW_MS: i64 = 1_767_225_600_123;

fn incoming(key: &str, value: Option<Vec<u8>>) -> Incoming {
    Incoming {
        topic: "outcomes.trait.v1".into(),
        partition: 0,
        offset: RecordOffset(0),
        timestamp_ms: NOW_MS,
        key: Some(key.as_bytes().to_vec()),
        value,
        headers: Vec::new(),
    }
}

fn traits(key: &str) -> CustomerTraits {
    CustomerTraits {
        customer_id: key.to_owned(),
        revision: 4,
        as_of: NOW_MS - 1,
        changed: vec!["email_bounced".to_owned(), "email_bounced_at".to_owned()],
        email_bounced: Some(true),
        email_bounced_at: Some(NOW_MS - 10_000),
        complaint_count: Some(2),
        unsubscribed: Some(true),
        ..CustomerTraits::default()
    }
}

fn record(traits: &CustomerTraits) -> Incoming {
    incoming(&traits.customer_id, Some(codec::encode(traits).expect("encodes")))
}

fn written(read: Result<Write, NotWritten>) -> Identify {
    read.expect("a write").identify
}

fn names(identify: &Identify) -> BTreeSet<&str> {
    identify.attributes.keys().map(AsRef::as_ref).collect()
}

#[test]
fn a_young_record_writes_what_changed_and_an_old_one_the_whole() {
    let (young, mut old) = (record(&traits("u-1")), record(&traits("u-1")));
    old.timestamp_ms = NOW_MS - 24 * HOUR_MS;
    let young = written(read(&young, Subject::Traits, NOW_MS));
    assert_eq!(names(&young), BTreeSet::from(["email_bounced", "email_bounced_at"]));
    assert_eq!(young.attributes["email_bounced_at"], Attribute::Integer(1_767_225_590));
    let old = written(read(&old, Subject::Traits, NOW_MS));
    assert_eq!(old.attributes.len(), 11);
    assert_eq!(old.attributes["spam_complaint"], Attribute::Cleared);
    assert_eq!(old.attributes["complaint_count"], Attribute::Integer(2));
}

/// Every field of the public schema is written under its own name, but for those that steer and the one left
/// to the vendor.
#[test]
fn every_trait_of_the_schema_is_written_by_its_own_name() {
    let schema: serde_json::Value = serde_json::from_str(CustomerTraits::SCHEMA).expect("JSON");
    let steering = ["customer_id", "revision", "as_of", "changed", "unsubscribed"];
    let fields = schema["fields"].as_array().expect("fields");
    let public: BTreeSet<&str> = fields
        .iter()
        .filter_map(|field| field["name"].as_str())
        .filter(|name| !steering.contains(name))
        .collect();
    let whole = CustomerTraits { changed: Vec::new(), ..traits("u-1") };
    assert_eq!(names(&written(read(&record(&whole), Subject::Traits, NOW_MS))), public);
}

/// A late write of `unsubscribed` could opt a person in, or out, against what they chose since.
#[test]
fn the_vendors_own_unsubscribed_is_never_written() {
    for unsubscribed in [Some(true), Some(false), None] {
        for changed in [Vec::new(), vec!["unsubscribed".to_owned(), "unsubscribed_at".to_owned()]] {
            let traits = CustomerTraits { unsubscribed, changed, ..traits("u-1") };
            let identify = written(read(&record(&traits), Subject::Traits, NOW_MS));
            assert!(!identify.attributes.contains_key("unsubscribed"));
        }
    }
    let only = CustomerTraits { changed: vec!["unsubscribed".to_owned()], ..traits("u-1") };
    assert_eq!(read(&record(&only), Subject::Traits, NOW_MS), Err(NotWritten::Unchanged));
}

/// S2: what orders the vendor's updates is `as_of`, never the event's own time.
#[test]
fn s2_the_timestamp_is_as_of_in_seconds() {
    assert_eq!(written(read(&record(&traits("u-1")), Subject::Traits, NOW_MS)).timestamp_s, 1_767_225_600);
    let unordered = CustomerTraits { as_of: 0, ..traits("u-1") };
    assert!(matches!(
        read(&record(&unordered), Subject::Traits, NOW_MS),
        Err(NotWritten::Malformed { reason: "no_as_of", .. })
    ));
}

#[test]
fn a_key_becomes_the_vendors_identifier() {
    let of = |key: &str| read(&record(&traits(key)), Subject::Traits, NOW_MS);
    assert_eq!(written(of("u-1")).identifiers, Identifier::Id("u-1".to_owned()));
    assert_eq!(written(of("~~u")).identifiers, Identifier::Id("~u".to_owned()));
    assert_eq!(written(of("~cio:d9c1")).identifiers, Identifier::CioId("d9c1".to_owned()));
    assert_eq!(of("~eml:t1.abc"), Err(NotWritten::Skipped(Skip::EmailToken)));
    assert_eq!(of("~dlv:dgEX"), Err(NotWritten::Skipped(Skip::Delivery)));
    assert_eq!(of("~evt:01J"), Err(NotWritten::Skipped(Skip::Event)));
    assert!(matches!(of("~new:x"), Err(NotWritten::Malformed { reason: "not_a_customer_key", .. })));
    assert!(matches!(of(&"u".repeat(151)), Err(NotWritten::Malformed { reason: "identifier_too_long", .. })));
}

#[test]
fn what_cannot_be_read_is_told_from_what_is_too_new() {
    let of = |value: &[u8]| read(&incoming("u-1", Some(value.to_vec())), Subject::Traits, NOW_MS);
    let reason = |read| match read {
        Err(NotWritten::Malformed { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(read(&incoming("u-1", None), Subject::Traits, NOW_MS), Err(NotWritten::Tombstone));
    assert_eq!(reason(of(b"{}")), "not_framed");
    let mut bytes = codec::encode(&traits("u-1")).expect("encodes");
    assert_eq!(reason(of(&bytes[..12])), "malformed");
    bytes[2] ^= 1;
    assert!(matches!(of(&bytes), Err(NotWritten::UnknownSchema(_))));
    let stranger = codec::encode(&traits("u-2")).expect("encodes");
    assert_eq!(reason(of(&stranger)), "key_mismatch");
}

fn entry(channel: &str, reason: &str, since: i64, state: &str) -> SuppressionEntry {
    let (channel, reason, state) = (channel.to_owned(), reason.to_owned(), state.to_owned());
    SuppressionEntry {
        scope: "address".to_owned(),
        channel,
        reason,
        since,
        state,
        ..SuppressionEntry::default()
    }
}

fn suppressed(entries: Vec<SuppressionEntry>) -> Attributes {
    let suppression = Suppression { customer_id: "u-1".to_owned(), as_of: NOW_MS, entries };
    let record = incoming("u-1", Some(codec::encode(&suppression).expect("encodes")));
    written(read(&record, Subject::Suppression, NOW_MS)).attributes
}

#[test]
fn active_entries_of_email_become_three_attributes() {
    let attributes = suppressed(vec![
        entry("email", "complaint", 9_000, "active"),
        entry("email", "bounce", 7_999, "active"),
        entry("all", "complaint", 8_000, "active"),
        entry("sms", "manual", 1_000, "active"),
        entry("email", "unsubscribe", 2_000, "lifted"),
    ]);
    assert_eq!(attributes["email_suppressed"], Attribute::Flag(true));
    assert_eq!(attributes["email_suppression_reasons"], Attribute::Text("bounce,complaint".to_owned()));
    assert_eq!(attributes["email_suppressed_at"], Attribute::Integer(7));
}

#[test]
fn lifted_entries_clear_what_was_written() {
    let attributes = suppressed(vec![entry("email", "bounce", 7_000, "lifted")]);
    assert_eq!(attributes["email_suppressed"], Attribute::Flag(false));
    assert_eq!(attributes["email_suppression_reasons"], Attribute::Cleared);
    assert_eq!(attributes["email_suppressed_at"], Attribute::Cleared);
}

proptest! {
    #[test]
    fn reasons_always_fit_an_attribute(reasons in proptest::collection::vec("\\PC{0,300}", 0..20)) {
        let entries = reasons.iter().map(|reason| entry("email", reason, 1_000, "active")).collect();
        if let Attribute::Text(list) = &suppressed(entries)["email_suppression_reasons"] {
            prop_assert!(list.len() <= limit::ATTRIBUTE_VALUE_BYTES_MAX);
        }
    }

    #[test]
    fn no_record_makes_it_panic(key: Option<Vec<u8>>, value: Option<Vec<u8>>, now_ms: i64) {
        let record = Incoming { key, ..incoming("", value) };
        for subject in [Subject::Traits, Subject::Suppression] {
            drop(read(&record, subject, now_ms.saturating_add(i64::from(i32::MAX))));
        }
    }
}
