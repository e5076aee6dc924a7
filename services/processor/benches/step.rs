//! What one event costs the processor itself, without Kafka: `cargo bench --workspace --bench step`.
//!
//! Prints CPU microseconds of this thread per event, from `/proc/thread-self/schedstat` (Linux). RocksDB's
//! background threads are not in it. `AFTERSEND_BENCH_EVENTS` (default 200000) and `AFTERSEND_BENCH_BATCH`
//! (default 10000) set the size.

#![expect(clippy::print_stdout, reason = "the figures are the result")]

use std::hint::black_box;
use std::sync::Arc;

use devkit::customerio::population::{Outcome, Outcomes, Population};
use kafka::{Incoming, NextOffset, RecordOffset};
use memchr::{memchr, memchr3};
use processor::apply::{ApplyContext, DueTimers, Rules, apply};
use processor::domain::bounce;
use processor::domain::event::normalise;
use processor::domain::redact::Redactor;
use processor::domain::time::window::Window;
use processor::state::changelog;
use processor::state::identity::StoreIdentity;
use processor::state::memory::{Budget, StoreMemory};
use processor::state::meta::{Incarnation, Meta};
use processor::state::store::PartitionStore;
use schemas::codec;
use schemas::id::{DedupeId, EventId};
use schemas::key::{CustomerKey, KeyRules};
use schemas::record::{RawRecord, RawView};
use schemas::token::TokenKey;
use webhook::event::Event;

/// 2026-01-01.
const NOW_S: i64 = 1_767_225_600;
const PEOPLE: usize = 20_000;
/// One event in so many comes twice.
const COPY_EVERY: usize = 20;

fn main() {
    let (events, batch) = (size("AFTERSEND_BENCH_EVENTS", 200_000), size("AFTERSEND_BENCH_BATCH", 10_000));
    let records = records(events);
    let bytes: usize = records.iter().map(Incoming::bytes).sum();
    println!(
        "{} records of {} bytes on average, {batch} a transaction",
        records.len(),
        bytes / records.len()
    );
    transactions(&records, batch);
    parts(&records);
    replies();
    redaction();
}

/// The whole of a transaction but Kafka.
fn transactions(records: &[Incoming], batch: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let shared = StoreMemory::new(&Budget::of(512 << 20));
    let (cluster, topic, origin) = (None, "raw".to_owned(), Default::default());
    let identity = StoreIdentity { cluster, topic, partition: 0, partitions: 1, origin };
    let store = PartitionStore::open(&folder.path().join("0"), &identity, &shared).expect("opens");
    let rules = Rules {
        window: Window::new(30).expect("within bounds"),
        privacy: TokenKey::development().into(),
        partitions: 1,
    };
    let mut meta = Meta::beginning(Incarnation::new([1; 16]), NextOffset(0));
    let (mut applying, mut encoding, mut writing) = (Clock::default(), Clock::default(), Clock::default());
    let (mut outputs, mut output_bytes, mut duplicates) = (0, 0, 0);
    for batch in records.chunks(batch) {
        let context = ApplyContext { rules: &rules, partition: 0, store: &store, meta: &meta };
        let applied = applying.time(|| apply(context, &DueTimers::default(), batch).expect("applies"));
        encoding.time(|| {
            for (key, value) in applied.overlay.customers() {
                black_box((changelog::customer_key(key), value));
            }
            black_box(applied.overlay.chunk().encode(processor::FormatLevel::NEWEST));
        });
        writing.time(|| store.apply(&applied.overlay).expect("applies"));
        meta = *applied.overlay.meta();
        outputs += applied.outputs.len();
        output_bytes +=
            applied.outputs.iter().map(|output| output.value.as_ref().map_or(0, Vec::len)).sum::<usize>();
        duplicates += applied.counts.duplicate;
        applying.time(|| drop(applied));
    }
    println!("{outputs} outputs of {} bytes on average, {duplicates} duplicates", output_bytes / outputs);
    let all = Clock(applying.0 + encoding.0 + writing.0);
    for (what, clock) in [("step", applying), ("changelog", encoding), ("apply", writing), ("together", all)]
    {
        clock.print(what, records.len());
    }
}

/// The pure parts of a step, each alone.
fn parts(records: &[Incoming]) {
    let privacy = TokenKey::development().into();
    let mut clocks = [const { Clock(0) }; 4];
    for batch in records.chunks(1_000) {
        let values = batch.iter().filter_map(|record| record.value.as_deref());
        let raws: Vec<RawView<'_>> =
            clocks[0].time(|| values.map(|value| codec::view(value).expect("reads")).collect());
        let events: Vec<Event<'_>> =
            clocks[1].time(|| raws.iter().map(|raw| Event::parse(raw.bytes).expect("parses")).collect());
        let outcomes: Vec<_> = clocks[2].time(|| {
            events
                .iter()
                .zip(&raws)
                .map(|(event, raw)| {
                    normalise::message_outcome(event, raw, "u1", DedupeId([7; 16]), 0, &privacy)
                })
                .collect()
        });
        clocks[3].time(|| outcomes.iter().for_each(|outcome| drop(black_box(codec::encode(outcome)))));
    }
    for (what, clock) in ["of which: decode", "parse", "outcome", "encode"].into_iter().zip(clocks) {
        clock.print(what, records.len());
    }
}

/// What a provider's reply costs to class: each of the corpus, many times.
fn replies() {
    const ROUNDS: usize = 100;
    let line = |line| serde_json::from_str::<serde_json::Value>(line).expect("a line of the corpus");
    let corpus: Vec<_> = include_str!("../corpus/replies.jsonl").lines().map(line).collect();
    let text = |line: &serde_json::Value, field: &str| line[field].as_str().expect("a text").to_owned();
    let replies: Vec<_> = corpus.iter().map(|line| (text(line, "channel"), text(line, "text"))).collect();
    black_box(bounce::classify("email", ""));
    let mut clock = Clock::default();
    clock.time(|| {
        for (channel, reply) in replies.iter().cycle().take(ROUNDS * replies.len()) {
            black_box(bounce::classify(channel, reply));
        }
    });
    clock.print("one failure's class", ROUNDS * replies.len());
}

/// What redaction costs where there is nothing to redact, beside three searches for a byte in the same texts.
fn redaction() {
    const TEXTS: [&str; 6] = [
        "Your order has left our warehouse",
        "A new way to plan your week, and three more things that you asked for",
        "smtp; 550 5.1.1 The account that you tried to reach does not exist",
        "mailbox is full",
        "Message rejected due to the sender's reputation. Please see our guidelines for bulk senders and try later.",
        "pricing_page_button",
    ];
    let body =
        br#"{"object_type":"email","metric":"bounced","data":{"recipient":"ada.lovelace@example.org"}}"#;
    let (event, privacy) = (Event::parse(body).expect("an event"), TokenKey::development().into());
    let redactor = Redactor::of(&event, &privacy);
    let texts = || TEXTS.iter().cycle().take(TEXTS.len() * 100_000);
    let (mut redacting, mut searching) = (Clock::default(), Clock::default());
    redacting.time(|| texts().for_each(|text| drop(black_box(redactor.text(black_box(text))))));
    searching.time(|| {
        texts().for_each(|text| {
            let bytes = black_box(text).as_bytes();
            black_box((
                memchr3(b'@', b'=', b':', bytes),
                memchr3(b'%', b'\\', b'&', bytes),
                memchr(0xef, bytes),
            ));
        });
    });
    let bytes = TEXTS.iter().map(|text| text.len()).sum::<usize>() / TEXTS.len();
    println!("texts of {bytes} bytes on average without an address");
    redacting.print("redact", texts().count());
    searching.print("search", texts().count());
}

fn records(events: usize) -> Vec<Incoming> {
    let population = Population::new(7, PEOPLE);
    let keys = TokenKey::development().into();
    let outcomes: Vec<Outcome> = Outcomes::new(&population, 7, NOW_S).take(events).collect();
    let copies = outcomes
        .iter()
        .enumerate()
        .flat_map(|(at, outcome)| std::iter::repeat_n(outcome, if at % COPY_EVERY == 0 { 2 } else { 1 }));
    copies.enumerate().map(|(at, outcome)| record(at, outcome, &keys)).collect()
}

fn record(at: usize, outcome: &Outcome, keys: &KeyRules) -> Incoming {
    let at = i64::try_from(at).expect("small");
    let event = Event::parse(&outcome.body).expect("an event");
    let id = EventId::of("default", event.event_id.as_deref(), &outcome.body);
    let key = CustomerKey::of(&event.person(), event.delivery_id.as_deref(), &id.text, keys);
    let raw = RawRecord {
        kind: "webhook".to_owned(),
        id: id.dedupe.0.to_vec(),
        event_id: id.text,
        source: "default".to_owned(),
        verified_by: "v0".to_owned(),
        received_at: NOW_S * 1_000,
        bytes: outcome.body.to_vec(),
        ..RawRecord::default()
    };
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    Incoming {
        topic: Arc::from("raw"),
        partition: 0,
        offset: RecordOffset(at),
        timestamp_ms: NOW_S * 1_000 + at,
        key: Some(key.as_bytes().to_vec()),
        value: Some(codec::encode(&raw).expect("encodes")),
        headers: vec![("traceparent".to_owned(), traceparent.as_bytes().to_vec())],
    }
}

/// CPU nanoseconds of this thread.
#[derive(Default, Clone, Copy)]
struct Clock(u64);

impl Clock {
    fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let before = Self::now();
        let result = work();
        self.0 += Self::now() - before;
        result
    }

    fn now() -> u64 {
        let told =
            std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells a thread's CPU time");
        told.split(' ').next().and_then(|text| text.parse().ok()).expect("a number first")
    }

    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    fn print(self, what: &str, events: usize) {
        println!("{what:>18} {:7.3} us/event", self.0 as f64 / 1_000.0 / events as f64);
    }
}

fn size(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}
