//! Names of the Kafka record headers. They are output only: a header never steers anything.

/// The event's id as text, for people and tools that look at a topic.
pub const EVENT_ID: &str = "event-id";

/// [W3C Trace Context](https://www.w3.org/TR/trace-context/), carried from the webhook's request where it had one.
pub const TRACEPARENT: &str = "traceparent";
