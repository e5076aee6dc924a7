//! The gateway while its broker is away: 503 within the vendor's patience, and never a 2xx.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::{Gateway, PARTITIONS, PATH, create_topics, node, settings, shared, until};
use schemas::topic::Topic;

const BODY: &str = r#"{"metric":"sent","event_id":"7","customer_id":"1"}"#;

/// G1, G2, G3.
#[tokio::test]
async fn while_the_broker_is_away_the_answer_is_503_within_3_s_and_never_2xx() {
    let (_folder, mut broker) = tokio::task::spawn_blocking(node).await.expect("a broker");
    let bootstrap = broker.bootstrap().to_owned();
    create(&bootstrap).await;
    let gateway = Gateway::start_at(&bootstrap, "", settings()).await;
    gateway.until_ready().await;
    assert_eq!(gateway.signed(BODY).send().await.expect("an answer").status(), 200);

    broker.kill();
    for _ in 0..3 {
        let (began, answers) = (Instant::now(), [gateway.signed(BODY).send(), gateway.signed(BODY).send()]);
        for answer in futures::future::join_all(answers).await {
            assert_eq!(answer.expect("an answer").status(), 503);
        }
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    }
    let unsigned = gateway.post(PATH, BODY).send().await.expect("an answer");
    assert_eq!(unsigned.status(), 401, "who isn't the vendor learns nothing of our trouble");

    let broker =
        tokio::task::spawn_blocking(move || broker.restart().map(|()| broker)).await.expect("no panic");
    let _broker = broker.expect("the broker is back");
    let began = Instant::now();
    while gateway.signed(BODY).send().await.expect("an answer").status() != 200 {
        assert!(began.elapsed() < Duration::from_secs(30), "the gateway does not come back");
    }
    gateway.stop.request("test");
    assert!(gateway.running.await.expect("no panic").is_ok());
}

/// G3: a gateway that starts before its broker listens and says 503, since a refused connection costs an
/// hour.
#[tokio::test]
async fn a_gateway_without_a_broker_listens_and_says_what_it_waits_for() {
    let gateway = Gateway::start_at("127.0.0.1:1", "", settings()).await;
    until(|| !gateway.health.ready().components.is_empty()).await;
    let answer = gateway.signed(BODY).send().await.expect("an answer");
    assert_eq!(answer.status(), 503);
    assert!(answer.text().await.expect("a body").contains("not been reached"));
    let report = gateway.health.ready();
    let cause = report.components[0].cause.as_deref().expect("not ready");
    assert!(!report.ready && cause.contains("AFTERSEND_KAFKA"), "{cause}");
}

/// G2, G3: what arrives before Kafka was reached waits for it within the answer's deadline.
#[tokio::test]
async fn webhooks_right_after_the_start_are_held_until_the_topics_are_known() {
    let bootstrap = tokio::task::spawn_blocking(shared).await.expect("a broker");
    let topics = tokio::task::spawn_blocking(move || create_topics(bootstrap, "first.", &[]));
    topics.await.expect("topics");
    let gateway = Gateway::start_at(bootstrap, "first.", settings()).await;
    let answers = futures::future::join_all((0..8).map(|_| gateway.signed(BODY).send())).await;
    let statuses = answers.into_iter().map(|answer| answer.expect("an answer").status().as_u16());
    assert_eq!(statuses.collect::<Vec<_>>(), [200; 8]);
    assert_eq!(gateway.raw(8).await.len(), 8);
}

#[tokio::test]
async fn a_changed_partition_count_is_answered_503() {
    let (_folder, broker) = tokio::task::spawn_blocking(node).await.expect("a broker");
    let bootstrap = broker.bootstrap().to_owned();
    create(&bootstrap).await;
    let gateway = Gateway::start_at(&bootstrap, "", settings()).await;
    gateway.until_ready().await;
    assert_eq!(gateway.signed(BODY).send().await.expect("an answer").status(), 200);
    let topic = gateway.topics.name(Topic::Raw).to_owned();
    tokio::task::spawn_blocking(move || add_a_partition(&bootstrap, &topic)).await.expect("kafka's own tool");
    until(|| !gateway.health.ready().ready).await;
    let answer = gateway.signed(BODY).send().await.expect("an answer");
    assert_eq!(answer.status(), 503);
    assert!(answer.text().await.expect("a body").contains("partition count"));
}

async fn create(bootstrap: &str) {
    let bootstrap = bootstrap.to_owned();
    tokio::task::spawn_blocking(move || create_topics(&bootstrap, "", &[])).await.expect("topics");
}

/// Kafka's CreatePartitions request, version 0, by hand: neither its jars nor this workspace's client hold a
/// tool for it. See <https://kafka.apache.org/protocol#The_Messages_CreatePartitions>.
fn add_a_partition(bootstrap: &str, topic: &str) {
    let text =
        |text: &str| [&i16::try_from(text.len()).expect("short").to_be_bytes()[..], text.as_bytes()].concat();
    let request = [
        &37_i16.to_be_bytes()[..],
        &0_i16.to_be_bytes(),
        &7_i32.to_be_bytes(),
        &text("test"),
        &1_i32.to_be_bytes(),
        &text(topic),
        &(PARTITIONS + 1).to_be_bytes(),
        &(-1_i32).to_be_bytes(),
        &10_000_i32.to_be_bytes(),
        &[0],
    ]
    .concat();
    let mut stream = TcpStream::connect(bootstrap).expect("a broker");
    let length = i32::try_from(request.len()).expect("short").to_be_bytes();
    stream.write_all(&[&length[..], &request].concat()).expect("sent");
    let mut head = [0; 4];
    stream.read_exact(&mut head).expect("an answer");
    let mut answer = vec![0; u32::from_be_bytes(head) as usize];
    stream.read_exact(&mut answer).expect("the whole answer");
    // Correlation, throttle, count of topics, the topic's name, and its error code: 0 is none.
    let code = 4 + 4 + 4 + 2 + topic.len();
    assert_eq!(answer[code..code + 2], [0, 0], "kafka refuses");
}
