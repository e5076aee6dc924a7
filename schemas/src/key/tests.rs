use proptest::prelude::*;

use super::*;

fn key(person: &Person<'_>, delivery: Option<&str>) -> String {
    CustomerKey::of(person, delivery, "e1", &TokenKey::development()).as_str().to_owned()
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
    fn any_id_reads_back_as_itself(id in ".{1,40}") {
        let made = key(&Person { customer_id: Some(&id), ..Person::default() }, None);
        prop_assert_eq!(Holder::parse(made.as_bytes()), Some(Holder::Id(&id)));
    }

    #[test]
    fn any_cio_id_reads_back_as_itself(id in ".{1,40}") {
        let made = key(&Person { identifiers: ids("", &id, ""), ..Person::default() }, None);
        prop_assert_eq!(Holder::parse(made.as_bytes()), Some(Holder::CioId(&id)));
    }
}
