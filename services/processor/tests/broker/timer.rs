//! What time alone makes true, with nobody sending anything.

use std::time::{SystemTime, UNIX_EPOCH};

use schemas::codec;
use schemas::id::EventId;
use schemas::record::RawRecord;
use schemas::topic::Topic;

use crate::bench::{Bench, partition, until, wipe};

const DAY_S: u64 = 86_400;

impl Bench {
    /// Puts an e-mail event of `key` on raw that happened at `at_s`.
    fn publish_email(&self, key: &str, id: &str, metric: &str, at_s: u64) {
        let json = format!(
            r#"{{"event_id":"{id}","object_type":"email","metric":"{metric}","timestamp":{at_s},
                "data":{{"identifiers":{{"id":"{key}"}},"delivery_id":"d","recipient":"ada@example.com"}}}}"#
        );
        let bytes = json.into_bytes();
        let raw = RawRecord {
            kind: "webhook".to_owned(),
            id: EventId::of("default", Some(id), &bytes).dedupe.0.to_vec(),
            event_id: id.to_owned(),
            source: "default".to_owned(),
            received_at: i64::try_from(at_s * 1_000).expect("small"),
            bytes,
            ..RawRecord::default()
        };
        let value = codec::encode(&raw).expect("encodes");
        self.publish(partition(key), key, &value).wait().expect("acknowledged");
    }

    /// Customers whose suppressions were taken off the topic, each as often as it was.
    fn tombstones(&self) -> Vec<String> {
        let records = self.records(Topic::Suppression).into_iter().filter(|record| record.value.is_none());
        let key = |key: Option<Vec<u8>>| String::from_utf8(key.expect("a key")).expect("text");
        records.map(|record| key(record.key)).collect()
    }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// P5: thirty days after a suppression was lifted its tombstone follows, once, though no record comes; and
/// neither a restart nor a lost disk makes the timers forget.
#[test]
fn p5_time_passes_without_input_and_over_restarts() {
    let bench = Bench::new("timer.");
    let first = bench.start("disk").ready();
    // Lifted so long ago that the tombstone is due in a few seconds.
    let (lifted, due_in) = (now_s() - 30 * DAY_S, 8);
    bench.publish_email("now", "n1", "bounced", lifted - 60);
    bench.publish_email("now", "n2", "delivered", lifted - 30);
    bench.publish_email("soon", "s1", "bounced", lifted - 60);
    bench.publish_email("soon", "s2", "delivered", lifted + due_in);
    bench.publish_email("later", "l1", "bounced", lifted - 60);
    bench.publish_email("later", "l2", "delivered", lifted + DAY_S);
    until("what is due already is done", || bench.tombstones() == ["now"]);
    first.stopped();
    wipe(&bench.disk("disk"));
    let second = bench.start("disk").ready();
    until("the next one is done", || bench.tombstones().iter().any(|key| key == "soon"));
    bench.publish_email("soon", "s3", "opened", lifted);
    bench.worked_off();
    second.stopped();
    let third = bench.start("disk").ready();
    third.stopped();
    let mut tombstones = bench.tombstones();
    tombstones.sort_unstable();
    assert_eq!(tombstones, ["now", "soon"], "each once, and nobody's too early");
}
