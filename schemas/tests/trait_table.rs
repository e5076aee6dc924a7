//! The table of traits, held against the schema, the record and the page that other teams read.

use std::path::PathBuf;

use schemas::record::{CustomerTraits, Record};
use schemas::trait_table::{TRAITS, TraitType, TraitValue, markdown, name};
use serde_json::{Value, json};

/// Fields of the record that say something of the record, not of the customer.
const STEERING: [&str; 4] = ["customer_id", "revision", "as_of", "changed"];

#[test]
fn the_schema_has_the_table_s_traits_in_its_order() {
    let schema: Value = serde_json::from_str(CustomerTraits::SCHEMA).expect("JSON");
    let fields = schema["fields"].as_array().expect("fields");
    let steering: Vec<&Value> = fields.iter().take(STEERING.len()).map(|field| &field["name"]).collect();
    assert_eq!(steering, STEERING);
    let traits = &fields[STEERING.len()..];
    assert_eq!(traits.len(), TRAITS.len(), "the schema and the table have as many traits");
    for (field, row) in traits.iter().zip(TRAITS) {
        assert_eq!((&field["name"], &field["doc"]), (&json!(row.name), &json!(row.meaning)));
        let of_type = match row.of_type {
            TraitType::Flag => json!("boolean"),
            TraitType::Time => json!({"type": "long", "logicalType": "timestamp-millis"}),
            TraitType::Count => json!("long"),
            TraitType::Text => json!("string"),
        };
        assert_eq!(field["type"], json!(["null", of_type]), "{}", row.name);
        assert_eq!(field["default"], Value::Null, "{}", row.name);
    }
}

/// Each trait alone: a change of it is seen, by its name, and nothing else.
#[test]
fn a_change_of_any_trait_is_seen() {
    let none = CustomerTraits::default();
    for (at, row) in TRAITS.iter().enumerate() {
        let (value, expected) = match row.of_type {
            TraitType::Flag => (json!(true), TraitValue::Flag(true)),
            TraitType::Time => (json!(7), TraitValue::Time(7)),
            TraitType::Count => (json!(7), TraitValue::Count(7)),
            TraitType::Text => (json!("x"), TraitValue::Text("x")),
        };
        let one: CustomerTraits = serde_json::from_value(json!({ row.name: value })).expect("a record");
        assert_eq!(one.values()[at], Some(expected), "{}", row.name);
        assert_eq!(one.changed_since(&none).collect::<Vec<_>>(), [row.name]);
        assert_eq!(none.changed_since(&one).collect::<Vec<_>>(), [row.name]);
        assert_eq!(one.changed_since(&one).count(), 0);
    }
    let whose = CustomerTraits { customer_id: "1".to_owned(), revision: 2, as_of: 3, ..none.clone() };
    assert_eq!(whose.changed_since(&none).count(), 0, "what steers is no trait");
}

#[test]
fn the_names_are_the_fields() {
    assert_eq!(
        (name::EMAIL_DELIVERABLE, name::LAST_EMAIL_METRIC),
        ("email_deliverable", "last_email_metric")
    );
}

#[test]
fn the_page_on_policies_has_the_table() {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests"));
    let page = std::fs::read_to_string(root.join("../docs/policies.md")).expect("the page is committed");
    let table = markdown();
    assert!(page.contains(&table), "put this table into docs/policies.md:\n{table}");
}
