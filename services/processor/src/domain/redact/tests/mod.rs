mod planted;
mod spelled;

use proptest::prelude::*;
use serde_json::{Map, Value};
use webhook::event::Event;

use super::*;

/// A text of an event that names nobody.
fn text(given: &str, tokens: &TokenKey) -> String {
    Redactor::of(&Event::default(), &tokens.clone().into()).text(given).into_owned()
}

fn json(event: &Event<'_>, tokens: &TokenKey) -> String {
    Redactor::of(event, &tokens.clone().into()).json(&event.rest)
}

fn fields(event: &Event<'_>, tokens: &TokenKey) -> Map<String, Value> {
    Redactor::of(event, &tokens.clone().into()).fields(&event.rest.to_map())
}

#[test]
fn an_smtp_reply_keeps_its_sense_and_loses_its_address() {
    let tokens = TokenKey::development();
    let token = tokens.token(Kind::Email, "ada@example.com");
    let reply = "550 5.1.1 <Ada@Example.com>: user unknown; try ada@example.com.";
    assert_eq!(text(reply, &tokens), format!("550 5.1.1 <{token}>: user unknown; try {token}."));
}

#[test]
fn an_address_in_a_link_is_found_encoded_or_not() {
    let tokens = TokenKey::development();
    let token = tokens.token(Kind::Email, "a+b@x.io");
    assert_eq!(text("https://s.io/u?e=a%2Bb%40x.io&n=1", &tokens), format!("https://s.io/u?e={token}&n=1"));
    assert_eq!(text("mailto:a+b@x.io", &tokens), format!("mailto:{token}"));
}

/// Redirects carry links in links, each encoded once more than the one around it.
#[test]
fn an_address_in_a_link_in_a_link_is_found_and_the_links_are_left() {
    let tokens = TokenKey::development();
    let token = tokens.token(Kind::Email, "a+b@x.io");
    for (before, address, after) in [
        ("https://t.io/?u=https%3A%2F%2Fs.io%3Fe%3D", "a%252Bb%2540x.io", "%26n%3D1"),
        ("https://t.io/?u=https%3a%2f%2fs.io%2f%3fe%3d", "a%2bb%40x%2eio", "&n=1"),
        ("https://t.io/?u=https%253A%252F%252Fs.io%252F", "a%25252Bb%252540x.io", "%253Fn"),
        ("https://t.io/#to:", "a+b@x%252Eio", "#end"),
        ("to%3C", "a+b%40x.io", "%3E"),
    ] {
        assert_eq!(text(&format!("{before}{address}{after}"), &tokens), format!("{before}{token}{after}"));
    }
}

#[test]
fn a_telephone_number_in_a_link_is_found() {
    let tokens = TokenKey::development();
    let token = tokens.token(Kind::Phone, "+15551234567");
    for plus in ["+", "%2B", "%2b", "%252B", "%25252b", "\\u002b"] {
        let given = format!("https://s.io/?p={plus}15551234567&q=a%20b");
        assert_eq!(text(&given, &tokens), format!("https://s.io/?p={token}&q=a%20b"));
    }
}

/// What JSON values can't hold is kept as JSON text, and JSON has escapes of its own.
#[test]
fn an_escaped_address_in_what_no_value_can_hold_is_found() {
    let tokens = TokenKey::development();
    let given = r#"{"metric":"sent","a":["\u0061da\u0040x.io",1e999],"b":"\ud800 ada\u0025\u0034\u0030x.io","c":{"\u002b15551234567":1e999}}"#;
    let clean = json(&Event::parse(given.as_bytes()).expect("an event"), &tokens);
    let (email, phone) = (tokens.token(Kind::Email, "ada@x.io"), tokens.token(Kind::Phone, "+15551234567"));
    let expected = serde_json::json!({
        "a": format!(r#"["{email}",1e999]"#), "b": format!(r#""\ud800 {email}""#), "c": format!(r#"{{"{phone}":1e999}}"#)
    });
    assert_eq!(clean, expected.to_string());
}

#[test]
fn a_telephone_number_is_found_and_a_small_number_is_left() {
    let tokens = TokenKey::development();
    let phone = tokens.token(Kind::Phone, "+15551234567");
    let email = tokens.token(Kind::Email, "a+15551234567@x.io");
    assert_eq!(
        text("to +15551234567 failed, +3 tries; a+15551234567@x.io, +15551234567", &tokens),
        format!("to {phone} failed, +3 tries; {email}, {phone}")
    );
}

#[test]
fn nested_fields_are_searched() {
    let tokens = TokenKey::development();
    let given = r#"{"metric":"sent","a":[{"b":"x@y.z"}],"n":1,"x@y.z":true}"#;
    let clean = json(&Event::parse(given.as_bytes()).expect("an event"), &tokens);
    assert!(!clean.contains('@') && clean.contains("\"n\":1"), "{clean}");
}

#[test]
fn a_text_of_nothing_but_signs_is_read_in_one_pass() {
    let tokens = TokenKey::development();
    for sign in
        ["@", "%", "+", "\\", "%40", "%25", "%2540", "%2B", "%C3", "\\u0040", "\\u005c", "\\\\u0025", "%5Cu"]
    {
        let signs = sign.repeat((4 << 20) / sign.len());
        assert!(text(&signs, &tokens) == signs, "{sign}");
    }
    let deep = format!("ada%{}40x.io", "25".repeat(2 << 20));
    assert!(text(&deep, &tokens) == tokens.token(Kind::Email, "ada@x.io"));
}

/// Around the bounds of what is written as it came: what reading and writing would change must be changed.
#[test]
fn numbers_are_written_as_their_values_would_be() {
    let tokens = TokenKey::development();
    for number in [
        "0",
        "-0",
        "-7",
        "1.50",
        "1e5",
        "1e999",
        "999999999999999999",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999",
    ] {
        let event = format!(r#"{{"metric":"sent","x":{number}}}"#);
        let event = Event::parse(event.as_bytes()).expect("an event");
        let values = Value::Object(fields(&event, &tokens));
        assert_eq!(json(&event, &tokens), values.to_string(), "{number}");
    }
}

/// A member as a person might write it.
fn member() -> impl Strategy<Value = String> {
    let text = prop_oneof!["[a-z@+.0-9 ]{0,16}", "\\PC{0,8}", any::<String>()];
    let texts = text.prop_map(|text| Value::from(text).to_string());
    let leaf = prop_oneof![
        texts.clone(),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,3})?",
        "\"[a-z]{0,3}(\\\\u[0-9a-f]{4}|\\\\/|\\\\n|@)[a-z]{0,3}\"",
        proptest::sample::select(vec![
            "true",
            "false",
            "null",
            "0",
            "-0",
            "1.50",
            "1e5",
            "18446744073709551616"
        ])
        .prop_map(str::to_owned),
    ];
    let value = leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3)
                .prop_map(|items| format!("[ {} ]", items.join(","))),
            inner.prop_map(|value| format!("{{\"b\" : {value},\"a@x.y\":{value}, \"b\":1}}")),
        ]
    });
    let name = prop_oneof!["[a-c]{1,2}", "[a-z]@[a-z]", any::<String>()];
    (name, value).prop_map(|(name, value)| format!("{}: {value}", Value::from(name)))
}

/// `text`, each character of it spelled in a way that the seed chooses.
fn spelled(text: &str, seed: u64) -> String {
    let spell = |(at, character): (usize, char)| {
        let mut bytes = [0; 4];
        let bytes = character.encode_utf8(&mut bytes).bytes();
        let how =
            usize::try_from(seed.rotate_right(u32::try_from(3 * at).expect("short")) % 9).expect("small");
        match how {
            0..4 => character.to_string(),
            4..7 => bytes.map(|byte| format!("%{}{byte:02X}", "25".repeat(how - 4))).collect(),
            7 => bytes.map(|byte| format!("%{byte:02x}")).collect(),
            _ => format!("\\u{:04x}", u32::from(character)),
        }
    };
    text.chars().enumerate().map(spell).collect()
}

proptest! {
    /// What the short ways write is what parsing the whole and writing it again would.
    #[test]
    fn members_are_written_as_their_values_would_be(members in proptest::collection::vec(member(), 0..5)) {
        let tokens = TokenKey::development();
        let event = format!(r#"{{"metric":"sent",{}"identifiers":{{"phone":"+15551234567"}}}}"#,
            members.iter().map(|member| format!("{member},")).collect::<String>());
        let event = Event::parse(event.as_bytes()).expect("an event");
        let values = Value::Object(fields(&event, &tokens));
        prop_assert_eq!(json(&event, &tokens), values.to_string());
    }

    /// E2: however deep its characters are escaped, each in its own way, and whatever escapes stand around
    /// it.
    #[test]
    fn an_address_is_found_however_it_is_spelled(
        local in "[a-z][a-z0-9.+_ü-]{0,10}[a-zü]", domain in "[a-zü]{1,8}\\.(com|io|example)",
        before in "[=/?&#:;, <\"]{1,2}", after in "[/?&#:;, >\"]{1,2}", seed: u64,
    ) {
        let tokens = TokenKey::development();
        let (before, after) = (format!("https://t.io/?u={}", spelled(&before, seed)), spelled(&after, seed ^ 7));
        let address = format!("{local}@{domain}");
        let given = format!("{before}{}{after}n=1", spelled(&address, seed.rotate_left(9)));
        let token = tokens.token(Kind::Email, &address);
        prop_assert_eq!(text(&given, &tokens), format!("{before}{token}{after}n=1"), "{}", given);
    }

    /// E2: no spelling of a planted address survives, whatever stands around it.
    #[test]
    fn a_planted_address_never_survives(
        before in "[ <(\"':;,a-z=/?&]{0,12}", after in "([ >)\"':;,?&/][a-z ]{0,8})?",
        local in "[a-z][a-z0-9.+_-]{0,10}[a-z]", domain in "[a-z]{1,8}\\.(com|io|example)",
        sign in proptest::sample::select(vec!["@", "%40", "%2540", "%252540", "\\u0040"]),
    ) {
        let given = format!("{before}{local}{sign}{domain}{after}");
        let clean = text(&given, &TokenKey::development());
        prop_assert!(!clean.contains(&format!("{sign}{domain}")), "{} -> {}", given, clean);
    }

    #[test]
    fn text_without_addresses_is_left_alone(given in "[b-zB-Z0-9 .,:;/<>()-]{0,6}([b-zB-Z .,:;/<>()-]{1,8}[0-9]{0,6}){0,4}") {
        prop_assert_eq!(&text(&given, &TokenKey::development()), &given);
    }
}
