//! A queue of our own, to which a consumer's partitions are forwarded.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka_sys as sys;

use super::millis;
use crate::record::{Incoming, RecordOffset};

/// Why not the wrapper's partition queues: each must be polled by itself. A worker with many partitions would
/// wait at one while another has records. Here many partitions are forwarded to one queue, and one wait
/// serves them all.
pub(crate) struct Queue<C: ConsumerContext + 'static> {
    queue: ptr::NonNull<sys::rd_kafka_queue_t>,
    consumer: Arc<BaseConsumer<C>>,
}

// SAFETY: librdkafka's queues may be used from any thread, and the consumer behind them too.
unsafe impl<C: ConsumerContext + 'static> Send for Queue<C> {}
// SAFETY: as above.
unsafe impl<C: ConsumerContext + 'static> Sync for Queue<C> {}

/// What a poll of the queue returned.
pub(crate) enum Popped {
    /// Nothing: the time was over, or the thread was woken.
    Nothing,
    /// A record.
    Record(Incoming),
    /// An error of a partition, or the end of its log.
    Error { code: RDKafkaErrorCode, partition: i32 },
}

impl<C: ConsumerContext + 'static> Queue<C> {
    pub(crate) fn new(consumer: Arc<BaseConsumer<C>>) -> Self {
        // SAFETY: the pointer is the live consumer's own, which `self` keeps alive for longer than the queue.
        let queue = unsafe { sys::rd_kafka_queue_new(consumer.client().native_ptr()) };
        Self { queue: ptr::NonNull::new(queue).expect("librdkafka makes a queue or aborts"), consumer }
    }

    /// Forwards the records of `partition` to this queue, from now on.
    pub(crate) fn forward_from(&self, topic: &str, partition: i32) {
        let topic = CString::new(topic).expect("a topic's name has no NUL");
        // SAFETY: consumer and queue are live; the partition's queue is counted, and this reference to it
        // given back.
        unsafe {
            let native = self.consumer.client().native_ptr();
            let source = sys::rd_kafka_queue_get_partition(native, topic.as_ptr(), partition);
            if !source.is_null() {
                sys::rd_kafka_queue_forward(source, self.queue.as_ptr());
                sys::rd_kafka_queue_destroy(source);
            }
        }
    }

    /// Ends the current wait, or the next one if no thread waits now.
    pub(crate) fn wake(&self) {
        // SAFETY: the queue is live.
        unsafe { sys::rd_kafka_queue_yield(self.queue.as_ptr()) }
    }

    /// Waits at most `wait`. librdkafka leaves out the records of a partition that was revoked or moved
    /// meanwhile.
    pub(crate) fn pop(&self, topic: &Arc<str>, wait: Duration) -> Popped {
        // SAFETY: the queue is live; the message is ours until it is destroyed below, and everything is
        // copied before.
        unsafe {
            let Some(message) = sys::rd_kafka_consume_queue(self.queue.as_ptr(), millis(wait)).as_ref()
            else {
                return Popped::Nothing;
            };
            let popped = match RDKafkaErrorCode::from(message.err) {
                RDKafkaErrorCode::NoError => Popped::Record(record(topic, message)),
                code => Popped::Error { code, partition: message.partition },
            };
            sys::rd_kafka_message_destroy(ptr::from_ref(message).cast_mut());
            popped
        }
    }
}

impl<C: ConsumerContext + 'static> Drop for Queue<C> {
    fn drop(&mut self) {
        // SAFETY: ours, and not used after this; the consumer outlives it.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

/// # Safety
/// `message` is a live message without an error.
unsafe fn record(topic: &Arc<str>, message: &sys::rd_kafka_message_t) -> Incoming {
    // SAFETY: the message is live, and its buffers as long as it says.
    unsafe {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        Incoming {
            topic: Arc::clone(topic),
            partition: message.partition,
            offset: RecordOffset(message.offset),
            timestamp_ms: sys::rd_kafka_message_timestamp(message, &raw mut kind).max(0),
            key: bytes(message.key, message.key_len),
            value: bytes(message.payload, message.len),
            headers: headers(message),
        }
    }
}

/// # Safety
/// `data` is null, or `length` readable bytes.
unsafe fn bytes(data: *const std::ffi::c_void, length: usize) -> Option<Vec<u8>> {
    // SAFETY: as promised by the caller.
    (!data.is_null()).then(|| unsafe { std::slice::from_raw_parts(data.cast::<u8>(), length) }.to_vec())
}

/// # Safety
/// `message` is live.
unsafe fn headers(message: &sys::rd_kafka_message_t) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut list = ptr::null_mut();
    // SAFETY: the message is live; the list of headers is its own, and so are names and values.
    unsafe {
        let code = sys::rd_kafka_message_headers(message, &raw mut list);
        if RDKafkaErrorCode::from(code) != RDKafkaErrorCode::NoError {
            return found;
        }
        let (mut name, mut value, mut length) = (ptr::null(), ptr::null(), 0);
        loop {
            let code = sys::rd_kafka_header_get_all(
                list,
                found.len(),
                &raw mut name,
                &raw mut value,
                &raw mut length,
            );
            if RDKafkaErrorCode::from(code) != RDKafkaErrorCode::NoError {
                return found;
            }
            let name = CStr::from_ptr(name).to_string_lossy().into_owned();
            found.push((name, bytes(value, length).unwrap_or_default()));
        }
    }
}
