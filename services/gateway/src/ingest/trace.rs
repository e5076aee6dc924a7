//! The `traceparent` of an event: the request's, or one made of the event's id.
//! See <https://www.w3.org/TR/trace-context/#traceparent-header>.

use schemas::id::DedupeId;

/// `value`, if it is a valid `traceparent`: version, trace, parent and flags in lower-case hex, none of the
/// two ids zero.
pub(super) fn valid(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() == 55)?;
    let parts = text.split('-').collect::<Vec<_>>();
    let [version, trace, parent, flags] = parts.as_slice() else { return None };
    let hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    let lengths = [version, trace, parent, flags].map(|part| part.len()) == [2, 32, 16, 2];
    (lengths && parts.iter().all(|part| hex(part)) && *version != "ff" && !zero(trace) && !zero(parent))
        .then_some(text)
}

/// The `traceparent` of an event whose request had none: every copy of the event gets the same.
pub(super) fn of_event(id: DedupeId) -> String {
    let trace = u128::from_be_bytes(id.0).max(1);
    let span = u64::try_from(trace >> 64).unwrap_or_default().max(1);
    format!("00-{trace:032x}-{span:016x}-00")
}
