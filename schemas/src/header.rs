//! Names of the Kafka record headers. Aftersend writes headers for people and tools, and never acts on one.

/// The event's id as text, for people and tools that look at a topic.
pub const EVENT_ID: &str = "event-id";

/// The outcome's id, on the topic of outcomes. It distinguishes two outcomes whose senders gave one event id.
pub const OUTCOME_ID: &str = "outcome-id";

/// [W3C Trace Context](https://www.w3.org/TR/trace-context/), carried from the webhook's request where it had
/// one.
pub const TRACEPARENT: &str = "traceparent";
