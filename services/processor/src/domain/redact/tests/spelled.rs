//! Each way to write an address around its `@`, and what only looks like one.

use serde_json::{Value, json};

use super::*;

fn token(kind: Kind, address: &str) -> String {
    TokenKey::development().token(kind, address)
}

/// What is told of `given` where the event names these.
fn of_event(event: &Value, given: &str) -> String {
    let (event, privacy) = (event.to_string(), TokenKey::development().into());
    let event = Event::parse(event.as_bytes()).expect("an event");
    Redactor::of(&event, &privacy).text(given).into_owned()
}

fn of_nobody(given: &str) -> String {
    text(given, &TokenKey::development())
}

/// Mailgun's and Sympa's return paths, and others that a reply about the sender quotes.
#[test]
fn a_return_path_that_spells_the_event_s_recipient_is_replaced() {
    let event = json!({"metric": "bounced", "object_type": "email", "recipient": "r1.person@victim.example"});
    let token = token(Kind::Email, "r1.person@victim.example");
    for (before, spelled, after) in [
        ("<bounce+ba54ad.ffa1a-", "r1.person=victim.example", "@cio12345.mail.example.org>"),
        ("<bounce+", "R1.Person==a==Victim.Example", "==t1@lists.example.org>"),
        ("SRS0=AbC=TT=", "victim.example=r1.person", "@relay.example.org"),
        ("550 ", "r1.person at victim.example", " unknown"),
        ("550 no mailbox ", "r1.person victim.example", " here"),
        ("", "r1.person[AT]victim.example", ""),
        ("", "r1.person%victim.example", "@relay.example.org"),
        ("", "victim.example!r1.person", ""),
        ("https://x.io/", "r1.person%3Dvictim.example", "/"),
        ("", "r1.person_at_victim.example", ""),
    ] {
        let told = of_event(&event, &format!("{before}{spelled}{after}"));
        assert_eq!(told, format!("{before}{token}{after}"), "{spelled}");
    }
    let twice = "victim.example!r1.person , victim.example!r1.person; r1.person victim.example!r1.person";
    assert!(!of_event(&event, twice).contains("r1.person"));
    for other in ["r1.persons victim.example", "xr1.person=victim.example", "r1.person and victim.example"] {
        assert_eq!(of_event(&event, other), other);
    }
}

#[test]
fn a_return_path_of_a_stranger_goes_whole() {
    for path in [
        "bounce+ba54ad.ffa1a-r1.person=victim.example@cio12345.mail.example.org",
        "bounce+r2.person==a==victim.example==t1@lists.example.org",
        "SRS0=AbC=TT=victim.example=r1@relay.example.org",
        "prvs=0123456789=ada@x.io",
    ] {
        let told = of_nobody(&format!("550 5.1.0 <{path}> sender rejected"));
        assert_eq!(told, format!("550 5.1.0 <{}> sender rejected", token(Kind::Email, path)));
    }
    for field in ["to=", "RCPT=", "https://s.io/?bounce=", "https://s.io/?a=1&b="] {
        let told = of_nobody(&format!("{field}ada@x.io"));
        assert_eq!(told, format!("{field}{}", token(Kind::Email, "ada@x.io")));
    }
}

#[test]
fn an_address_of_any_form_is_replaced() {
    for (before, address, meant, after) in [
        ("<", "\"ada lovelace\"@x.io", "\"ada lovelace\"@x.io", ">"),
        ("to ", "\"ada\"@x.io", "ada@x.io", ","),
        ("<", "ada@[192.0.2.7]", "ada@[192.0.2.7]", ">"),
        ("<", "ada@[IPv6:2001:db8::7]", "ada@[IPv6:2001:db8::7]", ">"),
        ("", "ada＠x.io", "ada@x.io", " unknown"),
        ("", "ａｄａ＠ｘ.ｉｏ", "ada@x.io", " unknown"),
        ("to ", "ada&#64;x.io", "ada@x.io", ";"),
        ("to ", "ada&#x40;x.io", "ada@x.io", ";"),
        ("to ", "ada&amp;#64;x.io", "ada@x.io", ";"),
        ("to ", "ada&commat;x&period;io", "ada@x.io", ";"),
        ("no ", "ada at x.io", "ada@x.io", " here"),
        ("no ", "ada.l AT x DOT io", "ada.l@x.io", " here"),
        ("no ", "ada [at] x [dot] io", "ada@x.io", ""),
        ("no ", "ada(at)x.io", "ada@x.io", ""),
        ("no ", "ada @ x.io", "ada@x.io", ""),
        ("'", "ada@x.io", "ada@x.io", "'"),
    ] {
        let told = of_nobody(&format!("{before}{address}{after}"));
        assert_eq!(told, format!("{before}{}{after}", token(Kind::Email, meant)), "{address}");
    }
}

#[test]
fn an_encoded_word_that_holds_an_address_is_told_without_it() {
    let token = token(Kind::Email, "ada@x.io");
    for (given, told) in [
        ("=?utf-8?Q?An_ada=40x=2Eio?=", format!("An {token}")),
        ("Re: =?UTF-8?B?YWRhQHguaW8=?= !", format!("Re: {token} !")),
        ("=?utf-8?Q?ada=40?= =?utf-8?Q?x.io?=", token.clone()),
    ] {
        assert_eq!(of_nobody(given), told, "{given}");
    }
    for left in ["=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "=?utf-8?B?SGVsbG8=?=", "=?utf-8?Q?ada=40x.io", "=?=?=?=?"] {
        assert_eq!(of_nobody(left), left);
    }
}

#[test]
fn an_x400_address_goes_whole() {
    for (before, address, after) in [
        ("550 ", "/C=US/A=ATT/P=Org/O=Engines/S=Lovelace/G=Ada/", " unknown"),
        ("550 <", "G=Ada;S=Lovelace;O=Engines;P=Org;A=ATT;C=US;", ">"),
        ("550 ", "/o=Org/ou=Exchange/cn=Recipients/cn=ada", " unknown"),
    ] {
        let told = of_nobody(&format!("{before}{address}{after}"));
        assert_eq!(told, format!("{before}{}{after}", token(Kind::Email, address)));
    }
    for left in ["https://x.io/?c=1;p=2;o=3", "a=1/b=2/s=3", "IP=192.0.2.1 S=1"] {
        assert_eq!(of_nobody(left), left);
    }
}

#[test]
fn a_telephone_number_is_found_as_people_write_it() {
    for (before, number, after) in [
        ("The 'To' number ", "15550100099", " is not a valid phone number."),
        ("to ", "+1 555 010 0098", " failed"),
        ("tel:", "+1-555-010-0097", ""),
        ("phone ", "(555) 010-0078", ""),
        ("call ", "555-010-0078", ""),
        ("to ", "15550100079", ""),
        ("to ", "0044 20 7946 0958", ""),
        ("to ", "+44 (0)20 7946 0958", ""),
        ("to ", "06 12 34 56 78", ""),
        ("whatsapp:", "15550100013", ""),
        ("whatsapp:", "+15550100013", ": 550 5.1.1"),
        ("to ", "+1 555 010 0098", " 550 5.1.1"),
    ] {
        let told = of_nobody(&format!("{before}{number}{after}"));
        assert_eq!(told, format!("{before}{}{after}", token(Kind::Phone, number)), "{number}");
    }
    for left in [
        "421 4.7.0 [TSS04] Messages from 192.0.2.1, 203.0.113.226 deferred",
        "AS(201806281) 4.7.500",
        "2024-04-29T23:34:45.000Z",
        "Mon, 29 Apr 2024 23:34:45 +0000 (UTC)",
        "id 1613063089 of 4294967296",
        "550-5.7.26 7d39d529-9584-f4be-161127e61f5f54002",
        "https://x.io/help/15550100079",
        "000-00-00-000-00-00-00-id-00000-00000",
    ] {
        assert_eq!(of_nobody(left), left);
    }
}

#[test]
fn the_event_s_own_number_is_found_in_any_spelling_and_has_one_token() {
    let own = json!({"metric": "failed", "object_type": "sms", "data": {"recipient": "+15550100099", "identifiers": {"id": "u",
        "phone": "+49 621 5550100"}}});
    for (own_number, spelled) in [
        ("+15550100099", "15550100099"),
        ("+15550100099", "555 010 0099"),
        ("+15550100099", "5550100099"),
        ("+15550100099", "001 555 010 00 99"),
        ("+496215550100", "0621 5550100"),
        ("+496215550100", "0621/5550100"),
    ] {
        let told = of_event(&own, &format!("Error 21211: {spelled} 550"));
        assert_eq!(told, format!("Error 21211: {} 550", token(Kind::Phone, own_number)), "{spelled}");
    }
    assert_eq!(
        of_event(&own, "Error 30005: 5550100 of 2"),
        "Error 30005: 5550100 of 2".replace("5550100", &token(Kind::Phone, "+496215550100"))
    );
}

#[test]
fn a_push_token_in_a_failure_text_is_replaced() {
    let event =
        json!({"metric": "bounced", "object_type": "push", "recipients": [{"device_id": "tok-bbbb"}]});
    let told = of_event(&event, "NotRegistered: tok-bbbb (tok-bbbbb)");
    assert_eq!(told, format!("NotRegistered: {} (tok-bbbbb)", token(Kind::Device, "tok-bbbb")));
    let apple = "0123456789abcdef".repeat(4);
    let google = format!("dQw4w9WgXcQ:APA91b{}", "Xy_-9".repeat(20));
    for device in [apple.as_str(), &google, "ExponentPushToken[xxxxxxxxxxxxxxxxxxxxxx]"] {
        let told = of_nobody(&format!("Unregistered: {device}."));
        assert_eq!(told, format!("Unregistered: {}.", token(Kind::Device, device)));
    }
}

#[test]
fn a_webhook_s_secret_url_keeps_its_host_alone() {
    let event =
        json!({"metric": "failed", "object_type": "webhook", "recipient": "https://in.example.org/s3cr3t"});
    let told = of_event(&event, "HTTP 404 POST https://in.example.org/s3cr3t/x?k=v: gone");
    let path = token(Kind::Link, "s3cr3t/x?k=v");
    assert_eq!(told, format!("HTTP 404 POST https://in.example.org/{path}: gone"));
    let slack = "T0/B0/XXXX";
    let told = of_nobody(&format!("POST https://hooks.slack.com/services/{slack} failed"));
    let path = token(Kind::Link, &format!("services/{slack}"));
    assert_eq!(told, format!("POST https://hooks.slack.com/{path} failed"));
    assert_eq!(of_nobody("https://ada@x.io/a"), format!("https://{}/a", token(Kind::Email, "ada@x.io")));
    let told = of_nobody("see https://ada:pw@x.io/a");
    assert_eq!(told, format!("see https://{}/a", token(Kind::Link, "ada:pw@x.io")));
}

#[test]
fn a_link_s_query_keeps_utm_and_tokenises_every_other_value() {
    let tokens = TokenKey::development();
    let event = Event::default();
    let told = |link_queries, link: &str| {
        let privacy = Privacy { tokens: tokens.clone(), link_queries };
        Redactor::of(&event, &privacy).link(link).into_owned()
    };
    let value = |value: &str| token(Kind::Link, value);
    let link = "https://a.io/reset?token=s3cr3t&utm_source=mail&id=7#top";
    let redacted = told(LinkQueries::Tokens, link);
    assert_eq!(
        redacted,
        format!("https://a.io/reset?token={}&utm_source=mail&id={}#top", value("s3cr3t"), value("7"))
    );
    assert_eq!(told(LinkQueries::Tokens, link), redacted, "links still group");
    assert_eq!(told(LinkQueries::Drop, link), "https://a.io/reset?utm_source=mail#top");
    assert_eq!(told(LinkQueries::Drop, "https://a.io/?a=1&b"), "https://a.io/");
    let kept = "https://a.io/reset?page=7&utm_source=mail";
    assert_eq!(told(LinkQueries::Keep, kept), kept);
    for (link, redacted) in [
        ("https://a.io/?s3cr3t", format!("https://a.io/?{}", value("s3cr3t"))),
        ("https://a.io/?a=&b=x%20y", format!("https://a.io/?a=&b={}", value("x y"))),
        (
            "https://a.io/#access_token=x&n=1",
            format!("https://a.io/#access_token={}&n={}", value("x"), value("1")),
        ),
        ("https://a.io/#/reset?t=x", format!("https://a.io/#/reset?t={}", value("x"))),
        ("/reset?t=x", format!("/reset?t={}", value("x"))),
        ("https://a.io/?e=ada%40x.io", format!("https://a.io/?e={}", token(Kind::Email, "ada@x.io"))),
        ("https://a.io/ada@x.io?utm_term=ada%40x.io", {
            let email = token(Kind::Email, "ada@x.io");
            format!("https://a.io/{email}?utm_term={email}")
        }),
        ("https://a.io/p#section", "https://a.io/p#section".to_owned()),
    ] {
        assert_eq!(told(LinkQueries::Tokens, link), redacted);
    }
    let other = of_nobody("see https://a.io/?answer=8770&access_token=s3cr3t.");
    assert_eq!(other, format!("see https://a.io/?answer=8770&access_token={}.", value("s3cr3t")));
}

#[test]
fn a_member_s_name_tells_what_its_value_is() {
    let tokens = TokenKey::development();
    let given = json!({"metric": "sent", "customer": {"phone": "(555) 010-0078", "mobile": 15_550_100_077_u64, "n": 15_550_100_077_u64},
        "to": "15550100079", "device_token": "short", "webhook_url": "https://x.io/s", "page": "https://x.io/?t=s"});
    let bytes = given.to_string();
    let told: Value =
        serde_json::from_str(&json(&Event::parse(bytes.as_bytes()).expect("an event"), &tokens))
            .expect("JSON");
    let phone = |number: &str| json!(token(Kind::Phone, number));
    assert_eq!(
        told["customer"],
        json!({"phone": phone("5550100078"), "mobile": phone("15550100077"), "n": 15_550_100_077_u64})
    );
    assert_eq!(told["to"], phone("15550100079"));
    assert_eq!(told["device_token"], json!(token(Kind::Device, "short")));
    assert_eq!(told["webhook_url"], json!(token(Kind::Link, "https://x.io/s")));
    assert_eq!(told["page"], json!(format!("https://x.io/?t={}", token(Kind::Link, "s"))));
}

/// Real replies of providers: each address in them is replaced, and nothing else changes.
#[test]
fn nothing_but_addresses_is_replaced_in_real_replies() {
    const REPLIES: &str = include_str!("../../../../fixtures/smtp-replies.jsonl");
    for line in REPLIES.lines() {
        let reply: Value = serde_json::from_str(line).expect("JSON");
        let given = reply["text"].as_str().expect("a text");
        let mut expected = String::new();
        let mut rest = given;
        for address in reply["addresses"].as_array().expect("a list") {
            let address = address.as_str().expect("a text");
            let (before, after) = rest.split_once(address).expect("the address is in the text");
            expected = expected + before + &token(Kind::Email, address);
            rest = after;
        }
        assert_eq!(of_nobody(given), expected + rest);
    }
    assert_eq!(REPLIES.lines().count(), 372);
}
