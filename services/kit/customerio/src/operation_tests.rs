use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::limit::{
    ATTRIBUTE_NAME_BYTES_MAX, ATTRIBUTE_VALUE_BYTES_MAX, ATTRIBUTES_MAX, ID_BYTES_MAX, ITEM_BYTES_MAX,
};

fn identify(identifiers: Identifier, attributes: Attributes) -> Identify {
    Identify { identifiers, timestamp_s: 1_767_225_600, attributes }
}

fn one(name: &str, value: Attribute) -> Attributes {
    Attributes::from([(Cow::Owned(name.to_owned()), value)])
}

fn any_identifier() -> impl Strategy<Value = Identifier> {
    let text = "\\PC{0,200}";
    prop_oneof![
        text.prop_map(Identifier::Id),
        text.prop_map(Identifier::CioId),
        text.prop_map(Identifier::Email)
    ]
}

fn any_attributes() -> impl Strategy<Value = Attributes> {
    let value = prop_oneof![
        any::<bool>().prop_map(Attribute::Flag),
        any::<i64>().prop_map(Attribute::Integer),
        "\\PC{0,400}".prop_map(Attribute::Text),
        Just(Attribute::Cleared),
    ];
    let name = prop_oneof![Just("_update".to_owned()), Just("action".to_owned()), "[a-z_]{0,160}"];
    proptest::collection::btree_map(name.prop_map(Cow::Owned), value, 0..12)
}

proptest! {
    /// P7: whatever is built, the wire says identify, of a person, who must exist.
    #[test]
    fn p7_every_operation_is_an_identify_that_creates_nobody(
        identifiers in any_identifier(), timestamp_s: i64, attributes in any_attributes()
    ) {
        let operation = Identify { identifiers, timestamp_s, attributes };
        let wire: Value = serde_json::to_value(&operation).expect("serialises");
        prop_assert_eq!(&wire["type"], "person");
        prop_assert_eq!(&wire["action"], "identify");
        prop_assert_eq!(&wire["attributes"]["_update"], true);
        prop_assert_eq!(wire["identifiers"].as_object().map(serde_json::Map::len), Some(1));
        prop_assert_eq!(wire["timestamp"].as_i64(), Some(timestamp_s));
    }

    #[test]
    fn what_encodes_is_within_every_limit(identifiers in any_identifier(), attributes in any_attributes()) {
        let operation = identify(identifiers, attributes);
        if let Ok(encoded) = operation.encode() {
            prop_assert!(encoded.0.len() <= ITEM_BYTES_MAX);
            prop_assert!((1..=ID_BYTES_MAX).contains(&operation.identifiers.text().len()));
            let named_well = |name: &str| (1..=ATTRIBUTE_NAME_BYTES_MAX).contains(&name.len()) && name != "_update";
            prop_assert!(operation.attributes.keys().all(|name| named_well(name)));
        }
    }

    #[test]
    fn a_body_is_the_json_of_its_operations_in_order(ids in proptest::collection::vec("[a-z\"\\\\]{1,9}", 0..9)) {
        let encoded: Vec<Encoded> = ids
            .iter()
            .map(|id| identify(Identifier::Id(id.clone()), one("plan", Attribute::Cleared)).encode().expect("encodes"))
            .collect();
        let sent = body(&encoded.iter().collect::<Vec<_>>());
        let read: Value = serde_json::from_slice(&sent).expect("JSON");
        let batch = read["batch"].as_array().expect("an array");
        prop_assert_eq!(batch.iter().map(|item| item["identifiers"]["id"].as_str().expect("id")).collect::<Vec<_>>(), ids);
        let counted = encoded.iter().map(Encoded::batched_bytes).sum::<usize>() + ENVELOPE_BYTES;
        prop_assert!(sent.len() <= counted);
    }
}

#[test]
fn the_wire_form_is_the_vendors() {
    let attributes = Attributes::from([
        ("email_bounced".into(), Attribute::Flag(true)),
        ("email_bounced_at".into(), Attribute::Integer(1_767_225_599)),
        ("last_bounce_delivery_id".into(), Attribute::Text("dgEX==".to_owned())),
        ("spam_complaint_at".into(), Attribute::Cleared),
    ]);
    let wire = serde_json::to_value(identify(Identifier::CioId("d9c106000001".to_owned()), attributes))
        .expect("serialises");
    let expected = json!({
        "type": "person", "action": "identify", "identifiers": {"cio_id": "d9c106000001"}, "timestamp": 1_767_225_600,
        "attributes": {"_update": true, "email_bounced": true, "email_bounced_at": 1_767_225_599,
            "last_bounce_delivery_id": "dgEX==", "spam_complaint_at": null}
    });
    assert_eq!(wire, expected);
}

#[test]
fn each_limit_is_told_by_its_own_name() {
    let id = || Identifier::Id("u-1".to_owned());
    let code = |operation: Identify| operation.encode().expect_err("breaks a limit").code();
    let flag = || one("plan", Attribute::Flag(true));
    let many = |count: usize| {
        (0..count).map(|n| (Cow::Owned(format!("a{n}")), Attribute::Flag(true))).collect::<Attributes>()
    };
    assert_eq!(code(identify(Identifier::Id(String::new()), flag())), "identifier_empty");
    assert_eq!(code(identify(Identifier::Email("é".repeat(76)), flag())), "identifier_too_long");
    assert_eq!(code(identify(id(), Attributes::new())), "no_attributes");
    assert_eq!(code(identify(id(), many(ATTRIBUTES_MAX))), "too_many_attributes");
    assert!(identify(id(), many(ATTRIBUTES_MAX - 1)).encode().is_ok());
    assert_eq!(code(identify(id(), one(&"n".repeat(151), Attribute::Cleared))), "attribute_name_length");
    assert_eq!(code(identify(id(), one("email", Attribute::Cleared))), "attribute_reserved");
    let long = Attribute::Text("x".repeat(ATTRIBUTE_VALUE_BYTES_MAX + 1));
    assert_eq!(code(identify(id(), one("plan", long))), "attribute_value_too_long");
    let large = (0..40).map(|n| (Cow::Owned(format!("a{n}")), Attribute::Text("x".repeat(1000)))).collect();
    assert_eq!(code(identify(id(), large)), "operation_too_large");
}

/// P7, by its source: no other action and no other path of the vendor's is spelled in this crate's code.
#[test]
fn p7_no_destructive_call_is_spelled_in_this_crate() {
    let sources = [include_str!("operation.rs"), include_str!("client.rs"), include_str!("answer.rs")];
    let code: String = sources
        .iter()
        .flat_map(|source| source.lines())
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    for word in
        ["\"delete", "\"suppress", "\"unsuppress", "\"merge", "/api/v1", "/entity", ".delete(", ".put("]
    {
        assert!(!code.contains(word), "{word}");
    }
    assert_eq!(code.matches("\"action\"").count(), 1);
}

#[test]
fn e2_debug_shows_no_identifier() {
    let operation =
        identify(Identifier::Email("ada@example.com".to_owned()), one("plan", Attribute::Flag(true)));
    assert!(!format!("{operation:?} {:?}", operation.encode()).contains("ada"));
}
