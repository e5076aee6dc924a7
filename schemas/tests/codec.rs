//! The codec held against apache-avro, for any value that a schema can hold.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;
use proptest::collection::vec;
use proptest::prelude::*;
use schemas::codec;
use schemas::record::{
    Command, CustomerTraits, DeadLetter, Identity, MessageOutcome, RawRecord, RawView, Record, Suppression,
};
use serde_json::Value;

const HEADER_BYTES: usize = 10;

/// Any JSON that fits a schema, as the struct of the same record reads it.
fn fitting(schema: &Value) -> BoxedStrategy<Value> {
    let kind = if schema.is_object() { &schema["type"] } else { schema };
    match kind {
        Value::Array(branches) => prop_oneof![Just(Value::Null), fitting(&branches[1])].boxed(),
        Value::Object(_) => fitting(kind),
        _ => match kind.as_str().expect("a type has a name") {
            "string" => any::<String>().prop_map(Value::from).boxed(),
            "bytes" => vec(any::<u8>(), 0..200).prop_map(Value::from).boxed(),
            "long" => prop_oneof![any::<i64>(), -70_i64..70].prop_map(Value::from).boxed(),
            "boolean" => any::<bool>().prop_map(Value::from).boxed(),
            "array" => vec(fitting(&schema["items"]), 0..4).prop_map(Value::from).boxed(),
            "record" => {
                let fields = schema["fields"].as_array().expect("a record has fields");
                let fields =
                    fields.iter().map(|field| (Just(field["name"].clone()), fitting(&field["type"])));
                let object = |fields: Vec<(Value, Value)>| {
                    fields
                        .into_iter()
                        .map(|(name, value)| (name.as_str().unwrap_or_default().to_owned(), value))
                };
                fields
                    .collect::<Vec<_>>()
                    .prop_map(move |fields| Value::Object(object(fields).collect()))
                    .boxed()
            }
            other => unreachable!("{other} is new: teach it to the codec and to this test"),
        },
    }
}

fn agrees<R: Record + Clone + PartialEq + std::fmt::Debug>() {
    let schema = Schema::parse_str(R::SCHEMA).expect("parses");
    let writer = GenericDatumWriter::builder(&schema).human_readable(false).build().expect("a writer");
    let reader = GenericDatumReader::builder(&schema).human_readable(false).build().expect("a reader");
    let strategy = fitting(&serde_json::from_str(R::SCHEMA).expect("JSON"));
    proptest!(ProptestConfig::with_cases(64), |(value in strategy)| {
        let record: R = serde_json::from_value(value).expect("fits the struct");
        let bytes = codec::encode(&record).expect("encodes");
        let mut theirs = Vec::new();
        writer.write_ser(&mut theirs, &record).expect("apache-avro encodes");
        prop_assert_eq!(&bytes[HEADER_BYTES..], &theirs[..]);
        prop_assert_eq!(&codec::decode::<R>(&bytes).expect("decodes"), &record);
        let read: R = reader.read_deser(&mut &theirs[..]).expect("apache-avro decodes");
        prop_assert_eq!(read, record);
    });
}

#[test]
fn any_value_has_the_bytes_that_apache_avro_gives_it() {
    agrees::<Command>();
    agrees::<CustomerTraits>();
    agrees::<DeadLetter>();
    agrees::<Identity>();
    agrees::<MessageOutcome>();
    agrees::<RawRecord>();
    agrees::<Suppression>();
}

#[test]
fn a_view_shows_its_record() {
    let strategy = fitting(&serde_json::from_str(RawRecord::SCHEMA).expect("JSON"));
    proptest!(|(value in strategy)| {
        let record: RawRecord = serde_json::from_value(value).expect("fits the struct");
        let bytes = codec::encode(&record).expect("encodes");
        prop_assert_eq!(codec::view::<RawView<'_>>(&bytes).expect("shows"), RawView::from(&record));
    });
}

/// Other implementations may split an array and tell each block's length: a negative count, then bytes.
#[test]
fn an_array_in_several_blocks_is_one_array() {
    let whole =
        CustomerTraits { changed: ["a", "b", "c"].map(str::to_owned).to_vec(), ..CustomerTraits::default() };
    let bytes = codec::encode(&whole).expect("encodes");
    let (one, split) = ([6, 2, b'a', 2, b'b', 2, b'c', 0], [3, 8, 2, b'a', 2, b'b', 2, 2, b'c', 0]);
    let at = bytes.windows(one.len()).position(|window| window == one).expect("one block");
    let split = [&bytes[..at], &split, &bytes[at + one.len()..]].concat();
    assert_eq!(codec::decode::<CustomerTraits>(&split).expect("decodes"), whole);
}

/// A length or a count that no memory could hold costs an error, not the memory.
#[test]
fn a_corrupt_length_asks_for_no_memory() {
    let header = &codec::encode(&CustomerTraits::default()).expect("encodes")[..HEADER_BYTES];
    let huge = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    // The empty id, revision and time come before the array of changes.
    for body in [huge.to_vec(), [&[0, 0, 0][..], &huge].concat(), vec![0xff; 20]] {
        let bytes = [header, &body].concat();
        assert!(codec::decode::<CustomerTraits>(&bytes).is_err(), "{body:?}");
    }
}
