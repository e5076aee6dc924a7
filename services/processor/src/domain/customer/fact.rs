//! An outcome as a customer remembers it.

/// Longest metric name that is kept, in bytes. The vendor's set of metrics is open, but the state must stay
/// small.
const METRIC_BYTES_MAX: usize = 64;

/// Longest delivery id that is kept, in bytes. The vendor has no longer ones.
const DELIVERY_ID_BYTES_MAX: usize = 256;

/// What of an outcome can change a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fact<'a> {
    /// The channel.
    pub(crate) channel: &'a str,
    /// The metric.
    pub(crate) metric: &'a str,
    /// When it took effect, Unix milliseconds.
    pub(crate) at_ms: i64,
    /// The event's id.
    pub(crate) event_id: &'a str,
    /// The delivery.
    pub(crate) delivery_id: Option<&'a str>,
    /// The recipient's token.
    pub(crate) token: Option<&'a str>,
    /// Whether a machine did it: a machine's click, or a prefetched, proxied or synthetic open.
    pub(crate) machine: bool,
}

/// A fact that is remembered: when it happened, and which event says so.
///
/// The later mark is the greater one. At the same time, the mark of the greater event id is. Events of two
/// sources can share even that (P1). Then the other fields decide, so that the order of arrival never does
/// (P4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark<'a> {
    /// Unix milliseconds.
    pub(crate) at_ms: i64,
    /// The event.
    pub(crate) event_id: &'a str,
    /// The event's metric.
    pub(crate) metric: &'a str,
    /// The delivery.
    pub(crate) delivery_id: Option<&'a str>,
    /// The recipient's token.
    pub(crate) token: Option<&'a str>,
}

impl<'a> Mark<'a> {
    pub(super) fn from_fact(fact: &Fact<'a>) -> Self {
        let metric_end = fact.metric.floor_char_boundary(METRIC_BYTES_MAX);
        Self {
            at_ms: fact.at_ms,
            event_id: fact.event_id,
            metric: &fact.metric[..metric_end],
            delivery_id: fact.delivery_id.filter(|id| id.len() <= DELIVERY_ID_BYTES_MAX),
            token: fact.token,
        }
    }
}
