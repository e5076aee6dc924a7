//! The few calls that the wrapper crate lacks or gets wrong, each a small safe function with the reason it
//! exists.
#![allow(unsafe_code)]

mod commit;
mod queue;
mod static_members;
mod topic_id;

use std::ffi::CStr;
use std::time::Duration;

use rdkafka::client::Client;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientContext, TopicPartitionList};
use rdkafka_sys as sys;

use crate::error::code_name;

pub(crate) use commit::commit;
pub(crate) use queue::{Popped, Queue};
pub(crate) use static_members::static_members;
pub(crate) use topic_id::topic_ids;

/// Waits until every queued record has its delivery report.
///
/// Why not the wrapper's `flush`: since version 0.38 it loops over a poll of 100 ms that does not return
/// early, so each transaction would take at least 100 ms (measured). Delivery reports must be served
/// meanwhile, by another thread.
pub(crate) fn flush<C: ClientContext>(client: &Client<C>, timeout: Duration) -> Result<(), KafkaError> {
    // SAFETY: the pointer is the live client's own; rd_kafka_flush is thread-safe.
    let code = unsafe { sys::rd_kafka_flush(client.native_ptr(), millis(timeout)) };
    match RDKafkaErrorCode::from(code) {
        RDKafkaErrorCode::NoError => Ok(()),
        code => Err(KafkaError::Flush(code)),
    }
}

/// Whether events wait for the wrapper's `poll`: failed deliveries, errors.
///
/// Why not `poll` alone: it does not say whether it handled an event, so the caller cannot know when the
/// queue is empty.
pub(crate) fn has_events<C: ClientContext>(client: &Client<C>) -> bool {
    // SAFETY: the pointer is the live client's own; the reference to its queue is counted, and given back.
    unsafe {
        let queue = sys::rd_kafka_queue_get_main(client.native_ptr());
        let waiting = sys::rd_kafka_queue_length(queue);
        sys::rd_kafka_queue_destroy(queue);
        waiting > 0
    }
}

/// Whether the group has given this consumer a member id that it has not given back.
///
/// Why not the wrapper: it has no way to ask.
pub(crate) fn is_member<C: ClientContext>(client: &Client<C>) -> bool {
    // SAFETY: the pointer is the live client's own; the text is ours, and freed after its last use.
    unsafe {
        let member_id = sys::rd_kafka_memberid(client.native_ptr());
        let is_member = !member_id.is_null() && *member_id != 0;
        if !member_id.is_null() {
            sys::rd_kafka_mem_free(client.native_ptr(), member_id.cast());
        }
        is_member
    }
}

/// Takes the connection errors that wait in the client's main queue: code and reason, oldest first.
///
/// Why not the wrapper: its administrative client polls only a queue of its own, so that what a broker
/// refused is never seen. No other thread may poll the client's main queue.
pub(crate) fn take_errors<C: ClientContext>(client: &Client<C>) -> Vec<(RDKafkaErrorCode, String)> {
    let mut errors = Vec::new();
    // SAFETY: the pointer is the live client's own; the reference to its queue and each event are given back,
    // and an event's text is copied before.
    unsafe {
        let queue = sys::rd_kafka_queue_get_main(client.native_ptr());
        loop {
            let event = sys::rd_kafka_queue_poll(queue, 0);
            if event.is_null() {
                break;
            }
            if sys::rd_kafka_event_type(event) == sys::RD_KAFKA_EVENT_ERROR {
                let code = RDKafkaErrorCode::from(sys::rd_kafka_event_error(event));
                let reason = CStr::from_ptr(sys::rd_kafka_event_error_string(event));
                errors.push((code, reason.to_string_lossy().into_owned()));
            }
            sys::rd_kafka_event_destroy(event);
        }
        sys::rd_kafka_queue_destroy(queue);
    }
    errors
}

/// Why offsets were not added to a transaction.
#[derive(Debug)]
pub(crate) struct OffsetsRefusal {
    pub(crate) code: &'static str,
    pub(crate) retriable: bool,
}

/// Adds `offsets` of the consumer's group to the producer's open transaction, fenced by the consumer's
/// generation.
///
/// Why not the wrapper's method: it hides generation and member id. A consumer that never joined has
/// generation -1 and no member id. librdkafka sends those, and the broker accepts such offsets **unfenced**
/// (measured on 4.3.1), so a zombie could overwrite a position. The check and the call must use the same
/// metadata object.
pub(crate) fn send_offsets<P: ClientContext, M: ClientContext>(
    producer: &Client<P>,
    offsets: &TopicPartitionList,
    member: &Client<M>,
    timeout: Duration,
) -> Result<(), OffsetsRefusal> {
    // SAFETY: the pointer is the live consumer's; the object returned is owned by us until destroyed below.
    let group = unsafe { sys::rd_kafka_consumer_group_metadata(member.native_ptr()) };
    if group.is_null() {
        return Err(OffsetsRefusal { code: "NoGroup", retriable: false });
    }
    // SAFETY: `group` is non-null and ours; the member id lives as long as `group`.
    let (generation, anonymous) = unsafe {
        let member_id = sys::rd_kafka_consumer_group_metadata_member_id(group);
        let anonymous = member_id.is_null() || CStr::from_ptr(member_id).is_empty();
        (sys::rd_kafka_consumer_group_metadata_generation_id(group), anonymous)
    };
    let outcome = if generation < 0 || anonymous {
        Err(OffsetsRefusal { code: "NotAMember", retriable: false })
    } else {
        // SAFETY: producer, list and metadata are alive for the call, which copies what it needs.
        unsafe {
            let error = sys::rd_kafka_send_offsets_to_transaction(
                producer.native_ptr(),
                offsets.ptr(),
                group,
                millis(timeout),
            );
            refusal(error)
        }
    };
    // SAFETY: ours, and not used after this.
    unsafe { sys::rd_kafka_consumer_group_metadata_destroy(group) };
    outcome
}

/// # Safety
/// `error` is null or an error object owned by the caller, who must not use it afterwards.
unsafe fn refusal(error: *mut sys::rd_kafka_error_t) -> Result<(), OffsetsRefusal> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: non-null, and destroyed only after it was read.
    unsafe {
        let code = RDKafkaErrorCode::from(sys::rd_kafka_error_code(error));
        let retriable = sys::rd_kafka_error_is_retriable(error) != 0;
        sys::rd_kafka_error_destroy(error);
        Err(OffsetsRefusal { code: code_name(code), retriable })
    }
}

fn millis(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
}
