//! Records onto the raw topic, over connections of our own.
//!
//! What is queued leaves as one request for all partitions of a broker, as Kafka's own Java client sends it.
//! librdkafka makes a request of each partition's batch: with 32 partitions it either keeps the broker busy
//! with small requests or lets records wait 50 ms for company, and the load would measure itself.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use kafka_protocol::messages::{ApiKey, ProduceResponse, RequestHeader, ResponseHeader, TopicName};
use kafka_protocol::protocol::{
    Decodable, Encodable, HeaderVersion, StrBytes, encode_request_header_into_buffer,
};
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, Record,
    RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use lz4::{BlockMode, EncoderBuilder};
use rdkafka::consumer::Consumer;

use super::event::now_ms;
use super::{Event, Raw};
use crate::measure::position::reader;

/// The produce request's version: the newest that names topics and not their ids is 12, and nothing of 10 to
/// 12 is used here.
const VERSION: i16 = 9;
/// Acknowledged once all replicas in sync have it.
const ACKS_ALL: i16 = -1;
/// How long the broker may take for a request.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Requests on their way at once.
const UNDER_WAY_MAX: usize = 5;
/// As the gateway's producer compresses: fast.
const LZ4_LEVEL: u32 = 1;

/// Appends events to their partitions, on plain connections to the brokers that lead them.
pub(super) struct Appender {
    topic: TopicName,
    leaders: Vec<Leader>,
    /// What is queued for each partition, and the place of its leader.
    queued: Vec<(usize, Vec<Record>)>,
}

/// A broker that leads partitions.
struct Leader {
    id: i32,
    broker: TcpStream,
    /// Requests sent so far.
    sent: i32,
    under_way: usize,
}

impl Appender {
    /// Connects to the leaders of `raw`'s partitions, as they are now.
    pub(super) fn new(raw: &Raw) -> anyhow::Result<Self> {
        let asked = reader(raw.connection.bootstrap(), "aftersend.bench", "read_uncommitted")?;
        let found = asked.fetch_metadata(Some(&raw.topic), TIMEOUT)?;
        let partitions = found.topics().first().context("the raw topic is not there")?.partitions();
        let (mut leaders, mut queued): (Vec<Leader>, _) = (Vec::new(), Vec::new());
        for number in 0..i32::try_from(raw.partitions)? {
            let partition = partitions.iter().find(|partition| partition.id() == number);
            let id = partition.context("a partition of raw is not there")?.leader();
            let place = leaders.iter().position(|leader| leader.id == id).unwrap_or(leaders.len());
            if place == leaders.len() {
                let broker = found.brokers().iter().find(|broker| broker.id() == id);
                let broker = broker.context("a partition of raw has no leader")?;
                leaders.push(Leader::connect(id, broker.host(), u16::try_from(broker.port())?)?);
            }
            queued.push((place, Vec::new()));
        }
        Ok(Self { topic: TopicName(StrBytes::from_string(raw.topic.clone())), leaders, queued })
    }

    /// Puts `event` into the next request.
    pub(super) fn queue(&mut self, event: Event) -> anyhow::Result<()> {
        let partitions = u32::try_from(self.queued.len())?;
        let partition = usize::try_from(schemas::partition::of(&event.key, partitions))?;
        let (_, batch) = &mut self.queued[partition];
        batch.push(record(i32::try_from(batch.len())?, event));
        Ok(())
    }

    /// Sends what is queued, once the brokers have answered enough of what was sent before.
    pub(super) fn send(&mut self) -> anyhow::Result<()> {
        for (place, leader) in self.leaders.iter_mut().enumerate() {
            let led = (0..).zip(&mut self.queued).filter(|(_, (leader, _))| *leader == place);
            let batches: Vec<PartitionProduceData> = led
                .filter(|(_, (_, records))| !records.is_empty())
                .map(|(partition, (_, records))| {
                    let batch = batch(records)?;
                    records.clear();
                    Ok(PartitionProduceData::default().with_index(partition).with_records(Some(batch)))
                })
                .collect::<anyhow::Result<_>>()?;
            if !batches.is_empty() {
                let topic = TopicProduceData::default().with_name(self.topic.clone());
                leader.send(topic.with_partition_data(batches))?;
            }
        }
        Ok(())
    }

    /// Sends what is queued, and waits until everything is acknowledged.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.send()?;
        self.leaders.iter_mut().try_for_each(|leader| leader.await_until(0))
    }
}

impl Leader {
    fn connect(id: i32, host: &str, port: u16) -> anyhow::Result<Self> {
        let broker =
            TcpStream::connect((host, port)).with_context(|| format!("broker {id} can't be reached"))?;
        broker.set_nodelay(true)?;
        broker.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self { id, broker, sent: 0, under_way: 0 })
    }

    fn send(&mut self, topic: TopicProduceData) -> anyhow::Result<()> {
        self.await_until(UNDER_WAY_MAX - 1)?;
        self.sent += 1;
        self.broker.write_all(&request(self.sent, topic)?)?;
        self.under_way += 1;
        Ok(())
    }

    /// Waits until at most so many requests are under way.
    fn await_until(&mut self, most: usize) -> anyhow::Result<()> {
        while self.under_way > most {
            let mut length = [0; 4];
            self.broker.read_exact(&mut length).context("no answer from a broker")?;
            let mut answer = vec![0; u32::from_be_bytes(length) as usize];
            self.broker.read_exact(&mut answer)?;
            self.under_way -= 1;
            acknowledged(Bytes::from(answer))?;
        }
        Ok(())
    }
}

fn record(place: i32, event: Event) -> Record {
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        timestamp_type: TimestampType::Creation,
        offset: place.into(),
        // As far apart as the offsets, or each record would become a batch of its own.
        sequence: NO_SEQUENCE + place,
        timestamp: now_ms(),
        key: Some(event.key.into()),
        value: Some(event.value.into()),
        headers: kafka_protocol::indexmap::IndexMap::new(),
    }
}

/// One batch of `records`.
fn batch(records: &[Record]) -> anyhow::Result<Bytes> {
    let options = RecordEncodeOptions { version: 2, compression: Compression::Lz4 };
    let mut batch = BytesMut::new();
    RecordBatchEncoder::encode_with_custom_compression(&mut batch, records, &options, Some(compress))?;
    Ok(batch.freeze())
}

/// The protocol crate's own level would be ten times as slow. Brokers read independent blocks only.
fn compress(records: &mut BytesMut, batch: &mut BytesMut, _: Compression) -> anyhow::Result<()> {
    let mut frame =
        EncoderBuilder::new().level(LZ4_LEVEL).block_mode(BlockMode::Independent).build(batch.writer())?;
    frame.write_all(records)?;
    frame.finish().1.map_err(Into::into)
}

/// A produce request with its length in front.
fn request(id: i32, topic: TopicProduceData) -> anyhow::Result<Vec<u8>> {
    let header = RequestHeader::default()
        .with_request_api_key(ApiKey::Produce as i16)
        .with_request_api_version(VERSION)
        .with_correlation_id(id)
        .with_client_id(Some(StrBytes::from_static_str("aftersend.bench.load")));
    let timeout_ms = i32::try_from(TIMEOUT.as_millis())?;
    let request = ProduceRequest::default()
        .with_acks(ACKS_ALL)
        .with_timeout_ms(timeout_ms)
        .with_topic_data(vec![topic]);
    let mut payload = BytesMut::new();
    encode_request_header_into_buffer(&mut payload, &header)?;
    request.encode(&mut payload, VERSION)?;
    let length = i32::try_from(payload.len())?;
    Ok([&length.to_be_bytes(), &payload[..]].concat())
}

fn acknowledged(mut answer: Bytes) -> anyhow::Result<()> {
    ResponseHeader::decode(&mut answer, ProduceResponse::header_version(VERSION))?;
    let response = ProduceResponse::decode(&mut answer, VERSION)?;
    for partition in response.responses.iter().flat_map(|topic| &topic.partition_responses) {
        if let Some(error) = partition.error_code.err() {
            bail!("partition {} did not take a batch: {error}", partition.index);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use kafka_protocol::records::RecordBatchDecoder;

    use super::*;

    #[test]
    fn the_records_of_one_request_are_one_batch() {
        let event = |key: &[u8]| Event { cause: String::new(), key: key.to_vec(), value: vec![7; 300] };
        let records: Vec<Record> = (0..).zip([event(b"a"), event(b"b")]).map(|(n, e)| record(n, e)).collect();
        let mut batch = batch(&records).expect("encodes");
        let found = RecordBatchDecoder::decode_batch_info(&mut batch).expect("decodes");
        assert_eq!((found.len(), found[0].record_count, found[0].base_sequence), (1, 2, NO_SEQUENCE));
    }

    #[test]
    fn a_batch_that_was_not_taken_is_an_error_that_names_its_partition() {
        // By the protocol's guide: correlation id, tags; a topic "t" with one partition, 3.
        let answer = |code: i16| {
            let before = [0, 0, 0, 1, 0, 2, 2, b't', 2, 0, 0, 0, 3];
            let offsets_and_times = [0; 24];
            let no_errors_no_text_and_the_rest = [1, 0, 0, 0, 0, 0, 0, 0, 0];
            let rest = [&offsets_and_times[..], &no_errors_no_text_and_the_rest].concat();
            acknowledged([&before[..], &code.to_be_bytes(), &rest].concat().into())
        };
        assert!(answer(0).is_ok());
        let refused = answer(6).expect_err("NOT_LEADER_OR_FOLLOWER").to_string();
        assert!(refused.contains("partition 3"), "{refused}");
    }
}
