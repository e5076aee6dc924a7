//! The pairs of object type and metric that Customer.io reports.

/// Every pair the vendor names, per object type: those of its webhook specification, those that can only be
/// subscribed to (no payload is published: `email/deferred`, `sms/dropped`, `slack/converted`,
/// `webhook/converted`) and the one that is only described (`slack/undeliverable`).
///
/// The three `customer` metrics also arrive under the channel that caused the change.
#[rustfmt::skip]
pub const MATRIX: &[(&str, &[&str])] = &[
    ("email", &["drafted", "attempted", "sent", "delivered", "opened", "clicked", "converted", "unsubscribed",
                "bounced", "dropped", "deferred", "spammed", "failed", "undeliverable"]),
    ("push", &["drafted", "attempted", "sent", "delivered", "opened", "clicked", "converted", "bounced",
               "dropped", "failed", "undeliverable"]),
    ("in_app", &["drafted", "attempted", "sent", "opened", "clicked", "converted", "failed", "undeliverable"]),
    ("sms", &["drafted", "attempted", "sent", "delivered", "clicked", "converted", "bounced", "dropped",
              "failed", "undeliverable", "replied"]),
    ("whatsapp", &["drafted", "attempted", "sent", "delivered", "opened", "clicked", "converted", "bounced",
                   "dropped", "failed", "undeliverable", "replied"]),
    ("slack", &["drafted", "attempted", "sent", "clicked", "converted", "failed", "undeliverable"]),
    ("webhook", &["drafted", "attempted", "sent", "clicked", "converted", "failed", "undeliverable"]),
    ("customer", &["subscribed", "unsubscribed", "cio_subscription_preferences_changed"]),
];
