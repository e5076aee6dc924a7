//! E3: no input makes an output that its topic can't hold, or the transaction could never be committed.

use proptest::prelude::*;
use schemas::id::EventId;
use schemas::record::RawRecord;
use schemas::topic::RECORD_BYTES_MAX;

use super::world::{NOW_MS, World, encoded, incoming};
use crate::apply::Applied;
use crate::state::format::FormatLevel;

/// An event whose every field may be far too long.
fn inflated(key: &str, field: &str, length: usize, metric: &str) -> RawRecord {
    let long = "x".repeat(length);
    let text = |name: &str| if name == field { long.as_str() } else { "1" };
    let json = serde_json::json!({
        "event_id": "a", "object_type": "email", "metric": if field == "metric" { &long } else { metric },
        "data": {
            "identifiers": {"id": key}, "delivery_id": text("delivery_id"), "recipient": text("recipient"),
            "subject": text("subject"), "href": text("href"), "failure_message": text("failure_message"),
            text("name"): 1,
        }
    });
    let bytes = serde_json::to_vec(&json).expect("serialises");
    let id = EventId::of("s", Some("a"), &bytes);
    RawRecord {
        kind: "webhook".to_owned(),
        id: id.dedupe.0.to_vec(),
        event_id: id.text,
        source: if field == "source" { long } else { "s".to_owned() },
        received_at: NOW_MS,
        bytes,
        ..RawRecord::default()
    }
}

fn largest(applied: &Applied) -> usize {
    let outputs = applied.outputs.iter().map(|output| {
        let headers: usize = output.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        output.key.as_ref().map_or(0, Vec::len) + output.value.as_ref().map_or(0, Vec::len) + headers
    });
    let customers = applied.overlay.customers().map(|(key, value)| 1 + key.len() + value.len());
    outputs.chain(customers).max().unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_output_fits_its_topic(
        field in proptest::sample::select(vec![
            "key", "metric", "delivery_id", "recipient", "subject", "href", "failure_message", "name", "source", "trace",
            "malformed", "none",
        ]),
        metric in proptest::sample::select(vec!["bounced", "spammed", "unsubscribed", "delivered", "clicked"]),
        length in prop_oneof![0usize..100, Just(1 << 20), Just(2 << 20), (4usize << 20) - 40_000..4 << 20],
    ) {
        let key = if field == "key" { "k".repeat(length.max(1)) } else { "u1".to_owned() };
        let raw = inflated(&key, field, length, metric);
        let raw = if field == "malformed" { RawRecord { event_id: "e".repeat(length), ..raw } } else { raw };
        let mut record = incoming(0, Some(&key), Some(encoded(&raw)));
        if field == "trace" {
            record.headers = vec![("traceparent".to_owned(), vec![b'0'; length])];
        }
        let mut world = World::new();
        let applied = world.commit(&[record]);
        prop_assert!(largest(&applied) <= RECORD_BYTES_MAX as usize, "{} of {}", field, largest(&applied));
        let dead: u64 = applied.counts.dead_lettered.values().sum();
        prop_assert_eq!(applied.counts.unique + dead, 1);
        let chunk = applied.overlay.chunk().encode(FormatLevel::NEWEST);
        prop_assert!(chunk.len() <= RECORD_BYTES_MAX as usize);
    }
}
