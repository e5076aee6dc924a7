use std::ptr;
use std::time::Duration;

use rdkafka::client::Client;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientContext, TopicPartitionList};
use rdkafka_sys as sys;

use super::millis;

/// Commits `offsets` of the consumer's group, and waits for the answer for at most `timeout`. A commit that
/// isn't answered in time may still be carried out.
///
/// Why not the wrapper's synchronous `commit`: it has no timeout. Where the brokers are lost while the
/// request is on its way, it doesn't return before they are back (measured: over 40 s). Its asynchronous form
/// answers through the poll that also hands out records.
pub(crate) fn commit<C: ClientContext>(
    client: &Client<C>,
    offsets: &TopicPartitionList,
    timeout: Duration,
) -> Result<(), KafkaError> {
    // SAFETY: the client's pointer is live; the list is only read, and copied by the call. Queue and event
    // are ours, and not used after they are destroyed. An answer that comes later finds the queue gone, and
    // is dropped by librdkafka.
    let code = unsafe {
        let native = client.native_ptr();
        let queue = sys::rd_kafka_queue_new(native);
        let mut code = sys::rd_kafka_commit_queue(native, offsets.ptr(), queue, None, ptr::null_mut());
        if RDKafkaErrorCode::from(code) == RDKafkaErrorCode::NoError {
            let event = sys::rd_kafka_queue_poll(queue, millis(timeout));
            code = if event.is_null() {
                sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__TIMED_OUT
            } else {
                sys::rd_kafka_event_error(event)
            };
            sys::rd_kafka_event_destroy(event);
        }
        sys::rd_kafka_queue_destroy(queue);
        code
    };
    match RDKafkaErrorCode::from(code) {
        RDKafkaErrorCode::NoError => Ok(()),
        code => Err(KafkaError::ConsumerCommit(code)),
    }
}
