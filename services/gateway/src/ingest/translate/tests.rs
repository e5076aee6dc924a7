use kafka::PublishError;
use proptest::prelude::*;
use schemas::codec;
use schemas::record::{DeadLetter, RawRecord};
use schemas::token::{Kind, TokenKey};
use schemas::topic::Topic;
use sha2::{Digest, Sha256};

use super::*;
use crate::signature::{Key, Presence, verify};

const NOW_MS: i64 = 1_767_225_600_000;
const DAY_MS: i64 = 86_400_000;
const MESSAGE_MAX: usize = 256 << 10;

fn signed(body: &[u8], timestamp: &str) -> Verified<Bytes> {
    let signature = hex::encode(Key::new(b"k").sign(timestamp.as_bytes(), body));
    let (timestamp, signature) = (Presence::Once(timestamp.as_bytes()), Presence::Once(signature.as_bytes()));
    verify(&[Key::new(b"k")], timestamp, signature, Bytes::copy_from_slice(body)).expect("signed")
}

fn translated(verified: &Verified<Bytes>) -> (Translation, Receipt) {
    translated_by(verified, &TokenKey::development().into())
}

fn translated_by(verified: &Verified<Bytes>, keys: &KeyRules) -> (Translation, Receipt) {
    let receipt = Receipt {
        source: "reporting".to_owned(),
        signed_at_ms: verified.signed_at_ms(),
        received_at_ms: NOW_MS,
        verified_at_ms: NOW_MS + 1,
    };
    let rules =
        Rules { keys, stale_after_ms: 14 * DAY_MS, batch_items_max: 3, message_max_bytes: MESSAGE_MAX };
    (translate(verified, &receipt, None, &rules).expect("few enough"), receipt)
}

fn now(body: &[u8]) -> (Translation, Receipt) {
    translated(&signed(body, "1767225600"))
}

fn raw(outbound: &Outbound, receipt: &Receipt) -> RawRecord {
    assert_eq!(outbound.topic(), Topic::Raw);
    codec::decode(&outbound.value(receipt).expect("encodes")).expect("a raw record")
}

fn dead(outbound: &Outbound, receipt: &Receipt) -> DeadLetter {
    assert_eq!(outbound.topic(), Topic::DeadLetter);
    codec::decode(&outbound.value(receipt).expect("encodes")).expect("a dead letter")
}

/// E2.
#[test]
fn an_id_that_is_an_address_is_no_key_where_ids_are_tokenised() {
    let verified = signed(br#"{"metric":"sent","event_id":"7","customer_id":"Ada@X.io"}"#, "1767225600");
    let key = |tokenise_ids| {
        let keys = KeyRules { tokens: TokenKey::development(), tokenise_ids };
        let (translation, _) = translated_by(&verified, &keys);
        String::from_utf8(translation.events[0].key().expect("a key").to_vec()).expect("UTF-8")
    };
    assert_eq!(key(false), "Ada@X.io");
    let token = TokenKey::development().token(Kind::Email, "ada@x.io");
    assert_eq!(key(true), format!("~eml:{token}"));
}

#[test]
fn a_raw_record_holds_the_exact_bytes_and_who_vouches_for_them() {
    let event = br#"{ "metric":"sent", "event_id":"7", "timestamp":1767225599, "customer_id":"42" }"#;
    let (translation, receipt) = now(&[b" \n", &event[..], b"\n"].concat());
    let [outbound] = translation.events.as_slice() else { panic!("one event") };
    let id = EventId::of("reporting", Some("7"), event);
    let expected = RawRecord {
        kind: "webhook".to_owned(),
        id: id.dedupe.0.to_vec(),
        event_id: "7".to_owned(),
        source: "reporting".to_owned(),
        verified_by: "v0".to_owned(),
        signed_at: Some(NOW_MS),
        verified_at: NOW_MS + 1,
        received_at: NOW_MS,
        bytes: event.to_vec(),
        stripped: false,
        original_sha256: None,
    };
    assert_eq!(raw(outbound, &receipt), expected);
    assert_eq!((outbound.key(), outbound.event_id()), (Some(&b"42"[..]), Some("7")));
    assert!(translation.oddities.is_empty());
}

/// G5.
#[test]
fn age_is_judged_by_the_signed_time_else_by_the_events_own() {
    let body =
        |seconds: i64| format!(r#"{{"metric":"sent","event_id":"7","timestamp":{seconds}}}"#).into_bytes();
    let limit = (NOW_MS - 14 * DAY_MS) / 1_000;
    for (signed_at, occurred_at, stale) in [
        ("1767225600".to_owned(), 1_300_000_000, false),
        (limit.to_string(), 1_767_225_600, false),
        ((limit - 1).to_string(), 1_767_225_600, true),
        ("4102444800".to_owned(), 1_300_000_000, false),
        ("soon".to_owned(), limit, false),
        ("soon".to_owned(), limit - 1, true),
    ] {
        let (translation, receipt) = translated(&signed(&body(occurred_at), &signed_at));
        let outbound = &translation.events[0];
        assert_eq!(outbound.topic() == Topic::DeadLetter, stale, "{signed_at} {occurred_at}");
        if stale {
            let letter = dead(outbound, &receipt);
            assert_eq!((letter.reason.as_str(), letter.bytes), ("stale", body(occurred_at)));
        }
    }
}

#[test]
fn an_item_that_is_not_understood_is_a_dead_letter_under_its_customers_key() {
    let body = br#"{"events":[{"metric":"sent","customer_id":"1"},{"customer_id":"2","event_id":"x"},7]}"#;
    let (translation, receipt) = now(body);
    let [first, second, third] = translation.events.as_slice() else { panic!("three items") };
    assert_eq!(raw(first, &receipt).bytes, br#"{"metric":"sent","customer_id":"1"}"#);
    let letter = dead(second, &receipt);
    assert_eq!((letter.stage.as_str(), letter.reason.as_str()), ("gateway", "no_metric"));
    assert_eq!((letter.event_id.as_deref(), letter.key.as_deref()), (Some("x"), Some(&b"2"[..])));
    assert_eq!((letter.length, letter.sha256), (34, None));
    let letter = dead(third, &receipt);
    assert_eq!(
        (letter.reason.as_str(), letter.bytes.as_slice(), letter.key),
        ("not_an_object", &b"7"[..], None)
    );
    assert_eq!(third.traceparent, None);
}

#[test]
fn more_events_than_allowed_are_refused_whole_and_none_is_no_fault() {
    assert!(now(br#"{"events":[]}"#).0.events.is_empty());
    let verified = signed(br#"{"events":[{},{},{},{}]}"#, "1767225600");
    let keys = TokenKey::development().into();
    let rules = Rules { keys: &keys, stale_after_ms: 0, batch_items_max: 3, message_max_bytes: 0 };
    let receipt = now(b"{}").1;
    assert_eq!(translate(&verified, &receipt, None, &rules).map(|_| ()), Err(TooManyEvents));
}

#[test]
fn an_unreadable_body_is_one_dead_letter_whole_where_it_fits() {
    for length in [10, MESSAGE_MAX - (8 << 10), MESSAGE_MAX] {
        let body = vec![b'{'; length];
        let (translation, receipt) = now(&body);
        let letter = dead(&translation.events[0], &receipt);
        let whole = length < MESSAGE_MAX;
        assert_eq!(
            (letter.reason.as_str(), letter.length),
            ("malformed_json", i64::try_from(length).expect("small"))
        );
        assert_eq!(letter.bytes.len(), if whole { length } else { 64 << 10 });
        assert_eq!(letter.sha256, (!whole).then(|| Sha256::digest(&body).to_vec()));
    }
}

/// G7: each form is smaller than the one before, there is a last one, and the id stays that of the whole.
#[test]
fn what_kafka_refuses_for_good_falls_back_to_a_smaller_form() {
    let content = "x".repeat(100 << 10);
    let body = format!(r#"{{"metric":"sent","customer_id":"1","data":{{"a":1,"content":"{content}"}}}}"#);
    let (mut translation, receipt) = now(body.as_bytes());
    let outbound = &mut translation.events[0];
    let whole = raw(outbound, &receipt);
    let hash = Some(Sha256::digest(body.as_bytes()).to_vec());

    assert!(outbound.fall_back(&PublishError::TooLarge));
    let stripped = raw(outbound, &receipt);
    assert_eq!(stripped.bytes, br#"{"metric":"sent","customer_id":"1","data":{"a":1}}"#);
    assert_eq!((stripped.stripped, &stripped.original_sha256, &stripped.id), (true, &hash, &whole.id));

    assert!(outbound.fall_back(&PublishError::TooLarge));
    let letter = dead(outbound, &receipt);
    assert_eq!((letter.reason.as_str(), letter.bytes.len(), &letter.sha256), ("too_large", 64 << 10, &hash));
    assert!(!outbound.fall_back(&PublishError::TooLarge));
}

#[test]
fn what_the_broker_rejects_is_a_dead_letter_with_the_brokers_reason() {
    let (mut translation, receipt) = now(br#"{"metric":"sent","content":"x"}"#);
    let outbound = &mut translation.events[0];
    assert!(outbound.fall_back(&PublishError::Rejected { code: "InvalidRecord" }));
    let letter = dead(outbound, &receipt);
    assert_eq!((letter.reason.as_str(), letter.sha256), ("rejected", None));
    assert!(letter.detail.is_some_and(|detail| detail.contains("InvalidRecord")));
    assert!(!outbound.fall_back(&PublishError::Rejected { code: "InvalidRecord" }));
}

#[test]
fn a_giant_key_is_left_out_of_a_dead_letter() {
    let body = format!(r#"{{"metric":"sent","customer_id":"{}"}}"#, "k".repeat(2 << 10));
    let (mut translation, receipt) = now(body.as_bytes());
    let outbound = &mut translation.events[0];
    assert_eq!(outbound.key().map(<[u8]>::len), Some(2 << 10));
    assert!(outbound.fall_back(&PublishError::TooLarge));
    assert_eq!((outbound.key(), dead(outbound, &receipt).key), (None, None));
}

#[test]
fn odd_events_are_told() {
    let odd = |body: &str| now(body.as_bytes()).0.oddities;
    assert_eq!(odd(r#"{"metric":"sent"}"#), ["event_id_missing", "time_missing"]);
    assert_eq!(odd(r#"{"metric":"sent","event_id":[],"timestamp":1}"#), ["event_id_unusable", "time_absurd"]);
    let ahead = NOW_MS / 1_000 + 86_401;
    let repeated = format!(r#"{{"metric":"sent","event_id":"a","event_id":"b","timestamp":{ahead}}}"#);
    assert_eq!(odd(&repeated), ["event_id_repeated", "time_ahead"]);
}

/// The vendor's API wants no prefix, and both spellings are one person.
#[test]
fn a_vendor_s_id_with_and_without_its_prefix_is_one_key() {
    let key = |cio_id: &str| {
        let body = format!(r#"{{"metric":"sent","data":{{"identifiers":{{"cio_id":"{cio_id}"}}}}}}"#);
        now(body.as_bytes()).0.events[0].key().map(<[u8]>::to_vec)
    };
    assert_eq!(key("cio_03000001").as_deref(), Some(&b"~cio:03000001"[..]));
    assert_eq!(key("03000001"), key("cio_03000001"));
}

#[test]
fn what_was_read_leniently_is_told_of_each_event() {
    let odd = |body: &str| now(body.as_bytes()).0.oddities;
    let array = r#"[{"metric":"sent","event_id":"1","timestamp":1767225600},
        {"metric":"email_suppressed","event_id":"2","timestamp":"2026-01-01T00:00:00Z","customer_id":"a@b.c"}]"#;
    assert_eq!(odd(array), ["bare_array", "id_is_address", "bare_array", "time_as_date", "metric_alias"]);
}

#[test]
fn a_trace_is_carried_where_it_is_one_and_made_where_not() {
    let sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    assert_eq!(trace::valid(sent.as_bytes()), Some(sent));
    for wrong in [
        "",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0-",
        "000af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0001",
    ] {
        assert_eq!(trace::valid(wrong.as_bytes()), None, "{wrong}");
    }
    let own = now(br#"{"metric":"sent"}"#).0.events[0].traceparent.clone().expect("made");
    assert_eq!(trace::valid(own.as_bytes()), Some(own.as_str()));
}

proptest! {
    #[test]
    fn no_verified_bytes_make_it_panic_and_none_get_lost(body: Vec<u8>) {
        let (translation, receipt) = now(&body);
        prop_assert!(!translation.events.is_empty());
        for outbound in &translation.events {
            prop_assert!(outbound.value(&receipt).is_ok());
        }
    }
}
