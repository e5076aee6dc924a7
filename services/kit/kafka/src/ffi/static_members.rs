use std::ffi::{CStr, CString, c_char};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::client::Client;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka_sys as sys;

/// Asks the coordinator of `group` for the instance ids of its static members, in no order.
///
/// Why not the wrapper: its list of groups leaves the instance ids out.
pub(crate) fn static_members<C: ClientContext>(
    client: &Client<C>,
    group: &str,
    timeout: Duration,
) -> Result<Vec<String>, RDKafkaErrorCode> {
    let name = CString::new(group).map_err(|_| RDKafkaErrorCode::InvalidArgument)?;
    let mut names: [*const c_char; 1] = [name.as_ptr()];
    // SAFETY: the client and the name outlive the call; each object made here is destroyed below, after its
    // last use: the group's description lives as long as the event.
    unsafe {
        let native = client.native_ptr();
        let options = sys::rd_kafka_AdminOptions_new(
            native,
            sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS,
        );
        let millis = super::millis(timeout);
        // Refused only out of its range, which leaves the client's own timeout; the poll below is bounded
        // either way.
        let _ = sys::rd_kafka_AdminOptions_set_request_timeout(options, millis, std::ptr::null_mut(), 0);
        let queue = sys::rd_kafka_queue_new(native);
        sys::rd_kafka_DescribeConsumerGroups(native, names.as_mut_ptr(), names.len(), options, queue);
        let event = sys::rd_kafka_queue_poll(queue, millis.saturating_add(1_000));
        let answer =
            if event.is_null() { Err(RDKafkaErrorCode::OperationTimedOut) } else { described(event) };
        if !event.is_null() {
            sys::rd_kafka_event_destroy(event);
        }
        sys::rd_kafka_queue_destroy(queue);
        sys::rd_kafka_AdminOptions_destroy(options);
        answer
    }
}

/// # Safety
/// `event` is live, and answers a `DescribeConsumerGroups`.
unsafe fn described(event: *mut sys::rd_kafka_event_t) -> Result<Vec<String>, RDKafkaErrorCode> {
    // SAFETY: what is read here belongs to the live event.
    unsafe {
        match RDKafkaErrorCode::from(sys::rd_kafka_event_error(event)) {
            RDKafkaErrorCode::NoError => {}
            code => return Err(code),
        }
        let result = sys::rd_kafka_event_DescribeConsumerGroups_result(event);
        if result.is_null() {
            return Err(RDKafkaErrorCode::InvalidType);
        }
        let mut count = 0;
        let first = sys::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
        let groups = if count == 0 { &[][..] } else { std::slice::from_raw_parts(first, count) };
        let mut instances = Vec::new();
        for group in groups {
            let error = sys::rd_kafka_ConsumerGroupDescription_error(*group);
            match RDKafkaErrorCode::from(sys::rd_kafka_error_code(error)) {
                RDKafkaErrorCode::NoError => instances.extend(instance_ids(*group)),
                // Since Kafka 4.0 a group that never had a member is an error and not an empty group.
                RDKafkaErrorCode::GroupIdNotFound => {}
                code => return Err(code),
            }
        }
        Ok(instances)
    }
}

/// # Safety
/// `group` is live.
unsafe fn instance_ids(group: *const sys::rd_kafka_ConsumerGroupDescription_t) -> Vec<String> {
    // SAFETY: members and their texts belong to the live description.
    unsafe {
        let count = sys::rd_kafka_ConsumerGroupDescription_member_count(group);
        let id = |number| {
            let member = sys::rd_kafka_ConsumerGroupDescription_member(group, number);
            let id = sys::rd_kafka_MemberDescription_group_instance_id(member);
            (!id.is_null()).then(|| CStr::from_ptr(id).to_string_lossy().into_owned())
        };
        (0..count).filter_map(id).collect()
    }
}
