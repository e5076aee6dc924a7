use serde::{Deserialize, Serialize};

use super::Record;

/// A customer's whole set of traits; a null trait is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CustomerTraits {
    /// The customer key.
    pub customer_id: String,
    /// Grows by one with each record of this customer.
    pub revision: i64,
    /// The append time, or the timer's time, that caused this revision; never goes back. Unix milliseconds.
    pub as_of: i64,
    /// Names of the traits that differ from the previous revision. Holds for records younger than the topic's minimum compaction lag.
    pub changed: Vec<String>,
    /// Whether e-mail can reach this customer.
    pub email_deliverable: Option<bool>,
    /// Whether a bounce stands.
    pub email_bounced: Option<bool>,
    /// The latest bounce. Unix milliseconds.
    pub email_bounced_at: Option<i64>,
    /// The delivery that bounced last.
    pub last_bounce_delivery_id: Option<String>,
    /// Whether a complaint stands.
    pub spam_complaint: Option<bool>,
    /// The latest complaint. Unix milliseconds.
    pub spam_complaint_at: Option<i64>,
    /// Complaints so far.
    pub complaint_count: Option<i64>,
    /// Whether the customer is unsubscribed.
    pub unsubscribed: Option<bool>,
    /// The latest unsubscribe. Unix milliseconds.
    pub unsubscribed_at: Option<i64>,
    /// The latest human click. Unix milliseconds.
    pub last_email_click_at: Option<i64>,
    /// The latest human click, human open or conversion. Unix milliseconds.
    pub last_email_engaged_at: Option<i64>,
    /// The metric of the latest e-mail outcome.
    pub last_email_metric: Option<String>,
}

impl Record for CustomerTraits {
    const SCHEMA: &'static str = include_str!("../../avro/customer_traits.avsc");
}
