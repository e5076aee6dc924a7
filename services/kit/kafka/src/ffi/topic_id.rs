use std::ffi::{CStr, CString};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::client::Client;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka_sys as sys;

/// Asks the controller for the ids of `topics`, in their order. `None` is a topic without one: the broker
/// knows no ids (before Kafka 2.8), or no such topic.
///
/// Why not the wrapper: its admin client has no `DescribeTopics`, and its metadata leaves the id out.
pub(crate) fn topic_ids<C: ClientContext>(
    client: &Client<C>,
    topics: &[&str],
    timeout: Duration,
) -> Result<Vec<Option<[u8; 16]>>, RDKafkaErrorCode> {
    let names: Vec<CString> = topics.iter().filter_map(|topic| CString::new(*topic).ok()).collect();
    if names.len() != topics.len() {
        return Err(RDKafkaErrorCode::InvalidArgument);
    }
    let mut pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    // SAFETY: the client and the names outlive the call; each object made here is destroyed below, after its
    // last use: the topics' descriptions live as long as the event.
    unsafe {
        let native = client.native_ptr();
        let asked = sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let options = sys::rd_kafka_AdminOptions_new(
            native,
            sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
        );
        let millis = super::millis(timeout);
        // Refused only out of its range, which leaves the client's own timeout; the poll below is bounded
        // either way.
        let _ = sys::rd_kafka_AdminOptions_set_request_timeout(options, millis, std::ptr::null_mut(), 0);
        let queue = sys::rd_kafka_queue_new(native);
        sys::rd_kafka_DescribeTopics(native, asked, options, queue);
        let event = sys::rd_kafka_queue_poll(queue, millis.saturating_add(1_000));
        let answer =
            if event.is_null() { Err(RDKafkaErrorCode::OperationTimedOut) } else { described(event, topics) };
        if !event.is_null() {
            sys::rd_kafka_event_destroy(event);
        }
        sys::rd_kafka_queue_destroy(queue);
        sys::rd_kafka_AdminOptions_destroy(options);
        sys::rd_kafka_TopicCollection_destroy(asked);
        answer
    }
}

/// # Safety
/// `event` is live, and answers a `DescribeTopics`.
unsafe fn described(
    event: *mut sys::rd_kafka_event_t,
    topics: &[&str],
) -> Result<Vec<Option<[u8; 16]>>, RDKafkaErrorCode> {
    // SAFETY: what is read here belongs to the live event.
    unsafe {
        match RDKafkaErrorCode::from(sys::rd_kafka_event_error(event)) {
            RDKafkaErrorCode::NoError => {}
            code => return Err(code),
        }
        let result = sys::rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            return Err(RDKafkaErrorCode::InvalidType);
        }
        let mut count = 0;
        let first = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        let found = if count == 0 { &[][..] } else { std::slice::from_raw_parts(first, count) };
        let id_of = |topic: &&str| {
            let named = |description: &&*const sys::rd_kafka_TopicDescription_t| {
                CStr::from_ptr(sys::rd_kafka_TopicDescription_name(**description)).to_bytes()
                    == topic.as_bytes()
            };
            found.iter().find(named).and_then(|description| id(*description))
        };
        Ok(topics.iter().map(id_of).collect())
    }
}

/// # Safety
/// `description` is live.
unsafe fn id(description: *const sys::rd_kafka_TopicDescription_t) -> Option<[u8; 16]> {
    // SAFETY: the id belongs to the live description.
    let bits = unsafe {
        let id = sys::rd_kafka_TopicDescription_topic_id(description);
        if id.is_null() {
            return None;
        }
        [sys::rd_kafka_Uuid_most_significant_bits(id), sys::rd_kafka_Uuid_least_significant_bits(id)]
    };
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&bits[0].to_be_bytes());
    bytes[8..].copy_from_slice(&bits[1].to_be_bytes());
    // An older broker answers zeros.
    (bytes != [0; 16]).then_some(bytes)
}
