use proptest::prelude::*;

use super::*;

fn key(person: &Person<'_>, delivery: Option<&str>) -> String {
    CustomerKey::of(person, delivery, "e1", &TokenKey::development().into()).as_str().to_owned()
}

fn ids<'a>(id: &'a str, cio_id: &'a str, email: &'a str) -> Option<Identifiers<'a>> {
    let some = |text: &'a str| (!text.is_empty()).then_some(text);
    Some(Identifiers { id: some(id), cio_id: some(cio_id), email: some(email) })
}

#[test]
fn identifiers_win_over_the_deprecated_customer_id() {
    let person =
        Person { identifiers: ids("42", "d9", "a@b"), customer_id: Some("0200"), ..Person::default() };
    assert_eq!(key(&person, Some("d")), "42");
    let person = Person { identifiers: ids("", "d9", "a@b"), customer_id: Some("0200"), ..Person::default() };
    assert_eq!(key(&person, None), "~cio:d9");
    let person = Person { identifiers: ids("", "", "a@b"), customer_id: Some("0200"), ..Person::default() };
    assert!(key(&person, None).starts_with("~eml:t0."));
    let person = Person { identifiers: ids("", "", ""), customer_id: Some("0200"), ..Person::default() };
    assert_eq!(key(&person, None), "0200");
}

#[test]
fn a_vendor_s_id_is_one_customer_with_and_without_its_prefix() {
    for spelling in ["cio_03000001", "03000001", " cio_03000001 "] {
        let person = Person { identifiers: ids("", spelling, ""), ..Person::default() };
        assert_eq!(key(&person, None), "~cio:03000001", "{spelling}");
    }
    let person = Person { identifiers: ids("", "cio_", ""), customer_id: Some("u1"), ..Person::default() };
    assert_eq!(key(&person, None), "u1");
    let person = Person { identifiers: ids("cio_03000001", "", ""), ..Person::default() };
    assert_eq!(key(&person, None), "cio_03000001", "an id of the workspace's own stays as it is");
    assert_eq!(Holder::parse(b"~cio:cio_03000001"), Some(Holder::CioId("03000001")));
    assert_eq!(Holder::parse(b"~cio:cio_"), None);
}

#[test]
fn blanks_around_an_id_are_part_of_it_and_a_blank_id_is_nobody() {
    for (id, expected) in [(" u1 ", " u1 "), ("u1", "u1"), (" ", "~dlv:d"), ("\t\u{a0}\n", "~dlv:d")] {
        assert_eq!(key(&Person { customer_id: Some(id), ..Person::default() }, Some("d")), expected);
        assert_eq!(key(&Person { identifiers: ids(id, "", ""), ..Person::default() }, Some("d")), expected);
    }
}

#[test]
fn an_id_that_is_an_address_stays_unless_ids_are_tokenised() {
    let keyed = |person: &Person<'_>, tokenise_ids| {
        let rules = KeyRules { tokens: TokenKey::development(), tokenise_ids };
        CustomerKey::of(person, None, "e1", &rules).as_str().to_owned()
    };
    let email = Person { email_address: Some("ada@x.io"), ..Person::default() };
    for person in [
        Person { identifiers: ids("Ada@X.io", "d9", ""), ..Person::default() },
        Person { customer_id: Some("Ada@X.io"), ..Person::default() },
    ] {
        assert_eq!(keyed(&person, false), "Ada@X.io");
        assert_eq!(keyed(&person, true), key(&email, None));
    }
    let other = Person { customer_id: Some("user-1@"), ..Person::default() };
    assert_eq!(keyed(&other, true), "user-1@");
}

#[test]
fn a_recipient_with_a_name_is_the_address_s_customer() {
    let of = |recipient| key(&Person { email_recipient: Some(recipient), ..Person::default() }, None);
    assert_eq!(of("Ada Person <ada@x.io>"), of("ada@x.io"));
    assert_eq!(of("ada@x.io, bo@y.io"), of("ada@x.io"));
}

#[test]
fn without_identifiers_the_customer_id_comes_first() {
    let person = Person { customer_id: Some("u1"), email_address: Some("a@b"), ..Person::default() };
    assert_eq!(key(&person, None), "u1");
    let person = Person { customer_id: Some(""), email_recipient: Some("a@b"), ..Person::default() };
    assert!(key(&person, None).starts_with("~eml:"));
}

/// Else everybody whose address is a placeholder would be one customer.
#[test]
fn what_is_no_address_is_nobodys() {
    let none = [" ", "n/a", "@", "ada@", " @example.com", "ada@ ", "\u{a0}@@"];
    for none in none {
        let person = Person {
            identifiers: ids("", "", none),
            email_address: Some(none),
            email_recipient: Some(none),
            ..Person::default()
        };
        assert_eq!(key(&person, Some("d")), "~dlv:d", "{none}");
        assert_eq!(key(&Person { customer_id: Some("u1"), ..person }, Some("d")), "u1", "{none}");
        let address = Person { email_address: Some("a@b"), ..Person::default() };
        let next = Person { email_recipient: Some("a@b"), ..person };
        assert_eq!(key(&next, Some("d")), key(&address, None), "{none}");
        let next = Person { email_address: Some(" A@B "), email_recipient: Some("c@d"), ..person };
        assert_eq!(key(&next, Some("d")), key(&address, None), "{none}");
    }
}

#[test]
fn a_message_to_nobody_is_keyed_by_its_delivery_and_else_by_itself() {
    assert_eq!(key(&Person::default(), Some("RPIL==")), "~dlv:RPIL==");
    assert_eq!(key(&Person::default(), Some("")), "~evt:e1");
}

#[test]
fn a_foreign_mark_is_nobody() {
    for foreign in [&b""[..], b"~", b"~x:1", b"~cio:", b"\xff"] {
        assert_eq!(Holder::parse(foreign), None);
    }
    assert!(!Holder::parse(b"~dlv:1").expect("a delivery").is_person());
}

proptest! {
    #[test]
    fn any_id_reads_back_as_itself(id in ".{0,20}[^\\s].{0,20}") {
        let made = key(&Person { customer_id: Some(&id), ..Person::default() }, None);
        prop_assert_eq!(Holder::parse(made.as_bytes()), Some(Holder::Id(&id)));
    }

    #[test]
    fn any_cio_id_reads_back_as_itself(id in "[^\\s](.{0,38}[^\\s])?") {
        prop_assume!(!id.starts_with("cio_"));
        let made = key(&Person { identifiers: ids("", &id, ""), ..Person::default() }, None);
        prop_assert_eq!(Holder::parse(made.as_bytes()), Some(Holder::CioId(&id)));
    }
}
