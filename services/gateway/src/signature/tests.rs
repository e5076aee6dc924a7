use base64::Engine;
use proptest::prelude::*;

use super::*;

const KEY: &str = "signing-secret";
const TIMESTAMP: &str = "1614265384";
const BODY: &[u8] = br#"{"event_id":"abc","object_type":"email","metric":"delivered"}"#;
/// The vendor's own test vector, from its Node SDK.
const SIGNATURE: &str = "6f55cf23f9b73a2ff07733fe04421f64ce9ec5e409696edda6b2a80311944230";

/// A day after the vector was signed.
const AGE: Age = Age { now_ms: 1_614_351_784_000, stale_after_ms: 14 * 86_400_000 };

fn once(text: &str) -> Presence<'_> {
    Presence::Once(text.as_bytes())
}

fn keys(texts: &[&str]) -> Vec<Key> {
    texts.iter().map(|text| Key::new(text.as_bytes())).collect()
}

fn check(key: &str, timestamp: &str, signature: &str, body: &[u8]) -> Result<(), Reason> {
    verify(&keys(&[key]), once(timestamp), once(signature), body).map(|_| ())
}

#[test]
fn known_signatures_are_right() {
    let vectors: [(&str, &str, &[u8], &str); 4] = [
        (KEY, TIMESTAMP, BODY, SIGNATURE),
        (
            "test-signing-key",
            "1767225600",
            br#"{"event_id":"01KDVJ00000000000000000001","object_type":"email","metric":"delivered","timestamp":1767225599,"data":{}}"#,
            "98fe64f0482cc0b6efbf4cb38ec3082600a19e349d1ad4a160f5e1cdbae9e5c3",
        ),
        ("test-signing-key", "1767225600", b"", "1707141382472bcdf1e438a12dc92ce04b9095eb5d9f87bb9098ddddee30e2da"),
        ("test-signing-key", "1767225600", b"{\"a\":1}\n", "8a056f68203e55d397b8d4f2e15e29d84dda5336c0ee7007fe5c175aa5ec0661"),
    ];
    for (key, timestamp, body, signature) in vectors {
        assert_eq!(check(key, timestamp, signature, body), Ok(()));
    }
    let verified = verify(&keys(&[KEY]), once(TIMESTAMP), once(SIGNATURE), BODY).expect("right");
    assert_eq!((*verified.body(), verified.signed_at_ms()), (BODY, Some(1_614_265_384_000)));
}

#[test]
fn upper_case_and_a_v0_prefix_are_accepted() {
    assert_eq!(check(KEY, TIMESTAMP, &SIGNATURE.to_uppercase(), BODY), Ok(()));
    assert_eq!(check(KEY, TIMESTAMP, &format!("v0={SIGNATURE}"), BODY), Ok(()));
    assert_eq!(check(KEY, TIMESTAMP, &format!("v1={SIGNATURE}"), BODY), Err(Reason::NotHex));
}

/// G4.
#[test]
fn several_keys_are_live_at_once() {
    let live = keys(&["old", KEY]);
    assert!(verify(&live, once(TIMESTAMP), once(SIGNATURE), BODY).is_ok());
    assert_eq!(verify(&live[..1], once(TIMESTAMP), once(SIGNATURE), BODY), Err(Reason::Mismatch));
    assert_eq!(verify(&[], once(TIMESTAMP), once(SIGNATURE), BODY), Err(Reason::Mismatch));
}

#[test]
fn headers_that_are_missing_repeated_or_no_hex_have_their_own_reasons() {
    use Presence::{Missing, Repeated};
    let check = |timestamp, signature| verify(&keys(&[KEY]), timestamp, signature, BODY).map(|_| ());
    assert_eq!(check(Missing, once(SIGNATURE)), Err(Reason::TimestampMissing));
    assert_eq!(check(Repeated, once(SIGNATURE)), Err(Reason::TimestampRepeated));
    assert_eq!(check(once(TIMESTAMP), Missing), Err(Reason::SignatureMissing));
    assert_eq!(check(once(TIMESTAMP), Repeated), Err(Reason::SignatureRepeated));
    for signature in ["zz", &SIGNATURE[1..], &SIGNATURE[2..], "é", "v0=", &format!("{SIGNATURE}00")] {
        assert_eq!(check(once(TIMESTAMP), once(signature)), Err(Reason::NotHex), "{signature}");
    }
    let of = |values: &[&'static [u8]]| Presence::of(values.iter().copied());
    assert_eq!(
        [of(&[]), of(&[b""]), of(&[b"a", b"a"]), of(&[b"a"])],
        [Missing, Missing, Repeated, once("a")]
    );
}

#[test]
fn a_time_that_is_none_is_signed_all_the_same() {
    let signature = hex::encode(Key::new(b"k").sign(b"soon", b"{}"));
    let verified = verify(&keys(&["k"]), once("soon"), once(&signature), b"{}").expect("right");
    assert_eq!(verified.signed_at_ms(), None);
}

#[test]
fn a_key_never_shows_itself() {
    assert!(!format!("{:?}", keys(&[KEY])).contains("secret"));
}

proptest! {
    /// G4.
    #[test]
    fn a_flipped_bit_is_refused(bit in 0..BODY.len() * 8, body: Vec<u8>, timestamp in "[0-9]{10}") {
        let mut flipped = BODY.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(check(KEY, TIMESTAMP, SIGNATURE, &flipped), Err(Reason::Mismatch));
        prop_assert_eq!(check(KEY, &timestamp, SIGNATURE, BODY).is_ok(), timestamp == TIMESTAMP);
        let own = hex::encode(Key::new(KEY.as_bytes()).sign(timestamp.as_bytes(), &body));
        prop_assert_eq!(check(KEY, &timestamp, &own, &body), Ok(()));
    }

    #[test]
    fn no_bytes_make_it_panic(timestamp: Vec<u8>, signature: Vec<u8>, body: Vec<u8>, text: String) {
        let (timestamp, signature) = (Presence::Once(&timestamp), Presence::Once(&signature));
        let _ = verify(&keys(&[KEY]), timestamp, signature, &body);
        let _ = explain(&[KEY, &text], Some(&text), Some(&text), &body, AGE);
    }
}

#[test]
fn each_known_mistake_is_named() {
    let key = "ab".repeat(32);
    let own = Key::new(key.as_bytes());
    let at = TIMESTAMP.as_bytes();
    let json = b"{\"a\": [1, 2],\n\"b\":\"x, y\"}";
    let wrapped = format!("\"{key}\"\n");
    let sign = |key: &Key, parts: &[&[u8]]| hex::encode(key.mac(parts));
    let own_v0 = |body: &[u8]| hex::encode(own.sign(at, body));
    let base64 = base64::engine::general_purpose::URL_SAFE.encode(own.sign(at, json));
    for (cause, key, signature, body) in [
        (Cause::BodyAlone, &key, sign(&own, &[json]), &json[..]),
        (Cause::OtherForm, &key, sign(&own, &[at, b":", json]), json),
        (Cause::KeyDecoded, &key, hex::encode(Key::new(&[0xab; 32]).sign(at, json)), json),
        (Cause::KeyWrapped, &wrapped, own_v0(json), json),
        (Cause::BodyEmpty, &key, own_v0(b""), json),
        (Cause::TimestampUnit, &key, hex::encode(own.sign(b"1614265384000", json)), json),
        (Cause::NewlineGained, &key, own_v0(BODY), &[BODY, b"\n"].concat()),
        (Cause::NewlineLost, &key, own_v0(&[BODY, b"\r\n"].concat()), BODY),
        (Cause::LineEnds, &key, own_v0(b"{\"a\": [1, 2],\r\n\"b\":\"x, y\"}"), json),
        (Cause::Reserialised, &key, own_v0(br#"{"a":[1,2],"b":"x, y"}"#), json),
        (Cause::Reserialised, &key, own_v0(br#"{"a": [1, 2], "b": "x, y"}"#), json),
        (Cause::Reserialised, &key, own_v0(br#"{"a":1,"b":2}"#), br#"{"b":2,"a":1}"#),
        (Cause::Base64, &key, base64, json),
        (Cause::OtherPrefix, &key, format!("sha256={}", own_v0(json)), json),
    ] {
        let explanation = explain(&["another", key], Some(TIMESTAMP), Some(&signature), body, AGE);
        let Explanation::Refused { cause: found, .. } = explanation else { panic!("{cause:?} is right") };
        assert_eq!(found, Some(cause));
    }
}

/// A body that went through a common JSON library no longer has the bytes that were signed.
#[test]
fn a_body_that_was_parsed_and_written_again_is_named_whoever_wrote_it() {
    let compact = "{\"href\":\"https://x.io/?a=1&b=2\",\"name\":\"Zoë\"}";
    let go = compact.replace('&', "\\u0026");
    let python = "{\"href\": \"https://x.io/?a=1&b=2\", \"name\": \"Zo\\u00eb\"}";
    let php = "{\"href\":\"https:\\/\\/x.io\\/?a=1&b=2\",\"name\":\"Zo\\u00eb\"}";
    let pretty = "{\n  \"href\": \"https://x.io/?a=1&b=2\",\n  \"name\": \"Zoë\"\n}";
    let all = [compact, &go, python, php, pretty];
    for signed in all {
        let signature = hex::encode(Key::new(KEY.as_bytes()).sign(TIMESTAMP.as_bytes(), signed.as_bytes()));
        for given in all.into_iter().filter(|given| *given != signed) {
            let explanation = explain(&[KEY], Some(TIMESTAMP), Some(&signature), given.as_bytes(), AGE);
            let cause = Some(Cause::Reserialised);
            assert_eq!(
                explanation,
                Explanation::Refused { reason: Reason::Mismatch, cause },
                "{signed} as {given}"
            );
        }
    }
}

#[test]
fn a_compressed_body_is_named() {
    use std::io::Write;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(BODY).expect("compresses");
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    zlib.write_all(BODY).expect("compresses");
    for given in [gzip.finish().expect("ends"), zlib.finish().expect("ends")] {
        let explanation = explain(&[KEY], Some(TIMESTAMP), Some(SIGNATURE), &given, AGE);
        let cause = Some(Cause::Compressed);
        assert_eq!(explanation, Explanation::Refused { reason: Reason::Mismatch, cause });
    }
}

/// G5: such a request is answered 200, and takes no effect.
#[test]
fn a_right_signature_that_is_too_old_to_take_effect_is_said_to_be_stale() {
    let signed_at_ms = 1_614_265_384_000;
    for (now_ms, is_stale) in
        [(signed_at_ms + AGE.stale_after_ms, false), (signed_at_ms + AGE.stale_after_ms + 1, true)]
    {
        let explanation = explain(&[KEY], Some(TIMESTAMP), Some(SIGNATURE), BODY, Age { now_ms, ..AGE });
        let valid = Explanation::Valid { key: 0, signed_at_ms: Some(signed_at_ms), is_stale };
        assert_eq!(explanation, valid);
    }
}

#[test]
fn what_is_right_is_said_to_be_and_what_is_unknown_is_not_guessed() {
    let valid = Explanation::Valid { key: 1, signed_at_ms: Some(1_614_265_384_000), is_stale: false };
    assert_eq!(explain(&["another", KEY], Some(TIMESTAMP), Some(SIGNATURE), BODY, AGE), valid);
    let refused = |reason, cause| Explanation::Refused { reason, cause };
    let wrong_key = explain(&["another"], Some(TIMESTAMP), Some(SIGNATURE), BODY, AGE);
    assert_eq!(wrong_key, refused(Reason::Mismatch, None));
    let bare = hex::encode(Key::new(KEY.as_bytes()).mac(&[BODY]));
    let no_time = explain(&[KEY], None, Some(&bare), BODY, AGE);
    assert_eq!(no_time, refused(Reason::TimestampMissing, Some(Cause::BodyAlone)));
    assert_eq!(
        explain(&[KEY], Some(TIMESTAMP), Some(""), BODY, AGE),
        refused(Reason::SignatureMissing, None)
    );
}
